"""The Beta regression of the variant ``density``, as a user of bambi would write it.

Same firms, likelihood, priors, chains and draws as the variant: shares as printed, moved off 0
and 1, a contrast, two categories whose effects are drawn around zero (not centred), the precision
as a parameter. Priors are written out, and predictors are not centred, since bambi's defaults
are others.
"""

import argparse
from math import log
from pathlib import Path


def main() -> None:
    """Fit, and store the draws as netCDF."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sampler", choices=["pymc", "nutpie"], required=True)
    for name in ("draws", "tune", "chains", "cores", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()

    import bambi
    import pandas as pd

    firms = pd.read_csv(given.data / "table1.csv").merge(
        pd.read_csv(given.data / "table2.csv"), on="company"
    )
    size = len(firms)
    table = pd.DataFrame(
        {
            "share": (firms["international_revenue_pct"] / 100 * (size - 1) + 0.5) / size,
            "relocatability": firms["relocatability"].map({"Difficult": -0.5, "Ease": 0.5}),
            "product": firms["product_line"],
            "expertise": firms["expertise"].str.split("--").str[0],
        }
    )

    def around_zero() -> bambi.Prior:
        return bambi.Prior("Normal", mu=0, sigma=bambi.Prior("HalfNormal", sigma=0.5))

    model = bambi.Model(
        "share ~ relocatability + (1|product) + (1|expertise)",
        table,
        family="beta",
        priors={
            "Intercept": bambi.Prior("Normal", mu=-1.5, sigma=1),
            "relocatability": bambi.Prior("Normal", mu=0, sigma=0.5),
            "1|product": around_zero(),
            "1|expertise": around_zero(),
            "kappa": bambi.Prior("LogNormal", mu=log(10), sigma=0.8),
        },
        noncentered=True,
        center_predictors=False,
        auto_scale=False,
    )
    fit = model.fit(
        draws=given.draws,
        tune=given.tune,
        chains=given.chains,
        cores=given.cores,
        random_seed=given.seed,
        inference_method=given.sampler,
        nuts={"target_accept": 0.95},
        progressbar=False,
    )
    fit.to_netcdf(given.out)


if __name__ == "__main__":
    main()
