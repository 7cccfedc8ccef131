"""Time against the number of rows, as a picture."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from bench.context import write_text


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw what section (e) found; both axes are logarithmic."""
    import io

    import matplotlib as mpl
    from matplotlib.figure import Figure

    sizes = [int(size) for size in found["sizes"]]
    of_size = list(found["sizes"].values())
    lines = {
        "bare group-by of DuckDB": (
            [median(r["wall"] for r in s["bare"]) for s in of_size],
            "#767676",
        ),
        "intlmodels reduce": ([median(r["wall"] for r in s["reduce"]) for s in of_size], "#0072b2"),
        "intlmodels fit, from the files": ([s["fit"]["wall"] for s in of_size], "#b35900"),
    }
    with mpl.rc_context({"svg.hashsalt": "bench", "svg.fonttype": "path", "font.size": 9}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for place, (label, (seconds, color)) in enumerate(lines.items()):
            axes.plot(sizes, seconds, marker="os^"[place], color=color, label=label)
        axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds, whole process")
        axes.set_xticks(sizes, [_rows(size) for size in sizes])
        axes.minorticks_off()
        low, high = axes.get_ylim()
        ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if low <= t <= high]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper left", ncols=3, frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    write_text(text.getvalue(), path)


def _rows(size: int) -> str:
    """Powers of ten as such: written out they would not fit beside each other."""
    power = len(str(size)) - 1
    return f"$10^{power}$" if size == 10**power else f"{size:,}"
