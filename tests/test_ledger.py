"""The ledger of share studies: groups of firms, facts, two proportions, the posterior."""

from __future__ import annotations

import itertools
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from intlmodels.api import claim_table
from intlmodels.claims import ledger
from intlmodels.claims.ledger import FAILED, NOT_FITTED, OPEN
from intlmodels.cli import main
from intlmodels.core.errors import StudyError
from intlmodels.fitting import store
from intlmodels.models import require_names
from intlmodels.models.base import flat
from intlmodels.report import claims as section
from intlmodels.report.data import ShareReportData
from intlmodels.studies import ShareStudy, claimrules, describe, load_study, twogroups
from intlmodels.studies.claimrules import averages
from intlmodels.studies.claims import CANNOT, KINDS, Rule
from intlmodels.studies.fitrules import RULES, rules_of
from intlmodels.studies.groups import Group
from studies import STUDY, VARIANTS, write_study
from trees import DRAWS, made_up, share_positive, store_fits

TABLE, CONTRA = "agrees with the printed table", "differs from the printed table"

#: Groups of the eight firms of studies.py: revenue 1.5, 20, unknown, 3, 250, 8, 0.5, 12.
GROUPS = """
[[silence]]
column = "traits.csv: skill"
unnamed = "unknown"
except = ["Design"]
note = "One skill each"
[groups.everyone]
column = "firms.csv: share"
least = 0
[groups.small]
label = "small firms"
column = "firms.csv: size"
below = 10
[groups.tools]
column = "firms.csv: branch"
is = ["Tools"]
[groups.toys]
column = "firms.csv: branch"
is = ["Toys"]
[groups.named]
firms = ["Alder", "Hazel"]
[groups.abroad]
column = "firms.csv: share"
above = 20
[groups.designers]
column = "traits.csv: skill"
contains = ["DESIGN"]
[groups.small_tools]
all = ["small", "tools"]
[groups.small_or_tools]
any = ["small", "tools"]
[groups.not_small]
any = ["everyone"]
without = ["small"]
[groups.makers]
column = "traits.csv: skill"
contains = ["making"]
[groups.second]
column = "firms.csv: second"
contains = ["t"]
"""


def study_with(folder: Path, *keys: str, toml: str = GROUPS) -> ShareStudy:
    text = toml + "".join(
        f'\n[[claims]]\nid = "C{i}"\ntext = "So it is"\n{one}\n' for i, one in enumerate(keys, 1)
    )
    study = load_study(write_study(folder, toml=STUDY + VARIANTS + text))
    assert isinstance(study, ShareStudy)
    return study


def only(study: ShareStudy, *fits: Any) -> Any:
    trees = {str(tree.attrs["variant"]): tree for tree in fits}
    (row,) = ledger.evaluate(study, trees).itertuples(index=False)
    return row


# -- groups ------------------------------------------------------------------------------


def test_groups_know_what_is_not_known(tmp_path: Path) -> None:
    groups = study_with(tmp_path).row_groups
    assert groups["small"].sure == ("Alder", "Downy", "Fir", "Gorse")
    assert groups["small"].unknown == ("Cedar",)
    assert groups["named"].sure == ("Alder", "Hazel")
    assert groups["small_tools"].sure == ("Alder", "Gorse")
    # Cedar makes toys: whatever its size, it is no small maker of tools.
    assert groups["small_tools"].unknown == ()
    assert groups["small_or_tools"].unknown == ("Cedar",)
    assert groups["not_small"].sure == ("Birch", "Elder", "Hazel")
    assert groups["not_small"].unknown == ("Cedar",)
    # Capitals do not matter for `contains`; an empty cell contains nothing.
    assert groups["designers"].sure == ("Alder", "Birch", "Fir", "Hazel")
    # A text that names no design has none; one that names no making may still have it.
    assert groups["designers"].unknown == ()
    assert groups["makers"].sure == ("Birch", "Cedar", "Elder", "Hazel")
    assert groups["makers"].unknown == ("Alder", "Downy", "Fir", "Gorse")
    assert groups["second"].sure == ("Birch", "Downy", "Hazel")


def test_kleene_logic_is_that_of_every_completion(tmp_path: Path) -> None:
    """A made-up group is unknown exactly where completions of the unknown disagree."""
    groups = study_with(tmp_path).row_groups
    members = {name: groups[name].members for name in ("small", "tools", "everyone")}
    for row in range(8):
        options = [
            (True, False) if members[name][row] is None else (members[name][row],)
            for name in ("small", "tools")
        ]
        for made, rule in (
            ("small_tools", lambda small, tools: small and tools),
            ("small_or_tools", lambda small, tools: small or tools),
            ("not_small", lambda small, tools: not small),
        ):
            found = {rule(*values) for values in itertools.product(*options)}
            expected = found.pop() if len(found) == 1 else None
            assert groups[made].members[row] is expected


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[groups.a]\nlabel = 'x'", "nothing says who belongs to it"),
        ("[groups.a]\nis = ['Tools']", "expected column ="),
        ("[groups.a]\ncolumn = 'branch'\nis = ['Tools']", 'expected "file: column"'),
        ("[groups.a]\ncolumn = 'firms.csv: brnch'\nis = ['x']", "did you mean 'branch'?"),
        ("[groups.a]\ncolumn = 'firms.csv: branch'\nis = ['Tool']", "did you mean 'Tools'?"),
        ("[groups.a]\ncolumn = 'firms.csv: branch'\nbelow = 3", "expected a number"),
        ("[groups.a]\nfirms = ['Aldr']", "did you mean 'Alder'?"),
        ("[groups.a]\nany = ['b']", "expected a group defined before this one"),
        (
            "[groups.a]\nfirms = ['Alder']\nbelow = 3",
            "[groups.a] below: cannot be combined with firms",
        ),
        (
            "[groups.a]\ncolumn = 'firms.csv: size'\nis = ['3']\nbelow = 3",
            "[groups.a] is: cannot be combined with other conditions",
        ),
        ("[groups.a]\nwithout = ['tools']\n", "expected all or any as well"),
        ("[groups.a]\ncolour = 'red'", "unknown key"),
        ("[groups]\na = 3", "expected a table"),
    ],
)
def test_groups_that_are_wrong_are_told_in_one_line(tmp_path: Path, toml: str, said: str) -> None:
    before = "" if "[groups]\n" in toml else GROUPS
    with pytest.raises(StudyError) as caught:
        study_with(tmp_path, toml=f"{before}\n{toml}\n")
    text = str(caught.value)
    assert said in text
    assert text.isprintable()


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[silence]\ncolumn = 'firms.csv: second'", "each below a line [[silence]]"),
        ("[[silence]]\nunnamed = 'absent'", "number 1, column: key is missing"),
        ("[[silence]]\ncolumn = 'firms.csv: second'", "number 1, unnamed: key is missing"),
        (
            "[[silence]]\ncolumn = 'firms.csv: second'\nunnamed = 'no'",
            "expected one of 'absent', 'unknown'",
        ),
        ("[[silence]]\ncolumn = 'firms.csv: secnd'\nunnamed = 'absent'", "did you mean 'second'?"),
        ("[[silence]]\ncolumn = 'firms.csv: second'\nunnamed = 'absent'\n" * 2, "column once"),
        (
            "[groups.a]\ncolumn = 'firms.csv: second'\ncontains = ['t']\notherwise = 'unknown'",
            "otherwise: unknown key; it belongs to a table [[silence]]",
        ),
    ],
)
def test_silence_that_is_wrong_is_told_in_one_line(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        study_with(tmp_path, toml=f"{toml}\n")
    text = str(caught.value)
    assert said in text
    assert text.isprintable()


def test_files_in_another_order_are_joined_by_name(tmp_path: Path) -> None:
    folder = write_study(tmp_path, toml=STUDY + VARIANTS + GROUPS)
    path = folder / "traits.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    before = load_study(folder).row_groups["designers"]
    path.write_text("\n".join([header, *reversed(rows)]) + "\n", encoding="utf-8")
    assert load_study(folder).row_groups["designers"] == before


# -- facts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "verdict", "numbers"),
    [
        ('rule = "number of firms"\nof = "tools"\nequal = 3', TABLE, "3 of 8"),
        ('rule = "number of firms"\nof = "tools"\nleast = 4', CONTRA, "3 of 8"),
        # Four are small, a fifth may be.
        ('rule = "number of firms"\nof = "small"\nequal = 4', CANNOT, "not reported for Cedar"),
        ('rule = "number of firms"\nof = "small"\nleast = 4', TABLE, "not reported for Cedar"),
        ('rule = "number of firms"\nof = "small"\nmost = 3', CONTRA, "not reported for Cedar"),
        ('rule = "share of firms"\npart = "tools"\nbelow = 50', TABLE, "3 of 8, 37.5"),
        ('rule = "share of firms"\npart = "small"\nabove = 50', CANNOT, "4 of 8, 50.0"),
        ('rule = "share of firms"\npart = "small"\nleast = 50', TABLE, "4 of 8"),
        ('rule = "share of firms"\npart = "small"\nof = "tools"\nabove = 60', TABLE, "2 of 3"),
        ('rule = "share of firms"\npart = "tools"\nof = "small"\nabove = 60', CONTRA, "2 of 4"),
        # Two of four known small firms, or of five, if Cedar is one: 50 or 40 percent.
        ('rule = "share of firms"\npart = "tools"\nof = "small"\nleast = 45', CANNOT, "2 of 4"),
        ('rule = "every"\nof = "named"\nis = "everyone"', TABLE, "2 of 2"),
        ('rule = "every"\nof = "tools"\nis = "small"', CONTRA, "not Birch"),
        ('rule = "every"\nof = "toys"\nis = "not_small"', CANNOT, "not reported for Cedar"),
        ('rule = "present"\ngroups = ["tools", "toys"]', TABLE, "tools: 3; toys: 3"),
        ('rule = "range"\ncolumn = "firms.csv: share"\nsmallest = 0\nlargest = 55', TABLE, "Hazel"),
        ('rule = "range"\ncolumn = "firms.csv: share"\nsmallest = 0\nlargest = 65', CONTRA, "55"),
        ('rule = "range"\ncolumn = "firms.csv: size"\nsmallest = 0.5\nlargest = 250', CANNOT, ""),
        ('rule = "range"\ncolumn = "firms.csv: size"\nsmallest = 1\nlargest = 250', CONTRA, "0.5"),
        ('rule = "labels"\ncolumns = "firms.csv: branch"\nnumber = 3', TABLE, "Boats, Tools"),
        ('rule = "labels"\ncolumns = "firms.csv: branch"\nnumber = 4', CONTRA, "3: "),
        (
            'rule = "higher average"\ncolumn = "firms.csv: share"\na = "abroad"\nb = "named"',
            TABLE,
            "mean 37.5 (4 firms) against 32.5 (2 firms)",
        ),
        (
            'rule = "higher average"\ncolumn = "firms.csv: share"\na = "tools"',
            CONTRA,
            "mean 21.7 (3 firms) against 23.0 (5 firms)",
        ),
        (
            'rule = "higher average"\ncolumn = "firms.csv: size"\na = "toys"\nb = "tools"',
            CANNOT,
            "not reported for Cedar",
        ),
        (
            'rule = "column sum"\ncolumn = "firms.csv: share"\nof = "named"\n'
            'total = "firms.csv: share"',
            CONTRA,
            "10 + 55 = 65 (Alder, Hazel), against 180",
        ),
        ('rule = "cannot"\nwhy = "Nobody asked"', CANNOT, "Nobody asked"),
    ],
)
def test_facts(tmp_path: Path, keys: str, verdict: str, numbers: str) -> None:
    row = only(study_with(tmp_path, keys))
    assert row.verdict == verdict
    assert numbers in row.numbers
    beside = "higher average" in keys and verdict != CANNOT
    assert np.isnan(row.probability) == (not beside)
    assert bool(row.in_model) == beside
    assert row.how
    assert (row.fit, row.open, row.finding) == ("", "", "")


NUMBERS = """id,quantity,value,unit,where
a,one,11,firm,p. 1
b,two,2,firm,p. 1
c,three,13,firm,p. 1
d,turnover,18.2,bn,p. 2
e,turnover,70.7,bn,p. 2
"""


@pytest.mark.parametrize(
    ("keys", "holds", "numbers"),
    [
        ('rule = "sum"\ncounts = ["a", "b"]\ntotal = "c"', True, "11 + 2 = 13, against 13"),
        ('rule = "at most"\ncounts = ["a", "b"]\ntotal = "c"', True, "against 13"),
        ('rule = "more than"\ncounts = ["a", "b"]\ntotal = "c"', False, "against 13"),
        ('rule = "more than"\ncounts = ["c", "b"]\ntotal = "a"', True, "13 + 2 = 15"),
        ('rule = "share"\npart = ["a"]\nwhole = "c"\nabove = 84', True, "84.6"),
        ('rule = "share"\npart = ["a", "b"]\nwhole = "c"\nbelow = 100', False, "100.0"),
        ('rule = "share"\npart = ["a", "b"]\nwhole = "c"\nmost = 100', True, "100.0"),
        ('rule = "largest"\nnumber = "c"\namong = ["a", "b"]', True, "13, against 11 and 2"),
        ('rule = "largest"\nnumber = "b"\namong = ["a"]', False, "2, against 11"),
        ('rule = "growth"\nstart = "d"\nend = "e"\npercent = 288', True, "288.5"),
        ('rule = "growth"\nstart = "d"\nend = "e"\npercent = 289', False, "288.5"),
        ('rule = "growth"\nstart = "d"\nend = "e"\npercent = 300\nrounding_width = 50', True, ""),
        ('rule = "ratio"\nnumber = "e"\nover = "d"\nleast = 3.8\nmost = 3.9', True, "3.88"),
        ('rule = "ratio"\nnumber = "e"\nover = "d"\ntimes = 10\nmost = 3.9', False, "38.8"),
        (
            'rule = "faster"\nnumber = "a"\nyears = 2\nagainst = "c"\nagainst_years = 3',
            True,
            "5.50 per year, against 13 in 3, 4.33 per year",
        ),
    ],
)
def test_printed_numbers(tmp_path: Path, keys: str, holds: bool, numbers: str) -> None:
    (tmp_path / "printed.csv").write_text(NUMBERS, encoding="utf-8")
    study = study_with(tmp_path, keys, toml='[numbers]\nfile = "printed.csv"\n')
    row = only(study)
    said = "agrees with the printed numbers" if holds else "differs from the printed numbers"
    assert row.verdict == said
    assert numbers in row.numbers
    assert row.in_model == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "c,three",
            "a,three",
            "printed.csv, row 4, column 'id': found 'a'; expected every id once",
        ),
        ("13", "x", "printed.csv, row 4, column 'value': found 'x'; expected a number"),
        ("c,three", "c:d,three", "without a colon"),
        ("quantity", "what", "expected this column"),
    ],
)
def test_numbers_that_are_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "printed.csv").write_text(NUMBERS.replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        study_with(tmp_path, toml='[numbers]\nfile = "printed.csv"\n')
    assert said in str(caught.value)


def test_row_sums(tmp_path: Path) -> None:
    (tmp_path / "parts.csv").write_text("what,x,y,all\nmen,1,2,3\nships,1.1,2.2,3.3\n")
    keys = 'rule = "row sums"\nparts = ["parts.csv: x", "parts.csv: y"]\ntotal = "parts.csv: all"'
    assert only(study_with(tmp_path, keys)).verdict == TABLE
    (tmp_path / "parts.csv").write_text("what,x,y,all\nmen,1,2,3\nships,1.1,2.2,3.4\n")
    row = only(study_with(tmp_path, keys))
    assert (row.verdict, row.numbers) == (CONTRA, "row 3: 1.1 + 2.2 = 3.3, against 3.4")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            'rule = "row sums"\nparts = ["parts.csv: x"]\ntotal = "more.csv: all"',
            "[[claims]] number 1, total: found 'more.csv: all'; expected a column of the same "
            "rows as 'parts.csv: x'",
        ),
        (
            'rule = "row sums"\nparts = ["parts.csv: x", "more.csv: all"]\ntotal = "parts.csv: x"',
            "[[claims]] number 1, parts: found 'more.csv: all'; expected a column of the same "
            "rows as 'parts.csv: x'",
        ),
        (
            'rule = "share of firms"\npart = "toys"\nof = "few"\nleast = 5',
            "[[claims]] number 1, of: found 'few'; expected a group of the same rows as 'toys'",
        ),
    ],
)
def test_columns_and_groups_of_other_rows(tmp_path: Path, keys: str, said: str) -> None:
    (tmp_path / "parts.csv").write_text("what,x\nmen,1\nships,2\n")
    (tmp_path / "more.csv").write_text("what,all\nmen,1\nships,2\ntoys,3\n")
    groups = '[groups.few]\ncolumn = "parts.csv: x"\nleast = 2\n'
    with pytest.raises(StudyError) as caught:
        study_with(tmp_path, keys, toml=GROUPS + groups)
    assert str(caught.value) == f"study.toml, key {said}"


def test_averages_are_bounded_by_every_completion(tmp_path: Path) -> None:
    keys = 'rule = "higher average"\ncolumn = "firms.csv: size"\na = "toys"\naverage = "median"'
    study = study_with(tmp_path, keys)
    (claim,) = study.claims
    column = claim.columns["firms.csv: size"]
    everyone = Group("", "", column.rows, (True,) * 8)
    known = np.asarray(column.numbers())
    middle, low, high = averages(column, everyone, "median")
    assert middle == np.nanmedian(known)
    found = [
        np.median(np.where(np.isnan(known), value, known)) for value in np.linspace(-1e3, 1e3, 999)
    ]
    assert (low, high) == (min(found), max(found))


# -- two proportions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"), [((3, 3), (0, 16)), ((4, 2), (3, 13)), ((0, 1), (1, 0)), ((2, 5), (2, 5))]
)
def test_two_proportions_against_quadrature(a: tuple[int, int], b: tuple[int, int]) -> None:
    first = stats.beta(a[0] + 1, a[1] + 1)
    second = stats.beta(b[0] + 1, b[1] + 1)
    exact, _ = integrate.quad(lambda p: first.pdf(p) * second.cdf(p), 0, 1, epsabs=1e-12)
    assert claimrules.probability_higher(a, b) == pytest.approx(exact, abs=1e-10)
    assert claimrules.probability_higher(a, b) + claimrules.probability_higher(b, a) == (
        pytest.approx(1)
    )


def test_two_proportions_in_closed_form() -> None:
    # One firm that has it against none known: E[p] for p ~ Beta(2, 1) is 2/3.
    assert claimrules.probability_higher((1, 0), (0, 0)) == pytest.approx(2 / 3)
    assert claimrules.probability_higher((40, 2), (40, 2)) == pytest.approx(0.5)


def _of_contrast(a: tuple[int, int], b: tuple[int, int], off: np.ndarray) -> np.ndarray:
    """Likelihood of a contrast of log odds, averaged over their level."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    found = np.zeros_like(off)
    for middle, weight in zip(1.5 * nodes, weights, strict=True):
        p, q = special.expit(middle + off / 2), special.expit(middle - off / 2)
        found += weight * p ** a[0] * (1 - p) ** a[1] * q ** b[0] * (1 - q) ** b[1]
    return found


@pytest.mark.parametrize(("a", "b"), [((3, 3), (1, 15)), ((4, 2), (3, 13)), ((0, 1), (9, 0))])
def test_proportions_under_logit_priors_against_quadrature(
    a: tuple[int, int], b: tuple[int, int]
) -> None:
    # Over the level by Gauss and Hermite, over the contrast by trapezoids on both sides of zero.
    off = np.linspace(0, 4, 1001)
    likelihood = [_of_contrast(a, b, sign * off) * stats.norm.pdf(off, 0, 0.5) for sign in (1, -1)]
    higher, lower = (integrate.trapezoid(one, off) for one in likelihood)
    model = twogroups.proportions(a, b)
    assert model.probability == pytest.approx(higher / (higher + lower), abs=2e-5)
    # Turned round it is the other way round.
    other = twogroups.proportions(b, a)
    assert other.probability == pytest.approx(1 - model.probability)
    median, low, high = model.difference(0.9)
    assert other.difference(0.9) == pytest.approx((-median, -high, -low), abs=0.05)


def test_two_groups_against_weighted_prior_draws() -> None:
    rng = np.random.default_rng(1)
    size = 100_000
    off = rng.normal(0, 0.5, size)
    # Shares: two firms of 30 and 50 percent against three of 5, 10 and 10.
    middle, phi = rng.normal(-1.5, 1, size), np.exp(rng.normal(np.log(10), 0.8, size))
    sides = [[(0.275, 0.325), (0.475, 0.525)], [(0.025, 0.075), (0.075, 0.125), (0.075, 0.125)]]
    weights = np.ones(size)
    for sign, side in zip((0.5, -0.5), sides, strict=True):
        mean = special.expit(middle + sign * off)
        for low, high in side:
            law = stats.beta(mean * phi, (1 - mean) * phi)
            weights *= law.cdf(high) - law.cdf(low)
    first, second = (special.expit(middle + sign * off) for sign in (0.5, -0.5))
    _agree(twogroups.shares(*sides), off > 0, 100 * (first - second), weights)
    # Numbers, standardized: four against three.
    numbers = np.array([1.0, 2.0, 2.5, 4.0]), np.array([0.5, 1.0, 1.5])
    both = np.concatenate(numbers)
    middle, spread = rng.normal(0, 1, size), np.abs(rng.normal(0, 1, size))
    weights = np.ones(size)
    for sign, side in zip((0.5, -0.5), numbers, strict=True):
        for value in (side - both.mean()) / both.std():
            weights *= stats.norm.pdf(value, middle + sign * off, spread)
    _agree(twogroups.numbers(*numbers), off > 0, off, weights)


def _agree(model: Any, higher: np.ndarray, off: np.ndarray, weights: np.ndarray) -> None:
    """Probabilities that weighted draws give to what the grid says, within four errors."""
    weights = weights / weights.sum()
    said = [(higher, model.probability)]
    for value, level in zip(model.difference(0.9), (0.5, 0.05, 0.95), strict=True):
        said.append((off < value, level))
    for holds, probability in said:
        error = float(np.sqrt(weights**2 @ (holds - probability) ** 2))
        assert weights @ holds == pytest.approx(probability, abs=4 * error)


def test_pooled_contrasts_against_quadrature_over_their_scale() -> None:
    pairs = [((3, 3), (1, 15)), ((2, 4), (4, 12)), ((4, 2), (6, 10))]
    off = np.linspace(0, 12, 4801)
    sides = np.array([[_of_contrast(a, b, sign * off) for sign in (1, -1)] for a, b in pairs])
    scales = 0.005 * (np.arange(600) + 0.5)
    marginals = np.array(
        [integrate.trapezoid(sides * stats.norm.pdf(off, 0, scale), off) for scale in scales]
    )
    weights = stats.norm.pdf(scales, 0, 0.5) * marginals.sum(axis=2).prod(axis=1)
    higher = marginals[:, :, 0] / marginals.sum(axis=2)
    expected = weights @ higher / weights.sum()
    assert twogroups.pooled(pairs) == pytest.approx(expected.tolist(), abs=1e-3)
    # In whatever direction the others are put, and symmetric.
    turned = twogroups.pooled([pairs[0], pairs[1][::-1], pairs[2]])
    assert turned[1] == pytest.approx(1 - twogroups.pooled(pairs)[1])
    assert turned[0] == pytest.approx(twogroups.pooled(pairs)[0])


def test_more_often(tmp_path: Path) -> None:
    keys = 'rule = "more often"\nwhat = "abroad"\namong = "tools"\nthan = "toys"'
    row = only(study_with(tmp_path, keys))
    assert row.probability == twogroups.proportions((2, 1), (1, 2)).probability
    uniform = claimrules.probability_higher((2, 1), (1, 2))
    assert f"probability under uniform priors {uniform:.2f}" in row.numbers
    assert np.isnan(row.pooled)  # of one there is nothing to pool
    assert row.numbers.startswith("2 of 3 (67")
    assert row.verdict == "undecided"
    unknown = 'rule = "more often"\nwhat = "small"\namong = "tools"'
    assert only(study_with(tmp_path / "b", unknown)).verdict == CANNOT


def test_proportions_of_printed_numbers(tmp_path: Path) -> None:
    (tmp_path / "printed.csv").write_text(NUMBERS, encoding="utf-8")
    keys = (
        'rule = "higher proportion"\npart = "a"\nwhole = "c"\nagainst = "b"\nagainst_whole = "{}"'
    )
    toml = '[numbers]\nfile = "printed.csv"\n'
    (tmp_path / "fact").mkdir()
    (tmp_path / "fact" / "printed.csv").write_text(NUMBERS, encoding="utf-8")
    row = only(study_with(tmp_path, keys.format("a"), toml=toml))
    assert row.probability == twogroups.proportions((11, 2), (2, 9)).probability
    assert row.numbers.startswith("11 of 13 (85")
    assert row.in_model == ""
    # As a fact about the printed numbers, with the same probability beside it.
    fact = keys.format("a").replace("higher proportion", "larger share")
    fact = only(study_with(tmp_path / "fact", fact, toml=toml))
    assert fact.verdict == "agrees with the printed numbers"
    assert (fact.probability, fact.numbers) == (row.probability, row.numbers)
    assert fact.in_model == ledger.verdict_of(row.probability)
    assert fact.effect_median == pytest.approx(100 * (11 / 13 - 2 / 11))
    with pytest.raises(StudyError, match="expected whole numbers, against no more than"):
        study_with(tmp_path, keys.format("d").replace('"b"', '"c"'), toml=toml)


# -- where a text is silent --------------------------------------------------------------------


def completions(study: ShareStudy, name: str) -> list[np.ndarray]:
    """Everything a group may be, whatever the texts do not name."""
    members = study.row_groups[name].members
    options = [(True, False) if member is None else (member,) for member in members]
    return [np.array(made) for made in itertools.product(*options)]


def test_a_share_is_told_for_either_reading_of_silence(tmp_path: Path) -> None:
    keys = 'rule = "share of firms"\npart = "makers"\nabove = 50'
    row = only(study_with(tmp_path, keys))
    assert row.verdict == OPEN
    assert row.open == (
        f"{CONTRA} if what the text leaves out is absent, {TABLE} if it is present"  # 4 or 8 of 8
    )
    assert ledger.verdict_text(row) == f"{OPEN}; {row.open}"
    # What holds either way is no question of silence.
    either = only(study_with(tmp_path / "b", keys.replace("above = 50", "least = 50")))
    assert (either.verdict, either.open) == (TABLE, "")


def test_frequencies_lie_between_what_silence_leaves_open(tmp_path: Path) -> None:
    keys = 'rule = "more often"\nwhat = "{}"\namong = "{}"'
    study = study_with(tmp_path, keys.format("makers", "tools"), keys.format("tools", "makers"))
    table = ledger.evaluate(study, {})
    assert table["verdict"].tolist() == [OPEN, OPEN]
    assert table["probability"].isna().all()
    tools = np.array(study.row_groups["tools"].members, bool)
    found: list[list[float]] = [[], []]
    for makers in completions(study, "makers"):
        for which, (what, among) in enumerate(((makers, tools), (tools, makers))):
            pair = [
                (int((what & side).sum()), int((~what & side).sum())) for side in (among, ~among)
            ]
            if all(map(sum, pair)):
                found[which].append(twogroups.proportions(*pair).probability)
    for said, ends in zip(table["open"], found, strict=True):
        ends_said = f"{min(ends):.2f}\u202f.?to.?{max(ends):.2f}"
        assert re.search(ends_said.replace("\u202f.?", ".?"), said), (said, min(ends), max(ends))
    # Pooled under the reading that what is not named is absent: 1 of 3 tools make, 3 of 5 others.
    expected = twogroups.pooled([((1, 2), (3, 2)), ((1, 3), (2, 2))])
    assert table["pooled"].tolist() == expected


@pytest.mark.parametrize("average", ["mean", "median"])
def test_averages_lie_between_what_silence_leaves_open(tmp_path: Path, average: str) -> None:
    keys = f'rule = "higher average"\ncolumn = "firms.csv: share"\naverage = "{average}"'
    study = study_with(tmp_path, f'{keys}\na = "makers"', f'{keys}\na = "tools"\nb = "makers"')
    numbers = np.array(study.outcome.printed)
    tools = np.array(study.row_groups["tools"].members, bool)
    of = getattr(np, average)
    rows = list(ledger.evaluate(study, {}).itertuples())
    made = completions(study, "makers")
    apart = [
        [of(numbers[a]) - of(numbers[~a]) for a in made if not a.all()],
        [of(numbers[tools]) - of(numbers[b]) for b in made],
    ]
    for row, ends in zip(rows, apart, strict=True):
        assert row.verdict == OPEN
        said = re.search(r"a difference of (\S+?)\s+?to\s+?(\S+) is possible", row.open)
        assert said, row.open
        low, high = (float(text.replace("\u2212", "-")) for text in said.groups())
        assert (low, high) == pytest.approx((min(ends), max(ends)), abs=0.051)
    if average == "mean":
        absent = numbers[[1, 2, 4, 7]].mean(), numbers[[0, 3, 5, 6]].mean()
        assert (
            f"mean {absent[0]:.1f} (4 firms) against {absent[1]:.1f} (4 firms)" in rows[0].numbers
        )
        assert f"{CONTRA} (model: undecided, 0." in rows[0].open


# -- whose claims they are, and how many hold --------------------------------------------------


def test_claims_of_our_own_are_counted_apart(tmp_path: Path) -> None:
    fact = 'rule = "number of firms"\nof = "tools"\nequal = {}'
    study = study_with(
        tmp_path,
        fact.format(3),
        fact.format(3) + '\norigin = "ours"',
        fact.format(4) + '\norigin = "ours"',
        fact.format(4) + '\norigin = "paper"\nreading = "tools are all tools"',
    )
    table = ledger.evaluate(study, {})
    assert table["origin"].tolist() == ["paper", "ours", "ours", "paper"]
    assert "claims: C1, C4\nclaims of our own: C2, C3" in describe(study)
    assert ledger.verdict_lines(table) == [
        f"{TABLE}: 1 of 2 (C1)",
        f"{CONTRA}, on one reading: 1 of 2 (C4)",
        f"our own: {TABLE}: 1 of 2 (C2)",
        f"our own: {CONTRA}: 1 of 2 (C3)",
    ]
    for origin in ("paper", "ours"):
        assert ledger.counts(table[table["origin"] == origin]) == {"differs": 1, "agrees": 1}
    last = list(table.itertuples())[-1]
    assert ledger.finding_text(last).endswith("Read as: tools are all tools")
    assert ledger.expected_wrong(table) == ""


def test_how_many_verdicts_are_expected_to_be_wrong() -> None:
    table = pd.DataFrame(
        {
            "origin": ["paper", "paper", "ours", "paper", "ours", "ours", "paper"],
            "verdict": ["supported", TABLE, "unsupported", "undecided", FAILED, TABLE, TABLE],
            "in_model": ["", "leaning", "", "", "", "undecided", ""],
            "probability": [0.98, 0.93, 0.04, 0.5, 0.99, 0.6, np.nan],
        }
    )
    # 0.02 + 0.07, and 0.04: what is uncertain, failed or without a probability decides nothing.
    assert ledger.expected_wrong(table) == (
        "Among verdicts that rest on a probability, the expected number of wrong ones is 0.090 of "
        "2 (the paper's claims) and 0.040 of 1 (our own)."
    )


@pytest.mark.parametrize("several", [False, True])
def test_the_section_tells_silence_and_what_is_pooled(tmp_path: Path, several: bool) -> None:
    keys = 'rule = "more often"\nwhat = "{}"\namong = "tools"'
    wanted = [keys.format("makers")]
    wanted += [keys.format("abroad") + '\norigin = "ours"'] * several
    study = study_with(tmp_path, *wanted)
    fit = made_up(study)
    made = section.claims(ShareReportData(study, fit, {"default": fit}))
    assert made is not None
    assert made["prior"] == twogroups.PRIORS
    assert bool(made["ours"]) == several
    assert made["silence"] == [
        {
            "column": "skill",
            "says": "what is not mentioned is unknown (Design: absent)",
            "note": "One skill each",
        }
    ]
    # One comparison alone shares no scale with another.
    assert bool(made["pooled"]) == several
    rows = list(ledger.evaluate(study, {}).itertuples())
    found = ["".join(itertools.chain(*row["found"])) for row in made["claims"]]
    assert found == [ledger.finding_text(row) for row in rows]
    if several:
        pooled = [f"Pooled: {row.pooled:.2f}" in found[i] for i, row in enumerate(rows)]
        assert pooled == [True, True]
        assert [row["ours"] for row in made["claims"]] == [False, True]


# -- the posterior -------------------------------------------------------------------------


def test_effect_of_a_parameter(tmp_path: Path) -> None:
    study = study_with(tmp_path, 'rule = "effect"\nparameter = "ease"\nsign = "positive"')
    row = only(study, made_up(study, {"ease": share_positive(0.95)}))
    assert (row.probability, row.verdict, row.fit) == (0.95, "leaning", "default")
    failed = only(study, made_up(study, {"ease": share_positive(0.95)}, fails=True))
    assert (failed.verdict, failed.converged) == (FAILED, False)


def test_levels_are_compared_draw_by_draw(tmp_path: Path) -> None:
    keys = 'rule = "higher level"\npredictor = "branch"\nlevels = "Tools"\nagainst = "Toys"'
    study = study_with(tmp_path, keys)
    effects = np.zeros((DRAWS, 3))
    effects[:, study.predictors["branch"].levels.index("Tools")] = share_positive(0.8)
    fit = made_up(study, {"branch": effects})
    row = only(study, fit)
    assert row.probability == pytest.approx(0.8, abs=0.01)
    assert row.verdict == "undecided"
    draws = fit["estimands"].to_dataset()["difference"]
    by_hand = flat(draws.sel(comparison="branch: Tools - Toys"))
    assert row.effect_median == pytest.approx(np.median(by_hand))
    assert "reported on average 21.7" in row.numbers


def test_extreme_levels(tmp_path: Path) -> None:
    keys = 'rule = "extreme level"\npredictor = "branch"\nlevel = "Toys"\nend = "{}"'
    study = study_with(tmp_path, keys.format("lowest"), keys.format("highest"))
    toys = study.predictors["branch"].levels.index("Toys")
    effects = np.zeros((DRAWS, 3))
    effects[:, toys] = share_positive(0.02)
    table = ledger.evaluate(study, {"default": made_up(study, {"branch": effects})})
    assert table["probability"].tolist() == pytest.approx([0.98, 0.02], abs=0.01)
    assert table["verdict"].tolist() == [
        "supported (on the edge)",
        "contradicted by the model (on the edge)",
    ]


def test_groups_of_firms_are_compared_as_they_are(tmp_path: Path) -> None:
    keys = 'rule = "higher expected"\na = "tools"\nb = "toys"'
    study = study_with(tmp_path, keys)
    fit = made_up(study, {"ease": 1.0, "branch": np.array([0.0, 0.5, 0.0])})
    row = only(study, fit)
    shares = fit["estimands"].to_dataset()["firm_share"]
    by_hand = shares.sel(firm=["Alder", "Birch", "Gorse"]).mean("firm") - shares.sel(
        firm=["Cedar", "Elder", "Hazel"]
    ).mean("firm")
    assert row.effect_median == pytest.approx(float(by_hand.median()))
    assert row.probability == pytest.approx(float((by_hand > 0).mean()))


def test_what_a_predictor_explains(tmp_path: Path) -> None:
    keys = 'rule = "explains"\npredictor = "branch"\nleast = 25'
    study = study_with(tmp_path, keys)
    strong = made_up(study, {"branch": np.array([-3.0, 0.0, 3.0]), "phi": 100.0})
    assert only(study, strong).verdict == "supported"
    assert only(study, made_up(study)).verdict == "contradicted by the model"


def test_a_variant_that_is_not_stored_is_waited_for(tmp_path: Path) -> None:
    keys = 'rule = "effect"\nparameter = "ease"\nsign = "positive"\nfit = "hurdle"'
    study = study_with(tmp_path, keys)
    row = only(study, made_up(study))
    assert (row.verdict, row.fit) == (NOT_FITTED, "hurdle")
    assert "--variants all" in row.numbers
    tree = made_up(study, {"ease": share_positive(0.99)}, variant="hurdle")
    both = ledger.evaluate(study, {"default": made_up(study), "hurdle": tree})
    assert both["verdict"].tolist() == ["supported"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('rule = "effect"\nparameter = "eas"\nsign = "positive"', "did you mean 'ease'?"),
        ('rule = "effect"\nparameter = "ease"\nsign = "positive"\nfit = "x"', "a variant, one of"),
        ('rule = "explains"\npredictor = "brunch"\nleast = 5', "did you mean 'branch'?"),
        ('rule = "higher level"\npredictor = "branch"\nlevels = "Tolls"', "did you mean 'Tools'?"),
        (
            'rule = "higher level"\npredictor = "branch"\nlevels = "Toys"\nagainst = "Toys"',
            "on one side only",
        ),
    ],
)
def test_names_are_checked_before_anything_is_fitted(tmp_path: Path, keys: str, said: str) -> None:
    study = study_with(tmp_path, keys)
    with pytest.raises(StudyError) as caught:
        require_names(study)
    assert said in str(caught.value)
    with pytest.raises(SystemExit) as stopped:
        main(["fit", str(study.folder), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('rule = "falls"', "this rule needs a decay model; expected one of"),
        ('rule = "number of firms"\nof = "tolls"\nequal = 1', "did you mean 'tools'?"),
        ('rule = "number of firms"\nof = "tools"', "expected it, or least or most"),
        ('rule = "every"\nof = "tools"\nis = "tools"', "expected another group"),
        ('rule = "labels"\ncolumns = "nofile.csv: x"\nnumber = 1', "nofile.csv"),
        ('rule = "range"\ncolumn = "firms.csv: branch"\nsmallest = 0\nlargest = 1', "a number"),
        ('rule = "sum"\ncounts = "x"\ntotal = "y"', "reads printed numbers"),
        ('rule = "effect"\nparameter = "ease"\nsign = "up"', "expected one of 'positive'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        study_with(tmp_path, keys)
    text = str(caught.value)
    assert said in text
    assert text.isprintable()


# -- vocabulary, commands and documents ------------------------------------------------------


def test_every_rule_has_words_and_a_way_to_work_it_out() -> None:
    for name, rule in RULES.items():
        assert name == rule.name
        assert rule.words
        assert type(rule).evaluate is not Rule.evaluate
        assert rule.kind in KINDS
        assert not rule.needs_fit or len(rule.models) == 1
    assert set(RULES) == set(rules_of("share")) | set(rules_of("decay"))


def test_every_rule_reaches_another_process() -> None:
    """Fits of variants and checks run in helpers, which get the study with its claims."""
    for name, rule in RULES.items():
        sent = pickle.loads(pickle.dumps(rule))  # noqa: S301
        assert (sent.name, sent.words, type(sent)) == (name, rule.words, type(rule))
    for name in ("rochester", "norway"):
        study = load_study(name)
        sent = pickle.loads(pickle.dumps(study))  # noqa: S301
        assert [claim.rule.name for claim in sent.claims] == [c.rule.name for c in study.claims]
        assert len(sent.claims) > 20


def test_the_documents_have_every_rule_as_the_code_has_it() -> None:
    text = (Path(__file__).parent.parent / "docs" / "claims.md").read_text(encoding="utf-8")
    for name, rule in RULES.items():
        (line,) = re.findall(rf"^\| `{name}` \| (.*) \| (.*) \|$", text, flags=re.MULTILINE)
        keys = [f"`{key}`" + ("" if item.required else "?") for key, item in rule.keys.items()]
        assert line == (", ".join(keys), rule.means)


def test_the_example_of_the_documents_can_be_used(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    text = (root / "docs" / "claims.md").read_text(encoding="utf-8")
    example, silence, *_ = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    shutil.copytree(root / "data" / "rochester", tmp_path / "study")
    path = tmp_path / "study" / "study.toml"
    before = path.read_text(encoding="utf-8").partition("\n[[silence]]\n")[0]
    # Outcomes that are groups need these.
    before = re.sub(r"\n\[outcomes\.entry\]\n(.+\n)+", "\n", before)
    path.write_text(f"{before}\n{silence}\n{example}", encoding="utf-8")
    study = load_study(path.parent)
    require_names(study)
    assert [claim.id for claim in study.claims] == ["C1"]
    assert list(study.silence) == ["table4.csv: stage"]
    assert study.row_groups["optics"].sure == ("B", "C", "H", "J", "P", "T")


def test_the_command_prints_the_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_with(tmp_path, 'rule = "effect"\nparameter = "ease"\nsign = "positive"')
    store_fits(study, tmp_path / "out", default=made_up(study, {"ease": share_positive(0.99)}))
    with pytest.raises(SystemExit) as stopped:
        main(["claims", str(study.folder), "--out", str(tmp_path / "out")])
    assert not stopped.value.code
    out = capsys.readouterr().out
    assert out.startswith("So it is (C1): supported\n  probability 0.99")
    assert "supported: 1 of 1 (C1)" in out
    assert "0.010 of 1 (the paper's claims)" in out
    table = claim_table(study, tmp_path / "out")
    assert table["verdict"].tolist() == ["supported"]


def test_a_study_without_claims_says_so(tmp_path: Path) -> None:
    study = study_with(tmp_path)
    with pytest.raises(StudyError, match="this study has no claims"):
        claim_table(study, tmp_path / "out")


def test_light_fits_will_do(tmp_path: Path) -> None:
    keys = (
        'rule = "effect"\nparameter = "ease"\nsign = "positive"\nfit = "hurdle"',
        'rule = "higher expected"\na = "tools"\nfit = "hurdle"',
        'rule = "higher level"\npredictor = "branch"\nlevels = "Toys"\nfit = "hurdle"',
    )
    study = study_with(tmp_path, *keys)
    whole = made_up(study, {"ease": share_positive(0.99)}, variant="hurdle")
    store_fits(study, tmp_path / "out", hurdle=whole)
    (path,) = (tmp_path / "out").rglob("hurdle.nc")
    tables = [
        ledger.evaluate(study, {"default": made_up(study), "hurdle": tree})
        for tree in (whole, store.read_summary(path, ["prior"]))
    ]
    pd.testing.assert_frame_equal(*tables)


# -- Rochester -----------------------------------------------------------------------------

#: An independent reading of what the Rochester paper prints: which of its claims hold in it.
HOLD = {
    *("R01", "R02", "R04", "R05b", "R07", "R08a", "R08b", "R25a", "R25b", "R26b", "R28a", "R28b"),
    *("R29", "R29b", "R30d", "R31b", "R32", "R33", "R33b", "R34", "R36a", "R38c", "R39a", "R45b"),
    *("R06b", "R22b", "R48", "R52", "R55"),
}
DO_NOT = {"R03", "R05a", "R06", "R29c", "R51"}
#: Those that hold, or do not, with one reading of their words only.
ON_ONE_READING = {
    *("R05a", "R05b", "R06b", "R08a", "R08b", "R22b", "R29c", "R32", "R33", "R48"),
}
#: Claims that a text which was not printed could decide: one dominant trait a firm; no agents,
#: owners or dedicated programmes beyond those that a stage names.
OPENED = {
    *("R13b", "R14", "R15", "R16", "R17", "R18", "R18b", "R18c", "R19", "R20a", "R21b", "R23"),
    *("R23b", "R24", "R30a", "R30b", "R30c", "R31", "R35", "R37a", "R37b", "R43", "R49", "R50"),
}
#: Sentences that are in neither the text nor the tables of the paper.
OWN = {
    *(
        "R07",
        "R08c",
        "R09b",
        "R10b",
        "R11b",
        "R21b",
        "R26b",
        "R27",
        "R37a",
        "R37b",
        "R38b",
        "R38c",
        "R39c",
        "R45b",
        "R49",
        "R50",
        "R51",
        "R52",
    ),
    *("R53a", "R53b", "R54", "R55"),
}


@pytest.fixture(scope="module")
def rochester() -> pd.DataFrame:
    return ledger.evaluate(load_study("rochester"), {}).set_index("id")


def test_every_claim_of_the_rochester_paper_is_in_the_ledger(rochester: pd.DataFrame) -> None:
    numbers = {name.rstrip("abcd") for name in rochester.index}
    assert sorted(numbers) == [f"R{number:02d}" for number in range(1, 59)]
    verdicts = rochester["verdict"]
    assert set(rochester.index[verdicts.str.startswith("agrees")]) == HOLD
    assert set(rochester.index[verdicts.str.startswith("differs")]) == DO_NOT
    assert set(rochester.index[verdicts == OPEN]) == OPENED
    assert set(rochester.index[rochester["open"] != ""]) == OPENED
    assert set(rochester.index[verdicts.str.endswith(", on one reading")]) == ON_ONE_READING
    assert set(rochester["rule"][verdicts == CANNOT]) == {"cannot"}
    assert set(rochester.index[rochester["origin"] == "ours"]) == OWN
    # No average without a probability beside it, or under the reading by which it is one.
    averages = rochester[rochester["rule"] == "higher average"]
    assert (
        averages["probability"].notna() ^ averages["open"].str.contains("(model: ", regex=False)
    ).all()
    assert len(averages) == 10
    frequencies = rochester[rochester["rule"] == "more often"]
    assert frequencies["pooled"].notna().all()
    assert (verdicts == NOT_FITTED).sum() == (rochester["fit"] != "").sum()


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("R02", "15 of 22, 68.2"),
        ("R03", "from 0 (M) to 55 (I)"),
        ("R06b", "13 of 22, 59.1"),
        ("R22b", "4 of 22 (I, L, M, N)"),
        ("R29c", "3 of 15, 20.0"),
        ("R08a", "mean 25.0 (10 firms) against 15.0 (6 firms)"),
        ("R15", "3 of 6 (50"),
        ("R16", "not reported for B, C, P"),
        ("R14", "1 of 6, 16.7"),
        ("R38c", "mean 38.3 (6 firms) against 15.4 (14 firms)"),
        ("R30a", "4 of 6 (67"),
        ("R30b", "4 of 6 (67"),
        ("R32", "median 15.0 (7 firms) against 2.2 (13 firms)"),
        ("R35", "5 of 19, 26.3"),
        ("R37a", "4 of 7 (57"),
        ("R37b", "3 of 6 (50"),
        ("R51", "not J"),
    ],
)
def test_numbers_of_the_rochester_paper(rochester: pd.DataFrame, name: str, numbers: str) -> None:
    assert numbers in rochester.loc[name, "numbers"]
