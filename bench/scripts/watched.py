"""The command line, or a script, with a stop-watch at nutpie's sampling.

``python watched.py SECONDS intlmodels ...`` or ``python watched.py SECONDS script.py ...`` writes
the seconds between the start of the chains and their end to the file SECONDS. Nothing is imported
earlier than it would be without.
"""

import runpy
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any


class Watch(MetaPathFinder):
    """Finds nutpie once, and wraps its ``sample``."""

    def __init__(self, into: Path) -> None:
        self.into = into

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find nutpie where it is."""
        if name != "nutpie":
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and found.loader is not None:
            _wrap(found.loader, self.into)
        return found


def _wrap(loader: Loader, into: Path) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        sample = module.sample

        def timed(*given: Any, **named: Any) -> Any:
            begun = perf_counter()

            def end() -> None:
                into.write_text(repr(perf_counter() - begun))

            found = sample(*given, **named)
            if named.get("blocking", True):
                end()
            else:
                wait = found.wait

                def waited(*more: Any, **others: Any) -> Any:
                    result = wait(*more, **others)
                    end()
                    return result

                found.wait = waited
            return found

        module.sample = timed

    loader.exec_module = exec_module


if __name__ == "__main__":
    sys.meta_path.insert(0, Watch(Path(sys.argv[1])))
    what = sys.argv[2]
    sys.argv[1:] = sys.argv[3:]
    if what == "intlmodels":
        from intlmodels.cli import main

        main()
    else:
        runpy.run_path(what, run_name="__main__")
