"""What holds for all tests."""

import gc


def pytest_collection_finish():
    """Spare every later search for garbage the modules and tests, which stay to the end."""
    gc.freeze()


def pytest_unconfigure():
    gc.unfreeze()  # DuckDB looks for what is left of it
