"""How a fit shows itself in a notebook: what was found, whether it converged, what to ask next."""

from __future__ import annotations

from html import escape

import pandas as pd
from xarray import DataTree

from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import Gate
from intlmodels.models.decay.estimands import FALL_AFTER
from intlmodels.results import decay as decay_results
from intlmodels.results import share as share_results

#: What to call next, by model.
_NEXT = {
    "decay": "im.differences(fit)  im.plots.curves(fit)  im.parameter_table(fit)",
    "share": "im.estimates(fit)  im.differences(fit)  im.plots.estimates(fit)",
}


class Fit(DataTree):  # type: ignore[no-untyped-call]
    """A fit as a notebook shows it; in all else the tree that it is."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        decay = self.attrs["model"] in ("decay", "sequences")
        sizes = self["posterior"].to_dataset().sizes
        tree = super()._repr_html_()  # type: ignore[no-untyped-call]
        name = escape(f"{self.attrs['study']}, variant {self.attrs['variant']}")
        return (
            f"<p><strong>{name}</strong>: {sizes['chain']} chains of {sizes['draw']:,} draws</p>"
            f"{Gate.from_json(self.attrs['gate'])._repr_html_()}{_clearest(self, decay)}"
            f"<p>Next: <code>{_NEXT['decay' if decay else 'share']}</code></p>"
            f"<details><summary>groups and variables</summary>{tree}</details>"
        )


def as_shown(tree: DataTree) -> Fit:
    """The same tree, as a notebook shows it."""
    tree.__class__ = Fit
    assert isinstance(tree, Fit)
    return tree


def _clearest(fit: DataTree, decay: bool, most: int = 3) -> str:
    """The differences whose direction is the clearest; of decisions how far the flag falls."""
    if decay:
        found = decay_results.slopes(fit)
        found = found[found["quantity"] == "fall"]
        found["what"] = f"fall of the probability after {FALL_AFTER} entries, " + (
            found["size"] + " firms"
        )
    else:
        found = share_results.differences(fit)
        found["what"] = found["label"] + ": " + found["level"] + " against " + found["against"]
    found = found.nlargest(most, "p_direction")
    if found.empty:
        return ""
    columns = {
        "percentage points": found["median"].map(f.number),
        "95% interval": [
            f.span(*ends) for ends in zip(found["ci_low"], found["ci_high"], strict=True)
        ],
        "probability of direction": found["p_direction"].map(f.probability),
    }
    table = pd.DataFrame(columns).set_axis(found["what"].rename(None))
    return str(table.to_html(border=0))
