"""The same Beta regression through the package, as a script: no report."""

import sys

import intlmodels as im

if __name__ == "__main__":
    out, seed, cores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    im.fit_study("rochester", variant="density", out=out, seed=seed, cores=cores)
