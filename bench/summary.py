"""Medians, and ratios of runs that were made in turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Summary:
    """Median of some values with their range.

    The range of n independent values holds the median of their distribution with probability
    1 - 2 ** (1 - n): 75 % for 3, 94 % for 5.
    """

    median: float
    low: float
    high: float
    count: int

    def text(self, unit: str = "") -> str:
        """Median and range, with three digits."""
        unit = f" {unit}" if unit else ""
        if self.count == 1:
            return f"{digits(self.median)}{unit} (one run)"
        return f"{digits(self.median)}{unit} ({digits(self.low)} to {digits(self.high)})"


def summary(values: Sequence[float]) -> Summary:
    """Median and range of at least one value."""
    return Summary(median(values), min(values), max(values), len(values))


def of(runs: Iterable[Mapping[str, Any]], key: str) -> Summary:
    """Median and range of what runs have under a key."""
    return summary([run[key] for run in runs])


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Summary:
    """Median and range of the ratios of paired runs.

    Raises
    ------
    ValueError
        If there are not as many of the one as of the other.
    """
    return summary([a / b for a, b in zip(ours, theirs, strict=True)])


def digits(value: float) -> str:
    """Three significant digits, with commas between thousands."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{float(text):.5f}".rstrip("0").rstrip(".") if "e" in text else text
