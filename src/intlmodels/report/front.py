"""Sections of the main report that every model has."""

from __future__ import annotations

from intlmodels.report.data import ReportData
from intlmodels.report.pages import Values


def question(m: ReportData) -> Values | None:
    """What the publication says, and the question put to its data."""
    return None


def robustness(m: ReportData) -> Values | None:
    """How the key contrast stands over readings, families and priors."""
    return None


def checks(m: ReportData) -> Values | None:
    """Model checks in one row."""
    return None


def citation(m: ReportData) -> Values | None:
    """How to reproduce the report, and how to cite it."""
    return None
