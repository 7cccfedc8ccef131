"""Stand-ins for what takes long: an executor in this process, and a fit that ignores the data."""

from concurrent.futures import Executor, Future

import numpy as np
import xarray as xr

from intlmodels.models import design_of
from intlmodels.models.share import simulator


class Here(Executor):
    """Does everything at once, in this process."""

    def submit(self, function, /, *arguments, **named):
        future = Future()
        future.set_result(function(*arguments, **named))
        return future


class PriorDraws:
    """Draws from the prior, whatever the data; takes the place of a refit."""

    def __init__(self, study, variant, priors):
        self.study, self.variant, self.priors = study, variant, priors

    @classmethod
    def of(cls, plan):
        return cls(plan.study, plan.variant, plan.priors)

    def draw(self, settings, given):
        design = design_of(self.study, self.variant)
        rng = np.random.default_rng(settings.seed)
        shape = settings.chains, settings.draws
        drawn = [
            simulator.simulate(self.study, design, self.priors, rng)[0]
            for _ in range(settings.chains * settings.draws)
        ]
        variables = {}
        for name in drawn[0]:
            values = np.array([one[name] for one in drawn])
            values = values.reshape(*shape, *values.shape[1:])
            further = tuple(f"{name}_{i}" for i in range(values.ndim - 2))
            variables[name] = (("chain", "draw", *further), values)
        stats = {"diverging": (("chain", "draw"), np.zeros(shape, bool))}
        coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
        return xr.Dataset(variables, coords), xr.Dataset(stats)
