"""Claims: reading them, and what each rule makes of draws whose answer is known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from decaystudies import PERIODS, write_counts_study, write_decisions_study
from intlmodels.claims import ledger
from intlmodels.claims.ledger import finding_text
from intlmodels.core.errors import StudyError
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import Gate, Result
from intlmodels.fitting.jobs import settings_of
from intlmodels.models import priors_of
from intlmodels.report import claims as section
from intlmodels.report.data import DecayReportData
from intlmodels.report.registry import REPORTS, Frame, render
from intlmodels.results.intervals import converged
from intlmodels.results.wording import CLEAR, LEANING, LIMITS
from intlmodels.studies import DecayStudy, claims, describe, load_study
from intlmodels.studies.claims import Claim, Part
from intlmodels.studies.counts import FLAGS
from intlmodels.studies.fitrules import RULES

SIZES = ("large", "other")


def block(keys: str, name: str = "C1", text: str = "It is so") -> str:
    return f'[[claims]]\nid = "{name}"\ntext = "{text}"\n{keys}\n'


def study_with(folder: Path, *keys: str, **more: Any) -> DecayStudy:
    """A study of counts with one claim for each text of keys."""
    text = "".join(block(one, f"C{i}") for i, one in enumerate(keys, start=1))
    study = load_study(write_counts_study(folder, toml=text, **more))
    assert isinstance(study, DecayStudy)
    return study


def known_with(folder: Path, *keys: str, **more: Any) -> DecayStudy:
    text = "".join(block(one, f"C{i}") for i, one in enumerate(keys, start=1))
    extra = {"periods": PERIODS, "starts": [2000], "sizes": ["large", "other", "other"]}
    study = load_study(write_decisions_study(folder, toml=text, **{**extra, **more}))
    assert isinstance(study, DecayStudy)
    return study


# -- reading -----------------------------------------------------------------------------


def test_a_study_need_not_have_claims(tmp_path: Path) -> None:
    study = study_with(tmp_path)
    assert study.claims == ()
    assert "claims" not in describe(study)


def test_every_rule_is_read(tmp_path: Path) -> None:
    study = study_with(
        tmp_path,
        'rule = "sum"\ncounts = ["early-yes", " large "]\ntotal = "all"\nwhere = "p.  3"',
        'rule = "share"\npart = "yes"\nwhole = "all"\nleast = 50',
        'rule = "falls"',
        'rule = "falls more"\nsize = "other"',
        'rule = "higher share"\na = {periods = ["late", "early"]}\nb = {size = "large"}',
        'rule = "none"\na = {size = "large", periods = ["late"]}',
        'rule = "cannot"\nwhy = "No dates"',
    )
    first, second, third, fourth, fifth, sixth, last = study.claims
    assert first == Claim(
        "C1",
        "It is so",
        RULES["sum"],
        {"counts": ("early-yes", "large"), "total": ("all",)},
        where="p. 3",
        kind="arithmetic",
    )
    assert second.terms == {"part": ("yes",), "whole": ("all",), "least": 50.0}
    assert (third.terms, fourth.terms) == ({}, {"size": "other"})
    # What is left out is not restricted, so that a is all decisions.
    assert fifth.terms == {"a": Part("", PERIODS), "b": Part("large", PERIODS)}
    assert sixth.terms["a"] == Part("large", ("late",))
    assert last.terms == {"why": "No dates"}
    assert "claims: C1, C2, C3, C4, C5, C6, C7" in describe(study)


SUM = 'rule = "sum"\ncounts = {}\ntotal = {}'


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("", "rule: key is missing; expected it, one of 'sum', 'at most'"),
        ('rule = "fall"', "found 'fall'; expected one of 'sum'"),
        ('rule = "fall"', "did you mean 'falls'?"),
        ("rule = 3", "rule: found 3; expected text"),
        ('rule = "sum"\ncounts = ["all"]', "number 1, total: key is missing"),
        ('rule = "share"\npart = "all"', "whole: key is missing"),
        ('rule = "falls more"', "size: key is missing; expected it"),
        ('rule = "none"', "a: key is missing"),
        ('rule = "higher share"\na = {}', "b: key is missing"),
        ('rule = "cannot"', "why: key is missing"),
        ('rule = "cannot"\nwhy = " "', "why: expected text that is not blank"),
        ('rule = "falls"\nwhy = "x"', "unknown key; it belongs to the rule 'cannot'"),
        ('rule = "falls"\nverdict = "supported"', "verdict: unknown key"),
        (
            SUM.format('["all", "alll"]', '"yes"'),
            "found 'alll'; expected the id of a count or number (did",
        ),
        (
            SUM.format('["yes"]', '"nowhere"'),
            "total: found 'nowhere'; expected the id of a count or number",
        ),
        (SUM.format("[]", '"yes"'), "counts: found []; expected at least one"),
        (SUM.format('["yes", "yes"]', '"all"'), "expected everything once"),
        (SUM.format('["yes"]', '["yes"]'), "expected a number on one side only"),
        (SUM.format('["some"]', '"all"'), "this count says 'each of several firms'"),
        (SUM.format('["yes"]', "3"), "total: found 3; expected a list of texts"),
        ('rule = "share"\npart = "yes"\nwhole = "all"', "least: key is missing"),
        (
            'rule = "share"\npart = "yes"\nwhole = "all"\nleast = 60\nmost = 50',
            "most: found 50.0; expected at least 60, the lower limit",
        ),
        (
            'rule = "share"\npart = "yes"\nwhole = "all"\nmost = 101',
            "expected a finite number from 0 to 100",
        ),
        (
            'rule = "share"\npart = "yes"\nwhole = "large-late"\nmost = 10',
            "whole: found 'large-late'; expected numbers that come to more than zero",
        ),
        (
            'rule = "falls"\nsize = "large"\nsizes = "average"',
            "sizes: found 'average'; cannot be combined with size",
        ),
        ('rule = "falls"\norigin = "us"', "origin: found 'us'; expected one of 'paper', 'ours'"),
        ('rule = "falls"\nsize = "small"', "found 'small'; expected one of 'large', 'other'"),
        ('rule = "none"\na = "late"', "a: found 'late'; expected which decisions"),
        ('rule = "none"\na = {period = ["late"]}', "a period: unknown key (did you mean"),
        (
            'rule = "none"\na = {periods = ["lat"]}',
            "found 'lat'; expected a period, one of 'early'",
        ),
        ('rule = "none"\na = {periods = ["late", "late"]}', "expected every period once"),
        ('rule = "none"\na = {periods = []}', "expected at least one period"),
        ('rule = "none"\na = {size = "big"}', "a size: found 'big'; expected one of"),
        (
            'rule = "higher share"\na = {periods = ["early", "late"]}\nb = {}',
            "b: expected other decisions than in a",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        study_with(tmp_path, keys)
    text = str(caught.value)
    assert text.startswith("study.toml, key [[claims]] number 1")
    assert said in text
    assert text.isprintable()


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[claims]\nid = 'C1'", "key [[claims]]: found {'id': 'C1'}; expected tables, each below"),
        ("[[claims]]\nid = 'C1'\nrule = 'falls'", "number 1, text: key is missing"),
        (block('rule = "falls"') * 2, "number 2, id: found 'C1'; number 1 has this id"),
        (block('rule = "falls"', text=" "), "number 1, text: expected text that is not blank"),
    ],
)
def test_tables_of_claims(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write_counts_study(tmp_path, toml=toml))
    assert said in str(caught.value)


@pytest.mark.parametrize("value", ["3", '["C1"]'])
def test_claims_that_are_no_tables(tmp_path: Path, value: str) -> None:
    path = write_counts_study(tmp_path) / "study.toml"
    path.write_text(f"claims = {value}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(StudyError, match=r"claims.*expected"):
        load_study(tmp_path)


@pytest.mark.parametrize(
    "keys", ['rule = "falls more"\nsize = "large"', 'rule = "none"\na = {size = "other"}']
)
def test_sizes_need_firms_of_both(tmp_path: Path, keys: str) -> None:
    counts = [{"id": "all", "value": 6, "status": "hard"}]
    with pytest.raises(StudyError, match="all firms of this study are of one size"):
        study_with(tmp_path, keys, sizes=None, counts=counts)


def test_sums_and_shares_need_counts(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"reads printed numbers; expected a table \[counts\]"):
        known_with(tmp_path, SUM.format('["a"]', '"b"'))


def test_claims_are_not_part_of_the_fit(tmp_path: Path) -> None:
    one = study_with(tmp_path / "one", 'rule = "falls"')
    other = study_with(tmp_path / "other", 'rule = "cannot"\nwhy = "No dates"')
    prints = [
        store.fingerprint(study, "default", priors_of(study, "default"), settings_of(study))
        for study in (one, other)
    ]
    assert prints[0] == prints[1]


# -- facts in printed counts ---------------------------------------------------------------


def fit_of(
    cells: Any = None, decay: Any = None, *, fails: bool = False, sizes: tuple[str, ...] = SIZES
) -> xr.DataTree:
    """A fit of which only what claims look at is there: 2 chains.

    ``cells`` is (draw, size, period, flag), ``decay`` (draw, size); half of the draws go to
    each chain.
    """
    decay = np.asarray([[0.5] * len(sizes)] * 200 if decay is None else decay, float)
    shape = (2, len(decay) // 2)
    found: dict[str, Any] = {
        "halvings": (("chain", "draw", "size"), (decay / np.log(2)).reshape(*shape, -1)),
        # Any increasing function of the decay will do here.
        "fall": (("chain", "draw", "size"), (100 * np.tanh(decay)).reshape(*shape, -1)),
    }
    coords: dict[str, Any] = {"size": list(sizes)}
    if cells is not None:
        cells = np.asarray(cells, float)
        dims = ("chain", "draw", "size", "period_level", "flag")
        found["group_cell"] = (dims, cells.reshape(*shape, *cells.shape[1:]))
        coords |= {"period_level": list(PERIODS), "flag": list(FLAGS)}
    posterior = xr.Dataset({"table": 0} if cells is not None else {"intercept": 0})
    tree = xr.DataTree.from_dict({"estimands": xr.Dataset(found, coords), "posterior": posterior})
    outcome: Any = "failed" if fails else "passed"
    tree.attrs["gate"] = Gate((Result("rhat", "", "", 1, 2, "", outcome, ""),)).to_json()
    return tree


def only(study: DecayStudy, fit: xr.DataTree) -> Any:
    (row,) = ledger.evaluate(study, {"default": fit}).itertuples(index=False)
    return row


@pytest.mark.parametrize(
    ("counts", "total", "verdict", "numbers"),
    [
        ('["early-yes", "large"]', '"all"', claims.HOLDS, "3 + 3 = 6, against 6"),
        ('["early", "large"]', '"all"', claims.CONTRADICTED, "4 + 3 = 7, against 6"),
        ('["yes"]', '["early"]', claims.HOLDS, "4, against 4"),
        ('["all", "large-late"]', '["early-yes", "large"]', claims.HOLDS, "against 3 + 3 = 6"),
    ],
)
def test_sums(tmp_path: Path, counts: str, total: str, verdict: str, numbers: str) -> None:
    row = only(study_with(tmp_path, SUM.format(counts, total)), fit_of())
    assert row.verdict == verdict.format("counts")
    assert numbers in row.numbers
    assert np.isnan(row.probability)
    assert row.effect_unit == "decisions"
    assert row.converged


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ("least = 60\nmost = 70", claims.HOLDS),
        ("least = 67", claims.CONTRADICTED),
        ("most = 66", claims.CONTRADICTED),
        ("most = 67", claims.HOLDS),
    ],
)
def test_shares(tmp_path: Path, limits: str, verdict: str) -> None:
    keys = f'rule = "share"\npart = "yes"\nwhole = "all"\n{limits}'
    row = only(study_with(tmp_path, keys), fit_of())
    assert row.verdict == verdict.format("counts")
    assert row.effect_median == pytest.approx(100 * 4 / 6)
    assert "4 of 6" in row.numbers


def test_what_cannot_be_checked_says_why(tmp_path: Path) -> None:
    row = only(study_with(tmp_path, 'rule = "cannot"\nwhy = "No dates"'), fit_of(fails=True))
    assert (row.verdict, row.numbers, row.converged) == (claims.CANNOT, "No dates", True)


# -- verdicts from draws -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [
        (1.0, "supported"),
        (CLEAR, "supported"),
        (CLEAR - 0.001, "leaning"),
        (LEANING, "leaning"),
        (LEANING - 0.001, "undecided"),
        (0.101, "undecided"),
        (0.1, "leaning against"),
        (0.026, "leaning against"),
        (0.025, "contradicted by the model"),
        (0.0, "contradicted by the model"),
    ],
)
def test_thresholds(probability: float, verdict: str) -> None:
    assert ledger.verdict_of(probability) == verdict


@pytest.mark.parametrize("limit", LIMITS)
def test_verdicts_are_on_the_edge_within_three_errors_of_any_limit(limit: float) -> None:
    for side in (-1, 1):
        near, far = limit + side * 0.0029, limit + side * 0.0031
        assert ledger.verdict_of(near, 0.001) == f"{ledger.verdict_of(near)} (on the edge)"
        assert ledger.verdict_of(far, 0.001) == ledger.verdict_of(far)


def test_facts_come_first_and_edges_beside_their_verdict() -> None:
    verdicts = [
        *("contradicted by the model", "leaning against (on the edge)", "leaning against"),
        *("undecided", "leaning", "supported (on the edge)", "supported", ledger.OPEN),
        *("differs from the printed counts, on one reading", "agrees with the printed table"),
    ]
    names = [f"C{i}" for i in range(len(verdicts))]
    own = {"origin": claims.PAPER, "finding": "", "id": names, "verdict": verdicts}
    table = pd.DataFrame(own).assign(probability=np.nan, in_model="")
    said = [line.split(": ")[0] for line in ledger.verdict_lines(table)]
    order = [9, 8, 6, 5, 4, 3, 2, 1, 0, 7]
    assert said == [verdicts[i] for i in order]
    assert ledger.counts(table) == {"differs": 2, "undecided": 5, "agrees": 3}
    # What is on the edge of another verdict is as undecided.
    edges = {"verdict": ["undecided (on the edge)", "leaning against"], "probability": [0.11, 0.08]}
    assert "0.080 of 1 (the paper's claims)" in ledger.expected_wrong(table[:2].assign(**edges))


def test_limits_are_symmetric() -> None:
    assert [1 - limit for limit in reversed(LIMITS)] == pytest.approx(LIMITS)


def decays(large: float, other: float, draws: int = 1000) -> np.ndarray:
    """Draws of which the given parts are above zero, those of the two sizes on the same draws."""
    place = (np.arange(draws) + 0.5) / draws
    # In the order of a shuffle, so that chains agree.
    place = np.random.default_rng(1).permutation(place)
    return np.stack([large - place, other - place], axis=-1)


@pytest.mark.parametrize(
    ("size", "probability", "verdict"),
    [
        ("large", 0.99, "supported"),
        ("other", 0.05, "leaning against"),
        ("", 0.05, "leaning against"),
    ],
)
def test_falls(tmp_path: Path, size: str, probability: float, verdict: str) -> None:
    keys = 'rule = "falls"' + (f'\nsize = "{size}"' if size else "")
    fit = fit_of(decay=decays(0.99, 0.05))
    row = only(study_with(tmp_path, keys), fit)
    assert row.probability == pytest.approx(probability)
    assert row.verdict == verdict
    at = 0 if size == "large" else 1
    fall = fit["estimands"]["fall"].to_numpy()[..., at].ravel()
    assert row.effect_median == pytest.approx(np.median(fall))
    assert (row.effect_low, row.effect_high) == pytest.approx(np.quantile(fall, [0.025, 0.975]))
    assert row.effect_unit == "percentage points"
    assert ("large firms" in row.numbers) == (size != "other")


def test_every_size_must_fall_in_the_same_draw(tmp_path: Path) -> None:
    study = study_with(tmp_path, 'rule = "falls"')
    decay = decays(0.5, 0.5)
    assert only(study, fit_of(decay=decay)).probability == pytest.approx(0.5)
    decay[:, 1] = -decay[:, 1]  # one size falls exactly where the other rises
    assert only(study, fit_of(decay=decay)).probability == 0


def test_the_average_firm_falls_although_a_size_does_not(tmp_path: Path) -> None:
    study = study_with(tmp_path, 'rule = "falls"\nsizes = "average"')
    # One firm is large, two are others: the average is above zero if -0.9 + 2 times it is.
    decay = decays(0.5, 0.5)
    decay[:, 0] = -0.9
    expected = float(np.mean(-0.9 + 2 * decay[:, 1] > 0))
    row = only(study, fit_of(decay=decay))
    assert row.probability == expected
    assert 0 < expected < 0.1
    fall = 100 * (np.tanh(-0.9) + 2 * np.tanh(decay[:, 1])) / 3
    assert row.effect_median == pytest.approx(np.median(fall))
    assert "on average over 3 firms" in row.numbers
    assert row.how.endswith("rarer with experience: average of all firms")


@pytest.mark.parametrize("more", ["", '\nsizes = "average"'])
def test_falls_with_one_size(tmp_path: Path, more: str) -> None:
    counts = [{"id": "all", "value": 6, "status": "hard"}]
    study = study_with(tmp_path, f'rule = "falls"{more}', sizes=None, counts=counts)
    row = only(study, fit_of(decay=decays(0.99, 0)[:, :1], sizes=("all",)))
    assert row.probability == pytest.approx(0.99)


def test_falls_more(tmp_path: Path) -> None:
    study = study_with(
        tmp_path, *(f'rule = "falls more"\nsize = "{size}"' for size in ("large", "other"))
    )
    decay = decays(0.95, 0)
    decay[:, 1] = 0
    large, other = ledger.evaluate(study, {"default": fit_of(decay=decay)}).itertuples(index=False)
    assert (large.probability, large.verdict) == (pytest.approx(0.95), "leaning")
    assert (other.probability, other.verdict) == (pytest.approx(0.05), "leaning against")
    assert large.effect_median == pytest.approx(np.median(decay[:, 0]))
    assert large.effect_low == pytest.approx(-other.effect_high)
    assert large.effect_unit == "log odds a decision"


#: Early and late decisions of large and other firms, (no, yes): three kinds of tables.
MORE = [[[1, 3], [2, 0]], [[0, 0], [4, 0]]]  # early 3 of 4, late 0 of 6
LESS = [[[4, 0], [0, 2]], [[0, 0], [2, 2]]]  # early 0 of 4, late 4 of 6
EMPTY = [[[0, 0], [1, 4]], [[0, 0], [5, 0]]]  # no early ones, late 4 of 10


def mixed(*parts: tuple[int, Any], seed: int = 0) -> np.ndarray:
    tables = np.concatenate([np.tile(table, (times, 1, 1, 1)) for times, table in parts])
    return np.random.default_rng(seed).permutation(tables)


EARLIER = 'rule = "higher share"\na = {periods = ["early"]}\nb = {periods = ["late"]}'


def test_higher_share_leaves_out_draws_without_decisions(tmp_path: Path) -> None:
    cells = mixed((190, MORE), (10, LESS), (50, EMPTY))
    row = only(study_with(tmp_path, EARLIER), fit_of(cells, decay=np.zeros((250, 2))))
    assert row.probability == pytest.approx(0.95)
    assert row.verdict == "leaning (on the edge)"
    assert row.effect_median == pytest.approx(75)
    assert row.effect_low == pytest.approx(-200 / 3)
    assert "left out: 20.0" in row.numbers
    assert "75" in row.numbers


def test_shares_that_are_equal_are_not_higher(tmp_path: Path) -> None:
    equal = [[[1, 1], [1, 1]], [[0, 0], [0, 0]]]
    row = only(study_with(tmp_path, EARLIER), fit_of(mixed((200, equal))))
    assert (row.probability, row.effect_median) == (0, 0)
    assert row.verdict == "contradicted by the model"
    assert "left out" not in row.numbers


def test_higher_share_of_one_size(tmp_path: Path) -> None:
    keys = 'rule = "higher share"\na = {size = "large", periods = ["late"]}\nb = {size = "other"}'
    row = only(study_with(tmp_path, keys), fit_of(mixed((100, MORE), (100, LESS))))
    # MORE: 0 of 2 against 0 of 4; LESS: 2 of 2 against 2 of 4.
    assert row.probability == pytest.approx(0.5)
    assert row.verdict == "undecided"


def test_a_share_of_nothing_cannot_be_checked(tmp_path: Path) -> None:
    row = only(study_with(tmp_path, EARLIER), fit_of(mixed((200, EMPTY))))
    assert row.verdict == claims.CANNOT
    assert "no decision" in row.numbers


def test_none(tmp_path: Path) -> None:
    keys = 'rule = "none"\na = {size = "large", periods = ["late"]}'
    row = only(study_with(tmp_path, keys), fit_of(mixed((196, MORE), (4, LESS))))
    assert row.probability == pytest.approx(0.98)
    assert row.verdict == "supported (on the edge)"
    assert (row.effect_median, row.effect_low, row.effect_high) == (0, 0, 0)
    assert row.effect_unit == "decisions"
    assert "0.0 decisions flagged expected" in row.numbers


def test_none_of_all(tmp_path: Path) -> None:
    row = only(study_with(tmp_path, 'rule = "none"\na = {}'), fit_of(mixed((200, MORE))))
    assert (row.probability, row.effect_median) == (0, 3)
    assert row.verdict == "contradicted by the model"


@pytest.mark.parametrize(
    ("p", "verdict"),
    [
        (0.905, "leaning (on the edge)"),
        (0.88, "undecided (on the edge)"),
        (0.11, "undecided (on the edge)"),
        (0.026, "leaning against (on the edge)"),
        (0.5, "undecided"),
        (0.999, "supported"),
    ],
)
def test_a_probability_near_a_limit_is_on_the_edge(tmp_path: Path, p: float, verdict: str) -> None:
    row = only(study_with(tmp_path, 'rule = "falls"\nsize = "large"'), fit_of(decay=decays(p, 0)))
    assert row.verdict == verdict
    # Independent draws: the error of a share.
    assert row.probability_error == pytest.approx(np.sqrt(p * (1 - p) / 1000), rel=0.2)


def test_the_prior_stands_beside_the_posterior(tmp_path: Path) -> None:
    study = study_with(tmp_path, 'rule = "falls"\nsize = "large"')
    fit = fit_of(decay=decays(0.99, 0.05))
    assert finding_text(only(study, fit)).startswith("probability 0.99;")
    fit["prior"] = xr.DataTree(prior_of(decays(0.3, 0.6, 200)))
    fit["constant_data"] = xr.DataTree(xr.Dataset(coords={"size": ["large", "other"]}))
    fit.attrs["family"] = "linear"
    row = only(study, fit)
    assert row.prior_probability == pytest.approx(0.3)
    assert finding_text(row).startswith("probability 0.99 (prior 0.30);")


def prior_of(decay: np.ndarray) -> xr.Dataset:
    shape = (1, len(decay))
    values = {
        "intercept": (("chain", "draw"), np.zeros(shape)),
        "large": (("chain", "draw"), np.zeros(shape)),
        "decay": (("chain", "draw", "size"), decay[None]),
    }
    return xr.Dataset(values, {"size": ["large", "other"], "chain": [0], "draw": range(len(decay))})


@pytest.mark.parametrize(
    ("least", "sizes", "verdict"),
    [
        ("", (0.85, 0.1, 0.05), "leaning (on the edge)"),
        ("least = 20", (0.7, 0.25, 0.05), "undecided"),
    ],
)
def test_the_size_of_an_effect(
    tmp_path: Path, least: str, sizes: tuple[float, float, float], verdict: str
) -> None:
    fit = fit_of(decay=decays(0.9, 0))
    # 700 draws fall by 30 points, 150 by 10, 50 by 3, 50 rise by 3, and 50 rise by 40.
    fall = np.repeat([30.0, 10.0, 3.0, -3.0, -40.0], [700, 150, 50, 50, 50])
    fall = np.random.default_rng(2).permutation(fall).reshape(fit["estimands"]["fall"].shape[:2])
    both = np.stack([fall, fall], axis=-1)
    estimands = fit["estimands"].to_dataset()
    both_of = (("chain", "draw", "size"), both)
    fit["estimands"] = xr.DataTree(estimands.assign(fall=both_of, halvings=both_of))
    keys = f'rule = "falls"\nsize = "large"\n{least}'
    row = only(study_with(tmp_path, keys), fit)
    assert (row.p_relevant, row.p_negligible, row.p_opposite) == pytest.approx(sizes)
    assert row.verdict == verdict
    assert row.probability == pytest.approx(sizes[0] if least else 0.9)
    assert row.how.endswith(
        f"rarer with experience{' by more than 20 points' * bool(least)}: large firms"
    )
    margin = "20" if least else "5"
    assert f"more than {margin} percentage points as claimed: {sizes[0]:.2f}" in row.numbers


def test_a_fit_that_failed_gives_no_verdicts(tmp_path: Path) -> None:
    study = study_with(
        tmp_path,
        'rule = "falls"',
        'rule = "falls more"\nsize = "large"',
        EARLIER,
        'rule = "none"\na = {periods = ["late"]}',
        SUM.format('["early-yes", "large"]', '"all"'),
    )
    fit = fit_of(mixed((190, MORE), (10, LESS)), fails=True)
    assert not converged(fit)
    table = ledger.evaluate(study, {"default": fit})
    assert table["verdict"].tolist() == [ledger.FAILED] * 4 + ["agrees with the printed counts"]
    assert table["converged"].tolist() == [False] * 4 + [True]


# -- known decisions -----------------------------------------------------------------------

# Ash (large): early yes, late yes, late no; Box: early yes, late no; Cob: early no.


@pytest.mark.parametrize(
    ("keys", "verdict", "numbers"),
    [
        (EARLIER, claims.HOLDS, "2 of 3 (67"),
        (
            'rule = "higher share"\na = {size = "other"}\nb = {size = "large"}',
            claims.CONTRADICTED,
            "1 of 3 (33",
        ),
        (
            'rule = "none"\na = {size = "other", periods = ["late"]}',
            claims.HOLDS,
            "0 decisions flagged",
        ),
        ('rule = "none"\na = {size = "large"}', claims.CONTRADICTED, "2 decisions flagged"),
    ],
)
def test_known_decisions_are_facts(tmp_path: Path, keys: str, verdict: str, numbers: str) -> None:
    row = only(known_with(tmp_path, keys), fit_of(fails=True))
    assert row.verdict == verdict.format("decisions")
    assert numbers in row.numbers
    assert row.converged
    assert np.isnan(row.probability)


def test_falls_asks_the_fit_even_of_known_decisions(tmp_path: Path) -> None:
    study = known_with(tmp_path, 'rule = "falls"\nsize = "large"')
    row = only(study, fit_of(decay=decays(0.99, 0)))
    assert row.verdict == "supported"


# -- the report ----------------------------------------------------------------------------


def material(study: DecayStudy, fit: xr.DataTree) -> DecayReportData:
    return DecayReportData(study, fit, {"default": fit})


def test_no_section_without_claims(tmp_path: Path) -> None:
    assert section.claims(material(study_with(tmp_path), fit_of())) is None
    assert section.numbers(material(study_with(tmp_path), fit_of())) is None


@pytest.mark.parametrize("fails", [False, True])
def test_the_section(tmp_path: Path, fails: bool) -> None:
    study = study_with(
        tmp_path,
        EARLIER,
        'rule = "cannot"\nwhy = "No dates"',
        SUM.format('["early", "large"]', '"all"'),
    )
    fit = fit_of(mixed((190, MORE), (10, LESS)), fails=fails)
    m = material(study, fit)
    made, named = section.claims(m), section.numbers(m)
    assert made is not None
    assert named is not None
    asked = ledger.FAILED if fails else "leaning (on the edge)"
    assert [(row["kind"], row["verdict"]) for row in made["claims"]] == [
        ("missing" if fails else "undecided", asked),
        ("untestable", claims.CANNOT),
        ("differs", "differs from the printed counts"),
    ]
    assert made["counts"] == {"differs": "1", made["claims"][0]["kind"]: "1", "untestable": "1"}
    # How many verdicts may be wrong, where a probability has decided one.
    assert (made["wrong"] != "") != fails
    ((found, _),) = made["claims"][0]["found"]
    assert "0.95" in found
    assert ("no posterior" in found) == fails
    assert [row[1] for row in named["rows"]] == ["all", "early", "large"]
    _, pages = render(
        "md", "decay", Frame({}, {}, not fails, {}), {"ledger": made, "numbers": named}
    )
    text, _ = pages["appendix"].sections
    assert text.name == "ledger"
    assert f"supported (at least {CLEAR:g})" in text.text
    assert "1 differs" in text.text
    assert "✗ differs from the printed counts" in text.text
    assert ("**Did not converge" in text.text) == fails
    assert '<a id="claim-C1"></a>' in text.text
    assert [row[0] for row in pages["appendix"].tables[1].rows] == [row[0] for row in named["rows"]]


@pytest.mark.parametrize(
    ("verdicts", "stands"),
    [
        (["supported", "agrees with the printed table"], "agrees"),
        (["supported", "agrees with the printed table, on one reading"], "agrees, on one reading"),
        (["supported", claims.CANNOT], "agrees"),
        (["supported", "leaning"], "undecided"),
        (["supported", ledger.OPEN], "undecided"),
        (["leaning against (on the edge)", ledger.NOT_FITTED], "missing"),
        (["undecided", "contradicted by the model (on the edge)"], "differs"),
        (
            ["supported", "differs from the printed counts, on one reading"],
            "differs, on one reading",
        ),
        (
            ["differs from the printed counts", "contradicted by the model, on one reading"],
            "differs",
        ),
        ([claims.CANNOT, claims.CANNOT], "untestable"),
        ([ledger.FAILED, claims.CANNOT], "missing"),
    ],
)
def test_how_a_main_finding_stands(verdicts: list[str], stands: str) -> None:
    """The verdict follows from those of the claims, in whatever order they come."""
    for given in (verdicts, verdicts[::-1]):
        table = pd.DataFrame({"verdict": [*given, "supported"], "main": ["it", "it", ""]})
        ((text, found, rows),) = ledger.main_findings(table)
        assert (text, found) == ("it", stands)
        assert len(rows) == 2
        assert ledger.standing(rows["verdict"].iloc[0]) == stands.removesuffix(
            ledger.ON_ONE_READING
        )


def test_main_findings_are_named_by_their_claims(tmp_path: Path) -> None:
    sums = SUM.format('["early", "large"]', '"all"')
    keys = [
        f"{sums}\nmain = {own}" for own in ("true", '"Few are early"', "false", '"Few are early"')
    ]
    study = study_with(tmp_path, *keys)
    assert [claim.main for claim in study.claims] == [
        study.claims[0].text,
        "Few are early",
        "",
        "Few are early",
    ]
    found = section.findings(material(study, fit_of()))
    assert found is not None
    assert [row["ids"] for row in found["findings"]] == [["C1"], ["C2", "C4"]]
    assert found["counts"] == {"differs": "2"}
    # Ids of claims in the text of others are links to them.
    cut = section._linked("See C2, C12 and C4", material(study, fit_of()))
    assert cut == [("See ", "C2"), (", C12 and ", "C4"), ("", "")]
    _, pages = render(
        "html",
        "decay",
        Frame({}, {}, True, {}),
        {"claims": found, "ledger": {**(section.claims(material(study, fit_of())) or {})}},
    )
    text = pages["report"].sections[0].text
    assert '<span class="badge differs">differs</span>' in text
    assert 'href="appendix.html#claim-C4"' in text
    assert 'id="claim-C4"' in pages["appendix"].sections[0].text


@pytest.mark.parametrize("main", ["3", "[1]"])
def test_main_is_true_or_words(tmp_path: Path, main: str) -> None:
    with pytest.raises(StudyError, match="main"):
        study_with(tmp_path, SUM.format('["early", "large"]', '"all"') + f"\nmain = {main}")


@pytest.mark.parametrize("name", ["rochester", "norway"])
def test_the_papers_have_ten_main_findings_of_their_own_claims(name: str) -> None:
    main = [claim for claim in load_study(name).claims if claim.main]
    assert len({claim.main for claim in main}) == 10
    assert all(claim.origin == claims.PAPER for claim in main)


def test_its_place_in_the_report() -> None:
    for parts in REPORTS.values():
        assert parts.pages["report"]["claims"] is section.findings
        assert parts.pages["appendix"]["ledger"] is section.claims


def test_columns_without_claims(tmp_path: Path) -> None:
    table = ledger.evaluate(study_with(tmp_path), {"default": fit_of()})
    assert isinstance(table, pd.DataFrame)
    assert tuple(table.columns) == ledger.COLUMNS
    assert not len(table)


# -- Norway --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def norway() -> pd.DataFrame:
    """Claims of the paper, with draws that do not matter for those of arithmetic."""
    study = load_study("norway")
    assert isinstance(study, DecayStudy)
    tree = fit_of(np.ones((200, 2, 2, 2)))
    cells = np.ones((2, 100, 2, 3, 2))
    estimands = tree["estimands"].to_dataset().drop_dims(("period_level", "flag"))
    estimands = estimands.assign_coords(period_level=list(study.periods), flag=list(FLAGS))
    dims = ("chain", "draw", "size", "period_level", "flag")
    tree["estimands"] = xr.DataTree(estimands.assign(group_cell=(dims, cells)))
    return ledger.evaluate(study, {"default": tree}).set_index("id")


@pytest.mark.parametrize(
    ("name", "numbers", "holds"),
    [
        ("N01", "11 + 19 + 11 = 41, against 41", True),
        ("N02", "26 + 15 = 41, against 41", True),
        ("N03", "8 + 13 + 5 = 26, against 26", True),
        ("N04", "3 + 6 + 5 = 14, against 15", False),
        ("N05a", "8 + 3 = 11, against 11", True),
        ("N05b", "13 + 6 = 19, against 19", True),
        ("N05c", "5 + 5 = 10, against 11", False),
        ("N06", "26 of 41", True),
    ],
)
def test_arithmetic_of_the_norwegian_paper(
    norway: pd.DataFrame, name: str, numbers: str, holds: bool
) -> None:
    verdict = (claims.HOLDS if holds else claims.CONTRADICTED).format("counts")
    verdict += ", on one reading" if name in ON_ONE_READING else ""
    assert norway.loc[name, "verdict"] == verdict
    assert norway.loc[name, "numbers"].startswith(numbers)


#: An independent reading of what the Norwegian paper prints: which of its claims hold in it.
HOLD = {
    *("N01", "N02", "N03", "N05a", "N05b", "N06", "N07", "N08c", "N12", "N13a", "N14b", "N15a"),
    *("N15c", "N17a", "N18", "N19", "N21", "N26", "N29", "N30", "N31", "N32b", "N33", "N34a"),
    *("N34b", "N36a", "N36b", "N45"),
}
DO_NOT = {"N04", "N05c", "N08b", "N09b", "N13b", "N15b", "N16", "N32", "N35", "N38"}
#: Those that do, or do not, with one reading of their words only: the year 2000, first entries,
#: firms, motives, the largest, managers, the firm in Latvia.
ON_ONE_READING = {"N05a", "N05b", "N13b", "N15b", "N16", "N32", "N36b", "N38"}
#: Those that rest on M33, or on M36 and M37.
ONE_FINDING = ["N04", "N05c", "N08b", "N09b"]


def test_every_claim_of_the_norwegian_paper_is_in_the_ledger(norway: pd.DataFrame) -> None:
    numbers = [name.rstrip("abcd") for name in norway.index]
    assert sorted(set(numbers)) == [f"N{number:02d}" for number in range(1, 50)]
    verdicts = norway["verdict"]
    assert set(norway.index[verdicts.str.startswith("agrees")]) == HOLD
    assert set(norway.index[verdicts.str.startswith("differs from the printed")]) == DO_NOT
    # With these draws every size falls, so that N09a is decided as well.
    assert set(norway.index[verdicts.str.endswith(", on one reading")]) == ON_ONE_READING | {"N09a"}
    assert set(norway.index[norway["reading"] != ""]) == ON_ONE_READING | {"N09a"}
    assert set(norway.index[norway["origin"] == "ours"]) == {
        *("N09c", "N09d", "N11", "N14b", "N17a", "N17b", "N18")
    }


def test_counts_that_do_not_fit_are_one_finding(norway: pd.DataFrame) -> None:
    table = norway.reset_index()
    assert table["id"][table["finding"] != ""].tolist() == ONE_FINDING
    (counts,) = set(table["finding"]) - {""}
    assert re.findall(r"\((M\d\d)\)( or|, and)?", counts) == [
        ("M33", ", and"),
        ("M36", " or"),
        ("M37", ""),
    ]
    # Of 61 claims of the paper four are one; they are all that is contradicted by counts.
    lines = ledger.verdict_lines(table)
    assert "differs from the printed counts: 1 of 58 (N04 + N05c + N08b + N09b)" in lines
    assert sum(ledger.counts(table[table["origin"] == claims.PAPER]).values()) == 58
    assert ledger.finding_sentences(table) == [
        f"The published counts contradict each other, and the cheapest repairs change {counts}. "
        "N04, N05c, N08b and N09b rest on this contradiction and are counted once."
    ]


def test_other_claims_of_the_norwegian_paper(norway: pd.DataFrame) -> None:
    asked = norway[norway["probability"].notna()]
    assert dict(asked["rule"]) == {
        "N07": "larger share",
        "N08a": "none",
        "N08c": "larger share",
        "N09a": "falls",
        "N09c": "falls",
        "N09d": "falls",
        "N10": "falls",
        "N11": "higher share",
    }
    cannot = norway[norway["verdict"] == claims.CANNOT]
    assert set(cannot["rule"][cannot.index != "N19b"]) == {"cannot"}
    # No draws of this fit tell how the decisions are shared out, and the bounds are wide.
    assert cannot.loc["N19b", "numbers"].startswith("2 to 11 decisions by the counts alone")
    assert cannot["numbers"][cannot["rule"] == "cannot"].str.endswith(".").all()
