"""Simulation-based calibration of the package's own PyMC model by simuk.

``python simuk_refits.py SIMULATIONS SAMPLER DRAWS TUNE CHAINS CORES TARGET_ACCEPT SEED``; the
sampler is that of ``pymc.sample``.
"""

import logging
import sys

if __name__ == "__main__":
    sims, draws, tune, chains, cores, seed = (int(sys.argv[i]) for i in (1, 3, 4, 5, 6, 8))
    import simuk

    from intlmodels import load_study
    from intlmodels.models.share.model import build

    logging.disable(logging.WARNING)
    simuk.SBC(
        build(load_study("rochester")),
        num_simulations=sims,
        sample_kwargs={
            "draws": draws,
            "tune": tune,
            "chains": chains,
            "cores": cores,
            "nuts_sampler": sys.argv[2],
            "nuts": {"target_accept": float(sys.argv[7])},
        },
        seed=seed,
        progress_bar=False,
    ).run_simulations()
