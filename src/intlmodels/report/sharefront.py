"""Sections of the main report of the share model."""

from __future__ import annotations

from intlmodels.report.data import ShareReportData
from intlmodels.report.pages import Values


def finding(m: ShareReportData) -> Values | None:
    """The finding in three sentences, and the figure that shows it."""
    return None


def data(m: ShareReportData) -> Values | None:
    """The data on one page."""
    return None


def estimates(m: ShareReportData) -> Values | None:
    """The estimates, with the reported shares in the same picture."""
    return None


def reasons(m: ShareReportData) -> Values | None:
    """Why: what drives the result, and what is confounded."""
    return None


def limits(m: ShareReportData) -> Values | None:
    """What the data cannot say."""
    return None
