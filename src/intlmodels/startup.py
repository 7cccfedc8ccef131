"""What every process of the command line does first: leave Python's garbage collector little to do.

With PyMC imported there are more than a million objects that stay to the end. Looking through
them for cycles again and again, and once more at the end, takes a tenth of a fit.
"""

from __future__ import annotations

import atexit
import gc
import sys

#: New objects between two collections; Python's own number is 2000 or less.
NEW_OBJECTS = 10_000


def spare_collection() -> None:
    """Collect garbage rarely in this process, and not at all when it ends."""
    gc.set_threshold(NEW_OBJECTS)
    atexit.register(_spare_the_last)


def _spare_the_last() -> None:
    # The system takes all memory back at once; what has to be closed is closed by its own code.
    # Only DuckDB looks for what is left of it, and tells it at length.
    if "_duckdb" not in sys.modules:
        gc.freeze()
