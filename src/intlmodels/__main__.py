"""The command line as a process: ``intlmodels`` and ``python -m intlmodels``."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

from intlmodels.core.interrupts import handle_interrupts, interrupt_reported, is_interrupt


def main() -> NoReturn:
    """Run the command line; an interrupt while it loads is reported like any other."""
    handle_interrupts()
    try:
        from intlmodels import cli

        code = cli.run(sys.argv[1:])
    except BaseException as error:
        if not is_interrupt(error):
            raise
        interrupt_reported()
        sys.stderr.write("interrupted\n")
        code = 130
    # Everything is written; an interrupt could only spoil the orderly end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    main()
