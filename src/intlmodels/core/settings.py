"""How to sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from intlmodels.core.errors import StudyError

#: ``progress(done)`` is called with the finished part of the sampling, 0 to 1.
Progress = Callable[[float], None]

#: What a refit may change. Of a PyMC model: values of its data by name. Where tables are drawn:
#: ``counts``, the published counts.
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """How to sample.

    Attributes
    ----------
    draws, tune, chains : int
        Kept draws and tuning draws of each chain, and the number of chains.
    seed : int
        The same seed gives the same draws.
    target_accept : float
        Target acceptance of NUTS, between 0 and 1.
    sampler : {"nutpie", "pymc"}
        Which implementation of NUTS.
    sweeps : int
        Where tables are drawn together with parameters: sweeps over both for each draw.
    cores : int or None
        Chains sampled at the same time; does not change the draws.
    """

    draws: int = 2000
    tune: int = 1000
    chains: int = 4
    seed: int = 20261
    target_accept: float = 0.95
    sampler: str = "nutpie"
    sweeps: int = 3
    cores: int | None = None

    def __post_init__(self) -> None:
        limits = {
            "draws": (4, 10**7),
            "tune": (0, 10**7),
            # R-hat compares chains: with one there is nothing to compare.
            "chains": (2, 1000),
            "seed": (0, 2**32 - 1),
            "sweeps": (1, 10**5),
            "cores": (1, 10**4),
        }
        for name, (least, most) in limits.items():
            # From study.toml anything may come; True counts as 1 unless it is refused here.
            value: Any = getattr(self, name)
            if name == "cores" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise StudyError(
                    f"{name} must be a whole number from {least} to {most}", value=str(value)
                )
        accept: Any = self.target_accept
        if isinstance(accept, bool) or not isinstance(accept, (int, float)) or not 0 < accept < 1:
            raise StudyError("target_accept must be between 0 and 1", value=str(accept))
        if self.sampler not in ("nutpie", "pymc"):
            raise StudyError("sampler must be nutpie or pymc", value=str(self.sampler))

    def identity(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """The settings on which the draws depend: those named, or all that may matter."""
        kept = {f.name for f in fields(self) if f.name != "cores"} if names is None else set(names)
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name in kept}
