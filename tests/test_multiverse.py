"""The multiverse: which combinations there are, what each fit adds, and what holds in how many."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import madetrust
from intlmodels.checks import multiverse as mv
from intlmodels.checks import tables
from intlmodels.checks.stored import Multiverse, Specification, read_checks, write
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting import jobs
from intlmodels.models import design_of, find_variant
from intlmodels.plots import checks as plots
from intlmodels.report import checks as sections
from intlmodels.report import checkvalues
from intlmodels.report.data import ShareReportData
from intlmodels.results import share
from intlmodels.studies import load_study
from mockfit import mock_fit
from priordraws import Here
from studies import write_study
from trees import made_up, share_positive


@pytest.fixture
def study(tmp_path):
    full = [("Cedar,0,,Toys", "Cedar,0,4,Toys")]  # made-up fits have no missing values
    return load_study(write_study(tmp_path / "study", edit_firms=full))


def test_choices_of_different_axes_are_combined(study):
    variant = find_variant(study, "hurdle+nested-skill")
    both = design_of(study, "hurdle+nested-skill")
    assert both.family == "hurdle"
    assert [b.name for b in both.blocks] == [
        b.name for b in design_of(study, "nested-skill").blocks
    ]
    assert variant.change == "; ".join(
        find_variant(study, name).change for name in ("hurdle", "nested-skill")
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hurdle+heaped", "two choices of its family"),
        ("density+nested-skill", "density stands alone"),
        ("hurdle+nonsense", "no variant is called 'nonsense'"),
    ],
)
def test_what_cannot_be_combined_is_refused(study, name, why):
    with pytest.raises(StudyError, match=why):
        design_of(study, name)


def test_an_unknown_axis_is_refused_with_those_there_are(study):
    with pytest.raises(StudyError, match=r"no such axis.*family"):
        mv.axes_of(study, ["famly"])


def test_every_combination_is_fitted_once_with_a_seed_of_its_own(monkeypatch, study, tmp_path):
    monkeypatch.setattr(jobs, "fit", mock_fit)
    axes = mv.axes_of(study, ["family", "priors"])
    check = mv.multiverse(study, axes, {}, Settings(draws=500, tune=500, cores=1), tmp_path)
    plans = list(check.tasks.values())
    assert len(plans) == len(axes["family"]) * 3
    assert len({plan.settings.seed for plan in plans}) == len(plans)
    halved, doubled = (
        next(p for p, c in zip(plans, _choices(axes), strict=True) if c == ("default", word))
        for word in ("halved", "doubled")
    )
    assert halved.priors["phi"].args[1] == pytest.approx(0.4)
    assert doubled.priors["phi"].args[1] == pytest.approx(1.6)
    found = check.run(Here())
    assert [s.choices for s in found.specifications] == list(_choices(axes))
    assert sum(s.weight for s in found.specifications) == pytest.approx(1)
    write("multiverse", found, study, {}, tmp_path)
    read = read_checks(study, tmp_path, {}).multiverse
    assert read.reasons == ()
    assert [s.name for s in read.value.specifications] == [s.name for s in found.specifications]
    # What is finished is not fitted again.
    monkeypatch.setattr(jobs, "fit", partial(pytest.fail, "fitted again"))
    assert check.run(Here()) == found


def _choices(axes):
    return [(family, prior) for family in axes["family"] for prior in axes["priors"]]


def test_stability_counts_combinations_on_the_side_of_the_default():
    found = madetrust.multiverse([0.02, 0.01, 0.08, 0.3, 0.6], weights=[0.5, 0.5, 0.0, 0.0, 0.0])
    (row,) = tables.key_contrasts(found).itertuples(index=False)
    assert (row.combinations, row.same_side, row.leaning, row.clear) == (5, 4, 3, 2)
    assert (row.lowest, row.highest) == (0.01, 0.6)
    assert row.equal == pytest.approx(np.mean([0.02, 0.01, 0.08, 0.3, 0.6]))
    assert row.stacked == pytest.approx(0.015)
    said = madetrust.said("multiverse", checkvalues.multiverse(found))
    assert "negative in 4 of 5 combinations and clear in 2" in said
    assert "0.98 in the default" in said


def made_claim(name, terms=()):
    rule = SimpleNamespace(name="falls")
    return SimpleNamespace(id=name, rule=rule, terms=dict(terms), fit="default")


def test_claims_that_a_combination_does_not_have_are_counted_where_they_are():
    was = [made_claim("C1"), made_claim("C2"), made_claim("C3", {"sizes": ("large",)})]
    one, two, other = map(tables.claim_key, was)
    claims = [{one: 0.99, two: 0.5, other: 0.9}, {one: 0.98}, {one: 0.93, two: 0.7}]
    found = madetrust.multiverse([0.9] * 3, claims=claims)
    now = [made_claim("C1"), made_claim("C2"), made_claim("C3", {"sizes": ("other",)})]
    by_combination = tables.claims_by_combination(found, now)
    table = tables.stability(by_combination, (0.9, 0.975)).set_index("name")
    assert list(table.index) == ["C1", "C2"]  # C3 has changed since
    assert table.loc["C1", ["combinations", "clear"]].tolist() == [3, 2]
    assert table.loc["C2", ["combinations", "same_side"]].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("default", "count"),
    [
        (0.98, 2),  # clear in the default: 0.99 and 0.98
        (0.974, 3),  # leaning as another seed has it: those that lean or are clear
        (0.5, 1),  # uncertain: 0.3
        (0.1, 1),  # leaning to the other side: 0.08
        (0.02, 0),
    ],
)
def test_a_verdict_stands_where_it_is_as_firm(default, count):
    found = madetrust.multiverse([0.98, 0.99, 0.9, 0.3, 0.08])
    every = tables.of_differences(tables.curves(found))
    name = "Easy against Hard"
    said = tables.standing(found, every, {name: default})
    assert said == {name: f"stands in {count} of 5 combinations of priors"}
    assert tables.standing(found, every, {"another": 0.9, name: float("nan")}) == {}


def test_verdicts_of_the_report_say_where_they_stand(study):
    fit = made_up(study, {"ease": share_positive(0.99)})
    data = ShareReportData(study, fit, {"default": fit})
    assert "stands" not in data.differences
    pair = next(data.differences.query("predictor == 'ease'").itertuples(index=False))
    name = share.difference_name(pair.label, pair.level, pair.against)
    found = madetrust.multiverse([0.99, 0.98, 0.5])
    found = replace(found, moved=tuple(replace(row, quantity=name) for row in found.moved))
    data = ShareReportData(
        study, fit, {"default": fit}, check_results=madetrust.trust(multiverse=found)
    )
    stands = data.differences.query("predictor == 'ease'")["stands"].iloc[0]
    assert stands == "stands in 2 of 3 combinations of priors"
    assert data.differences["stands"].astype(bool).sum() == 1


def test_combinations_that_did_not_converge_do_not_count():
    found = madetrust.multiverse([0.99, 0.2, 0.98])
    parts = list(found.specifications)
    parts[1] = Specification("c1", ("c1",), False, 0.0, 0, {})
    found = Multiverse(found.axes, tuple(parts), found.moved)
    assert tables.curves(found)["specification"].tolist() == ["as stated", "c2"]
    assert "1 did not converge and does not count: c1" in madetrust.said(
        "multiverse", checkvalues.multiverse(found)
    )


def test_the_section_draws_a_curve_and_the_specifications_in_order():
    found = madetrust.multiverse([0.9, 0.99, 0.3])
    figure = plots.specifications(tables.curves(found), found.axes)
    top, below = figure.axes
    medians = np.concatenate([line.get_ydata() for line in top.lines[:3]])
    assert sorted(medians) == pytest.approx([3.0, 9.0, 9.9])
    assert [tick.get_text() for tick in below.get_yticklabels()] == ["as stated", "c1", "c2"]
    assert [text.get_text() for text in below.texts] == ["priors"]
    made_up = madetrust.material(madetrust.trust(multiverse=found))
    made_up.study.claims = ()
    page = madetrust.rendered("multiverse", sections.multiverse(made_up))
    assert [figure.drawing.name for figure in page.figures] == ["multiverse-1"]
    assert page.tables == ()


def test_an_axis_whose_name_is_a_symbol_is_called_by_words():
    found = madetrust.multiverse([0.9, 0.99, 0.3])
    found = replace(found, axes={"rho": found.axes["priors"]})
    figure = plots.specifications(tables.curves(found), found.axes)
    words = "weight of a count off by one"
    assert [text.get_text() for text in figure.axes[1].texts] == [words]
    said = madetrust.said("multiverse", checkvalues.multiverse(found))
    assert f"All 3 combinations of {words} (3) were fitted." in said


def test_without_a_default_that_converged_nothing_is_compared():
    found = madetrust.multiverse([0.9, 0.99])
    parts = [Specification("as stated", ("as stated",), False, 0.0, 0, {}), found.specifications[1]]
    found = Multiverse(found.axes, tuple(parts), found.moved)
    text = madetrust.said("multiverse", checkvalues.multiverse(found))
    assert "The default did not converge" in text.splitlines()[-1]
    assert isinstance(tables.key_contrasts(found), pd.DataFrame)
    assert not len(tables.key_contrasts(found))
