"""Sections of the main report of the decay model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from intlmodels.checks import tables
from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import on_the_edge
from intlmodels.models.decay.estimands import FALL_AFTER, pairs_of
from intlmodels.plots import decay as plots
from intlmodels.report import decay as appendix
from intlmodels.report import front
from intlmodels.report.checkvalues import omitted
from intlmodels.report.data import DecayReportData
from intlmodels.report.pages import Values
from intlmodels.report.rows import Rows
from intlmodels.report.sections import drawing
from intlmodels.results import decay as results
from intlmodels.results.decay import group_name
from intlmodels.results.wording import CLEAR, LEANING, verdict, verdict_on

#: From so many words on, only the beginning of each limitation is in the main report.
MOST_WORDS = 250
#: What leaving something out may do to a result, at most so many times.
MOST_INFLUENTIAL = 4
#: From this probability on a direction that the data do not decide is named.
RATHER = 0.75


# -- the finding -------------------------------------------------------------------------


def finding(m: DecayReportData) -> Values:
    """The finding in three sentences, and the figure that shows it."""
    falls = appendix.falls(m)
    directed, holds, key = falls[0].p_direction >= LEANING, front.holds(m), m.key_contrast
    same = key is not None and key.name == results.fall_of(falls[0].size)
    return {
        **appendix.nouns(m),
        "firms": m.firms,
        "numbers": {size: f"{n:,}" for size, n in appendix.firms_by_size(m).items()}
        if len(falls) > 1
        else {},
        "sizes": {row.size: _fall(m, row) for row in falls[: appendix.MOST_SIZES]},
        "more": len(falls) - appendix.MOST_SIZES if len(falls) > appendix.MOST_SIZES else 0,
        "holds": {"size": falls[0].size, **holds} if same and holds else {},
        "rivals": _beside_rivals(m, falls[0]) if directed else {},
        "influence": next(_influences(m, falls[0]), None) if directed else None,
        "interval": f.interval_name(m.prob),
        "unit": "count" if m.latent else m.study.firm_label,
        "curves": drawing("curves", plots.curves(m.fit, m.prob, note=False)),
        "medians": "; ".join(
            f"{row.size}, {row.entries}: {f.percent(row.median)}"
            for row in m.curves.itertuples(index=False)
            if row.entries in (0, FALL_AFTER)
        ),
        "latent": m.latent,
        **_as_reported(m),
    }


def _as_reported(m: DecayReportData) -> Values:
    """Whether points stand for what was reported, and those that cannot be drawn."""
    table = results.reported(m.fit)
    wrong = table[table["flagged"] > table["decisions"]]
    return {
        "reported": len(table) > len(wrong),
        "impossible": [
            {
                "flagged": str(row.flagged),
                "decisions": str(row.decisions),
                "group": group_name(row.size, m.study.firm_label),
                "periods": row.periods,
            }
            for row in wrong.itertuples(index=False)
        ],
    }


def _fall(m: DecayReportData, row: Any) -> Values:
    """How the probability changes among firms of one size, and how sure that is."""
    own = m.curves[m.curves["size"] == row.size]
    first, later = (
        appendix.percent(next(own[own["entries"] == at].itertuples(index=False)))
        for at in (0, FALL_AFTER)
    )
    known = verdict(row.p_direction)
    near = [
        limit for limit in (CLEAR, LEANING) if on_the_edge(row.p_direction, row.p_error, (limit,))
    ]
    return {
        "group": group_name(row.size, m.study.firm_label),
        "first": first,
        "later": later,
        "probability": f.probability(row.p_positive),
        "likelier": f.probability(row.p_direction),
        "verdict": known if known in ("clear", "leaning") else "undecided",
        "edge": bool(near),
        "limit": "clear" if near[:1] == [CLEAR] else "leaning",
        "rises": row.p_positive < 0.5,
        "rather": row.p_direction >= RATHER,
    }


def _beside_rivals(m: DecayReportData, fall: Any) -> Values:
    """Probability of a decline beside the rivals that are fitted; empty where none is."""
    if not m.has_rivals:
        return {}
    table, names = m.rivals, m.rival_names
    own = table[table["variant"].isin(list(names)) & table["converged"].astype(bool)]
    own = own[own["size"] == fall.size]
    if not len(own):
        return {}
    return {
        "names": f.listed([names[variant] for variant in own["variant"]], "or"),
        "low": f.probability(own["p_positive"].min()),
        "high": f.probability(own["p_positive"].max()),
        "group": group_name(fall.size, m.study.firm_label),
    }


def _influences(m: DecayReportData, fall: Any) -> Iterator[Values]:
    """Without what the verdict on a fall would be another one, the farthest from it first."""
    found = m.check_results.influence.value
    if found is None:
        return
    table = tables.influences(found)
    table = table[(table["name"] == results.fall_of(fall.size)) & table["changed"]]
    table = table[table["kind"] != "subset"]  # several counts, each of which is there itself
    order = table["move"].abs().sort_values(ascending=False, kind="stable").index
    for row in table.loc[order].itertuples(index=False):
        likelier = max(row.probability, 1 - row.probability)
        turned = (row.probability < 0.5) != (row.base < 0.5)
        text = m.texts.get(row.left_out, "")
        yield {
            "kind": row.kind,
            "left_out": omitted(row.left_out),
            "text": text,
            "probability": f.probability(row.probability),
            "verdict": verdict(likelier) + ", to the other side" * (turned and likelier >= LEANING),
        }


# -- the data ----------------------------------------------------------------------------


def data(m: DecayReportData) -> Values:
    """The data on one page."""
    study = m.study
    values = {
        **appendix.nouns(m),
        "total": f"{study.total:,}",
        "firms": m.firms,
        "latent": m.latent,
        "register": m.register is not None,
        "by_period": study.decisions is not None and study.decisions.by_period and not m.latent,
    }
    if not m.latent:
        return {**values, "rows": _known(m)}
    counts = appendix.count_rows(m)
    return {
        **values,
        **appendix.conflicts(m),
        "hard": sum(count.hard for count in study.counts),
        "wrong": [row.values for row in counts if row.held < 1 - CLEAR],
        "rows": [row.cells for row in counts if row.held < CLEAR],
        "safe": f"{CLEAR:g}",
    }


def _known(m: DecayReportData) -> Rows:
    """By size: firms, decisions, those with the flag, the longest sequence."""
    table, firms = results.reported(m.fit), appendix.firms_by_size(m)
    rows = []
    for size, own in table.groupby("size", sort=False):
        made, flagged = int(own["decisions"].sum()), int(own["flagged"].sum())
        part = f.percent(100 * flagged / made)
        longest = int(own["entries"].max()) + 1
        name = group_name(str(size), m.study.firm_label)
        rows.append(
            (name, f"{firms[str(size)]:,}", f"{made:,}", f"{flagged:,}", part, str(longest))
        )
    return tuple(rows)


# -- estimates ---------------------------------------------------------------------------


def estimates(m: DecayReportData) -> Values:
    """Levels, falls and what is to be said of them."""
    firm = m.study.firm_label
    by_size = {row.size: row for row in appendix.falls(m)}
    rows = []
    for size in dict.fromkeys(m.curves["size"]):
        told, row = _fall(m, by_size[size]), by_size[size]
        digits = appendix.decimals(row.ci_low, row.ci_high, 0)
        points = f"{f.number(row.median, digits)} ({f.span(row.ci_low, row.ci_high, digits)})"
        said = f"{told['probability']}, {verdict_on(row)}"
        rows.append((told["group"], told["first"], told["later"], points, said))
    return {
        **appendix.nouns(m),
        "rows": rows,
        "interval": f.interval_name(m.prob),
        "latent": m.latent,
        "terms": bool(m.design.terms),
        "between": _between_sizes(m),
        "halving": appendix.halving(m),
        "reach": _reach(m),
        "typical": f"typical {firm}",
    }


def _between_sizes(m: DecayReportData) -> Values:
    """The pair of sizes between which experience differs most surely; empty for one size."""
    slopes = m.slopes
    sizes = slopes.loc[slopes["quantity"] == "fall", "size"]
    pairs = dict(zip(pairs_of([*sizes]), combinations(sizes, 2), strict=True))
    rows = slopes[slopes["size"].isin([*pairs])].sort_values("p_direction", ascending=False)
    for row in rows.itertuples(index=False):
        first, second = (group_name(size, m.study.firm_label) for size in pairs[row.size])
        digits = appendix.decimals(row.ci_low, row.ci_high, 2)
        return {
            "first": first,
            "second": second,
            "probability": f.probability(row.p_positive),
            "verdict": verdict_on(row),
            "median": f.number(row.median, digits),
            "interval": f.span(row.ci_low, row.ci_high, digits),
            "pairs": len(rows),
            "clear": str(int((rows["p_direction"] >= CLEAR).sum()) or "none"),
        }
    return {}


def _reach(m: DecayReportData) -> Values:
    """Sizes for which the curves are read beyond the data, and how much there is for others.

    Where all decisions are known, nothing is said of sizes with decisions there.
    """
    decisions, allowed = plots.decisions_at(m.fit), m.allowed
    later = decisions[decisions["entries"] >= FALL_AFTER].groupby("size", sort=False)["decisions"]
    there = {str(size): float(number) for size, number in later.sum().items()}
    last = decisions[decisions["decisions"] > 0].groupby("size")["entries"].max()
    most = {size: allowed.get(size, float(last.get(size, 0))) for size in there}
    beyond = [size for size in there if there[size] < 1 or most[size] < FALL_AFTER]

    def named(size: str) -> Values:
        return {
            "group": group_name(size, m.study.firm_label),
            "most": f.number(most[size], 0),
            "expected": f.number(there[size], 1),
        }

    inner = [size for size in there if size not in beyond] if allowed else []
    return {"beyond": [named(size) for size in beyond], "within": [named(size) for size in inner]}


# -- why ---------------------------------------------------------------------------------


def reasons(m: DecayReportData) -> Values | None:
    """The cells behind the decline, its rivals, and what it rests on."""
    fall = appendix.falls(m)[0]
    influences = list(_influences(m, fall))
    found: Values = {
        "periods": over_periods(m) if m.latent else {},
        "rivals": _rival_rows(m, fall) if m.has_rivals else (),
        "influence": influences[:MOST_INFLUENTIAL],
    }
    checked = m.check_results.influence.value is not None
    if not any(found.values()) and not checked:
        return None
    unfitted = [name for variant, name in m.rival_names.items() if variant not in m.variants]
    return {
        **appendix.nouns(m),
        **found,
        "unfitted": f.listed(unfitted),
        "checked": checked,
        "unit": "count" if m.latent else m.study.firm_label,
        "group": group_name(fall.size, m.study.firm_label),
        "probability": f.probability(fall.p_positive),
        "consistent": m.latent and m.audit.consistent,
    }


def over_periods(m: DecayReportData) -> Values:
    """What changes from the first period to the last, by size, and whose the late exceptions are.

    Empty where there is only one period.
    """
    table, firm = m.flags_by_period, m.study.firm_label
    periods, sizes = (list(dict.fromkeys(table[name])) for name in ("period", "name"))
    if len(periods) < 2:
        return {}
    at = table.set_index(["name", "period"])

    def part(size: str, period: str) -> str:
        row = at.loc[(size, period)]
        return f"{row['flagged_mean']:.1f} of {row['decisions_mean']:.1f}"

    late = table[table["period"] == periods[-1]]
    without = (late["decisions_mean"] - late["flagged_mean"]).to_numpy()
    most = sizes[int(without.argmax())]
    return {
        "first": periods[0],
        "last": periods[-1],
        "sizes": {
            size: {
                "group": group_name(size, firm),
                "early": part(size, periods[0]),
                "late": part(size, periods[-1]),
            }
            for size in sizes
        },
        "several": len(sizes) > 1,
        "exceptions": f"{without.sum():.1f}",
        "theirs": f"{without.max():.1f}",
        "most": group_name(most, firm),
        "rows": [
            (
                row.name,
                row.period,
                f.number(row.flagged_mean, 1),
                appendix.bound(row.flagged_low, row.flagged_high),
                f.number(row.decisions_mean, 1),
                appendix.bound(row.decisions_low, row.decisions_high),
            )
            for row in table.itertuples(index=False)
        ],
    }


def _rival_rows(m: DecayReportData, fall: Any) -> Rows:
    """What is set beside experience, and what is left of the decline among firms of one size."""
    own, default = m.rivals[m.rivals["size"] == fall.size], next(iter(m.explanations))
    rows = []
    for row in own[own["variant"].isin([default, *m.rival_names])].itertuples(index=False):
        said = f"{f.probability(row.p_positive)}, {verdict_on(row)}"
        said = said if row.converged else "did not converge"
        left = appendix.taken_over(row, own)
        rows.append((row.explanation, appendix.median_and_span(row), said, left))
    return tuple(rows)


# -- limits ------------------------------------------------------------------------------

#: The first sentence of a text, and more until they say something.
_SENTENCE = re.compile(r"(?:\S+\s+){14}.*?[.!?](?=\s+[A-Z'\"]|$)", re.DOTALL)


def limits(m: DecayReportData) -> Values:
    """What the data cannot say."""
    said = list(m.study.limits)
    short = sum(len(text.split()) for text in said) > MOST_WORDS
    if short:
        said = [found[0] if (found := _SENTENCE.match(text)) else text for text in said]
    return {**appendix.computed_limits(m), "said": said, "short": short}
