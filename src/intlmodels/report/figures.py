"""Pictures that the report of every model has, and how a figure becomes a part of a report."""

from __future__ import annotations

from intlmodels.plots import checks, style
from intlmodels.plots.style import Figure
from intlmodels.report.blocks import Picture
from intlmodels.report.data import Material


def picture(name: str, figure: Figure, caption: str, alt: str, failed: bool) -> Picture:
    """A figure, drawn, with its caption and what it says to those who hear it."""
    prefix = "Did not converge. " if failed else ""
    drawn = style.svg(figure)
    printed = style.printed(figure, drawn)
    return Picture(name, caption, prefix + alt, drawn, failed, printed)


def chains(m: Material) -> Picture:
    """Rank histograms of the chains."""
    return picture(
        "chains",
        checks.drawn_chains(m.fit, m.parameters),
        "How the chains share the ranks of all draws, for the parameters with the largest R-hat. "
        "Level lines within the grey band say that the chains agree.",
        "Rank histograms, one line a chain, for the parameters that mixed worst. R-hat and "
        "effective sample sizes of every parameter are in tables/parameters.csv.",
        not m.passed,
    )


def prior_posterior(m: Material) -> Picture:
    """Posterior against prior."""
    return picture(
        "prior-posterior",
        checks.prior_posterior(m.fit),
        "Posterior (blue) against prior (grey) of the parameters, each on its own scale.",
        "Small histograms of prior and posterior of each parameter. The numbers are in the table.",
        not m.passed,
    )
