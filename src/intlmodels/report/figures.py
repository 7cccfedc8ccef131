"""Pictures that the report of every model has, and how a figure becomes a part of a report."""

from __future__ import annotations

from intlmodels import plotchecks, plotpage, plotstyle
from intlmodels.plotstyle import Figure
from intlmodels.report.blocks import Picture
from intlmodels.report.material import Material


def picture(name: str, figure: Figure, caption: str, alt: str, failed: bool) -> Picture:
    """A figure, drawn, with its caption and what it says to those who hear it."""
    prefix = "Did not converge. " if failed else ""
    drawn = plotstyle.svg(figure)
    printed = plotpage.printed(figure, drawn)
    return Picture(name, caption, prefix + alt, drawn, failed, printed)


def chains(m: Material) -> Picture:
    """Rank histograms of the chains."""
    return picture(
        "chains",
        plotchecks.drawn_chains(m.fit, m.parameters),
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
        plotchecks.prior_posterior(m.fit),
        "Posterior (blue) against prior (grey) of the parameters, each on its own scale.",
        "Small histograms of prior and posterior of each parameter. The numbers are in the table.",
        not m.passed,
    )
