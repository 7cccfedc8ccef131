"""What the report of the decay model says, in words, from results that are known."""

from __future__ import annotations

import ast
import re
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import madetrust
from decaytrees import decay_tree, text_of
from intlmodels.checks.stored import NOTHING
from intlmodels.plots import decay as plots
from intlmodels.report import decay, decayfront
from intlmodels.report.pages import Drawing, Figure
from intlmodels.report.render import TEMPLATES, _script, sentences
from intlmodels.results import decay as results
from intlmodels.results.wording import CLEAR

STUDY = SimpleNamespace(firm_label="firm", event="acquisition", flag_label="led by a peer")


def slope(p: float, size: str = "large", error: float = 0.002, **more: Any) -> dict[str, Any]:
    row = {"quantity": "fall", "size": size, "median": 30.0, "ci_low": -5.0, "ci_high": 60.0}
    row |= {"ci_prob": 0.95, "ci_kind": "eti", "p_positive": p, "p_direction": max(p, 1 - p)}
    return row | {"p_error": error, "converged": True} | more


def data_with(*slopes: dict[str, Any], **more: Any) -> Any:
    """What sections take of report data."""
    curves = [
        {"size": row["size"], "entries": k, "median": 60 - 5 * k, "ci_low": 5.0, "ci_high": 95.0}
        for row in slopes
        for k in range(16)
    ]
    own = {"slopes": pd.DataFrame(slopes), "curves": pd.DataFrame(curves), "passed": True}
    own |= {"study": STUDY, "check_results": NOTHING, "has_rivals": False, "texts": {}}
    return SimpleNamespace(**own | more)


def finding(m: Any) -> str:
    """The sentences of the finding."""
    rows = decay.falls(m)
    values = {
        **decay.nouns(m),
        "sizes": {row.size: decayfront._fall(m, row) for row in rows},
        "more": 0,
        "holds": {},
        "rivals": decayfront._beside_rivals(m, rows[0]),
        "influence": next(decayfront._influences(m, rows[0]), None),
        "interval": "95% equal-tailed interval",
        "unit": "count",
        "curves": Drawing("curves", "<svg/>"),
        "medians": "",
        "latent": True,
        "reported": True,
        "numbers": {},
        "impossible": [],
    }
    return text_of("finding", values)


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.999, "declines with experience**, from 60% (5 to 95) at the first acquisition to 35%"),
        (0.999, "A decline has probability 0.999, which is clear."),
        (CLEAR + 0.003, "A decline has probability 0.98, on the edge of clear."),
        (CLEAR - 0.003, "A decline has probability 0.97, on the edge of clear."),
        (0.93, "A decline has probability 0.93, to which the data are leaning."),
        (0.904, "A decline has probability 0.90, on the edge of leaning."),
        (0.6, "**Among large firms the data do not decide**: the probability that an"),
        (0.6, "A decline has probability 0.60."),
        (0.13, "A decline has probability 0.13; if anything, there is a rise."),
        (0.001, "rises with experience**"),
        (0.07, "A rise has probability 0.93, to which the data are leaning."),
    ],
)
def test_a_decline_is_stated_as_surely_as_it_is(p: float, said: str) -> None:
    assert said in finding(data_with(slope(p)))


def test_the_clearest_size_comes_first_and_counts_that_matter_are_named() -> None:
    found = madetrust.influence({"M1": 0.6, "M2": 0.97}, base=0.98, unit="count")
    name = results.fall_of("large")
    moved = tuple(SimpleNamespace(**{**vars(row), "quantity": name}) for row in found.moved)
    found = SimpleNamespace(**{**vars(found), "moved": moved})
    checks = madetrust.trust(influence=found)
    m = data_with(slope(0.3, "other"), slope(0.98), check_results=checks, texts={"M1": "deals"})
    text = finding(m)
    assert text.index("large firms") < text.index("other firms")
    assert (
        "rests on few data.** A decline has probability 0.60 without the count of deals (M1)."
        in (text)
    )
    assert "M2" not in text


def test_a_decline_beside_its_rivals_is_a_range() -> None:
    rows = [("default", 0.98), ("sold", 0.95), ("period", 0.97)]
    table = pd.DataFrame(
        [{"variant": v, "size": "large", "p_positive": p, "converged": True} for v, p in rows]
    )
    names = {"sold": "foreign owners", "period": "calendar time", "missed": "missed decisions"}
    m = data_with(slope(0.98), has_rivals=True, rivals=table, rival_names=names)
    assert (
        "With foreign owners or calendar time in the model, a decline among large firms has "
        "probability 0.95 to 0.97." in finding(m)
    )


@pytest.mark.parametrize(
    ("taken", "p", "said"),
    [(0.3, 0.98, "30%"), (-0.25, 0.98, "\N{MINUS SIGN}25%"), (0.3, 0.7, "\N{EN DASH}")],
)
def test_what_a_rival_takes_over_is_a_part_of_a_decline(taken: float, p: float, said: str) -> None:
    rows = [("default", p, 0.0), ("rival", 0.95, taken)]
    columns = ["variant", "p_positive", "taken_over"]
    table = pd.DataFrame(rows, columns=columns).assign(size="large", converged=True)
    default, rival = table.itertuples(index=False)
    assert decay.taken_over(rival, table) == said
    assert decay.taken_over(default, table) == "\N{EN DASH}"


# -- cells and reach -----------------------------------------------------------------------


def test_late_exceptions_are_given_to_those_who_made_them() -> None:
    cells = pd.DataFrame(
        [
            ("large", "early", 4.0, 3.0),
            ("large", "late", 6.4, 0.5),
            ("other", "early", 7.0, 5.0),
            ("other", "late", 4.6, 4.5),
        ],
        columns=["name", "period", "decisions_mean", "flagged_mean"],
    )
    ends = {f"{what}_{end}": 1.0 for what in ("decisions", "flagged") for end in ("low", "high")}
    m = data_with(slope(0.98), flags_by_period=cells.assign(**ends), latent=True)
    values = {
        **decay.nouns(m),
        "periods": decayfront.over_periods(m),
        "rivals": (),
        "checked": False,
        "unfitted": "",
        "consistent": False,
    }
    text = text_of("reasons", values)
    assert (
        "Among large firms, 3.0 of 4.0 expected acquisitions are led by a peer in the first period "
        "(early) and 0.5 of 6.4 in the last (late); among other firms, 5.0 of 7.0 and 4.5 of 4.6. "
        "In the last period, large firms account for 5.9 of the 6.0 expected acquisitions that are "
        "not led by a peer." in text
    )
    one = data_with(slope(0.98), flags_by_period=cells[cells["period"] == "late"])
    assert decayfront.over_periods(one) == {}


def reach(monkeypatch: pytest.MonkeyPatch, first: Any, second: Any, **allowed: float) -> Any:
    """By the numbers of decisions with 0, 1, ... earlier ones."""
    rows = [
        {"size": size, "entries": i, "decisions": number}
        for size, numbers in (("large", first), ("other", second))
        for i, number in enumerate(numbers)
    ]
    monkeypatch.setattr(plots, "decisions_at", lambda fit: pd.DataFrame(rows))
    return decayfront._reach(data_with(slope(0.5), fit=None, allowed=allowed))


def test_a_curve_beyond_what_any_firm_can_have_is_an_extrapolation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = [3, 3, 2, 2, 1, 1.5, 0.5], [9, 4, 2, 0.5, 0, 0, 0]
    found = reach(monkeypatch, *counts, large=15, other=3)
    assert found["beyond"] == [{"group": "other firms", "most": "3", "expected": "0.0"}]
    assert found["within"] == [{"group": "large firms", "most": "15", "expected": "2.0"}]
    known = reach(monkeypatch, [3, 3, 2, 2, 1, 1, 1], [9, 4, 2, 1, 0, 0, 0])
    assert [one["group"] for one in known["beyond"]] == ["other firms"]
    assert known["within"] == []
    assert reach(monkeypatch, [2] * 7, [2] * 7) == {"beyond": [], "within": []}


def test_the_clearest_difference_between_sizes_is_named() -> None:
    falls = [slope(0.9, size) for size in ("large", "mid", "small")]
    pairs = [("large - mid", 0.6), ("large - small", 0.99), ("mid - small", 0.02)]
    m = data_with(*falls, *(slope(p, size, quantity="decay") for size, p in pairs))
    found = decayfront._between_sizes(m)
    assert (found["first"], found["second"]) == ("large firms", "small firms")
    assert (found["pairs"], found["clear"]) == (3, "2")
    assert decayfront._between_sizes(data_with(slope(0.9, "all"))) == {}


# -- the data ------------------------------------------------------------------------------


def test_counts_that_contradict_each_other_are_told_in_words() -> None:
    change = {"id": "M1", "text": "deals after 2008", "printed": "5", "value": "6"}
    other = {**change, "id": "M2", "text": "", "value": "4"}
    found = {
        "contradictions": 2,
        "common": "M1",
        "counts": "7",
        "least": "1",
        "cost": "1",
        "cheapest": [{"cost": "1", "changes": [change]}, {"cost": "1", "changes": [other]}],
    }
    (text,) = sentences("decay/conflict.md.j2", found)
    assert text == (
        "The 7 published counts cannot all be true: they contain 2 minimal contradictions. At "
        "least 1 must be wrong, by 1 in all; the cheapest repairs change deals after 2008 from 5 "
        "to 6 (M1); or M2 from 5 to 4. Each contradiction contains M1."
    )
    (text,) = sentences("decay/conflict.md.j2", {"contradictions": 0, "counts": "7"})
    assert text == "All 7 published counts can be true together."


def test_known_decisions_are_reported_as_they_are() -> None:
    fit = decay_tree(known=True)
    table = results.reported(fit)
    constant = fit["constant_data"].to_dataset()
    assert table["decisions"].sum() == constant.sizes["decision"]
    first = table[(table["size"] == "large") & (table["entries"] == 0)].iloc[0]
    assert (first["flagged"], first["decisions"]) == (2, 2)
    # The two large firms made five and four decisions, of which three and two are flagged.
    assert table.loc[table["size"] == "large", "flagged"].sum() == 5


def test_a_failed_fit_marks_every_statement() -> None:
    m = data_with(slope(0.999))
    values = {"sizes": {}, "more": 0, "holds": {}, "rivals": {}, "influence": None}
    values |= {"interval": "95% equal-tailed interval"}
    values |= {"curves": Drawing("curves", "<svg/>"), "medians": "", "latent": True}
    values |= {"reported": False, "unit": "count", "numbers": {}, **decay.nouns(m)}
    values["impossible"] = [
        {"flagged": "5", "decisions": "4", "group": "other firms", "periods": "late"}
    ]
    values["sizes"] = {"large": decayfront._fall(m, decay.falls(m)[0])}
    assert "- **Did not converge, not to be quoted:** **Among large" in (
        text := text_of("finding", values, passed=False)
    )
    assert (
        "Not shown: other firms, late, for whom the counts, which contradict each other, " in text
    )


def test_code_of_figures_runs_as_it_stands() -> None:
    folder = TEMPLATES / "decay"
    found = [
        (figure[1] or figure[2])
        for path in sorted(folder.glob("*.j2"))
        for figure in re.finditer(r"code=(?:\"([^\"]+)\"|'([^']+)')", path.read_text("utf-8"))
    ]
    assert len(found) >= 7
    drawing = Drawing("one", "<svg/>")
    figures = [Figure(f"Figure {i}", drawing, "", False, own) for i, own in enumerate(found)]
    script = _script(figures, "norway")
    tree = list(ast.walk(ast.parse(script)))
    assert {node.id for node in tree if isinstance(node, ast.Name)} == {"im", "fit"}
    assert not any(isinstance(node, ast.Constant) and node.value is ... for node in tree)
    assert "# Figure 0\n" in script
