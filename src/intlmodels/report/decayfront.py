"""Sections of the main report of the decay model."""

from __future__ import annotations

from intlmodels.report.data import DecayReportData
from intlmodels.report.pages import Values


def finding(m: DecayReportData) -> Values | None:
    """The finding in three sentences, and the figure that shows it."""
    return None


def data(m: DecayReportData) -> Values | None:
    """The data on one page."""
    return None


def estimates(m: DecayReportData) -> Values | None:
    """The curves."""
    return None


def reasons(m: DecayReportData) -> Values | None:
    """Why: the cells behind the decay, and its rivals."""
    return None


def limits(m: DecayReportData) -> Values | None:
    """What the data cannot say."""
    return None
