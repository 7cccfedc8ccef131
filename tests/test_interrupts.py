"""An interrupt from the keyboard ends the command line wherever it arrives."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

#: Where an interrupt arrives, as the body of a command.
PLACES = {
    # Python kills its process at the end where KeyboardInterrupt itself passed through this.
    "text": "exec('signal.raise_signal(signal.SIGINT)', {'signal': signal})",
    "finalizer": """
class Late:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
Late()
time.sleep(30)
""",
    "callback": """
kept = type('Kept', (), {})()
seen = weakref.ref(kept, lambda _: signal.raise_signal(signal.SIGINT))
del kept
time.sleep(30)
""",
    "swallowed": """
try:
    signal.raise_signal(signal.SIGINT)
except BaseException:
    pass
time.sleep(30)
""",
    "replaced": """
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    raise ImportError('half a module')
""",
    "twice": """
try:
    signal.raise_signal(signal.SIGINT)
finally:
    signal.raise_signal(signal.SIGINT)
    sys.stdout.write('tidied')
""",
}
PROGRAM = """
import signal, sys, time, weakref
from intlmodels import __main__, cli

def run(arguments):
    return cli.terminal.run_to_exit(lambda: exec(compile({body!r}, "body", "exec"), globals()) or 0)

cli.run = run
__main__.main()
"""


@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_is_one_line_wherever_it_arrives(tmp_path, place):
    (tmp_path / "program.py").write_text(PROGRAM.format(body=PLACES[place]))
    found = subprocess.run(
        [sys.executable, "-m", "program"],  # as `python -m intlmodels`
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stderr == "interrupted: finished work is saved\n"
    assert found.returncode == 130
    assert found.stdout == ("tidied" if place == "twice" else "")
