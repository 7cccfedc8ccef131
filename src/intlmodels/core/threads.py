"""How many threads linear algebra has; nothing is imported, for NumPy reads it when it loads."""

#: Set to "1", these give a process one thread each, as Dask's workers have it.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
