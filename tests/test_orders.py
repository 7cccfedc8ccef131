"""A further outcome with its levels in another order."""

from __future__ import annotations

import numpy as np
import pytest

from intlmodels.core.errors import StudyError
from intlmodels.models import catalogue, design_of, find_variant
from intlmodels.results import share
from intlmodels.studies import describe, load_study
from outcomestudies import write_outcomes
from rendered import appendix, text_of
from trees import made_up, store_fits

ORDER = """
[variants.agent-last]
kind = "order"
outcome = "reach"
levels = ["nothing", "shop", "agent"]
note = "Why not."
"""
READING = '[[variants.agent-last.readings]]\nlabel = "Plant"\nlevel = "agent"\n'


def study_with(folder, text):
    path = write_outcomes(folder) / "study.toml"
    path.write_text(path.read_text() + text)
    return load_study(path.parent)


def test_levels_change_places_and_firms_go_along(tmp_path):
    study = study_with(tmp_path, ORDER)
    own, other = study.outcomes["reach"], design_of(study, "agent-last").further
    assert [own.levels[i] for i in own.codes] == [other.levels[i] for i in other.codes]
    assert other.levels == ("nothing", "shop", "agent")
    assert (np.sort(np.unique(other.codes)) == [0, 1, 2]).all()
    assert study.outcomes["reach"] is own
    assert own.levels[1] == "agent"
    row = find_variant(study, "agent-last")
    assert (row.outcome, row.comparable, row.axis) == ("reach", False, "")
    assert "reach in the order nothing / shop / agent" in describe(study)


def test_a_label_may_be_read_otherwise_in_the_other_order(tmp_path):
    study = study_with(tmp_path, ORDER + READING)
    other = design_of(study, "agent-last").further
    plant = [printed == "Plant" for printed in other.printed]
    assert other.codes[plant].tolist() == [2] * sum(plant)
    assert sum(plant) > 0


def test_rochester_has_two_other_orders_of_its_stages():
    study = load_study("rochester")
    own = study.outcomes["stage"]
    agent_first = design_of(study, "stage-agent-first").further
    late = design_of(study, "stage-agent-late").further
    both = study.firms.index("F")
    assert own.levels[own.codes[both]] == "agent"
    assert agent_first.levels[agent_first.codes[both]] == "export"
    assert late.levels[late.codes[both]] == "agent"
    same = [i for i in range(len(study.firms)) if i != both]
    for other in (agent_first, late):
        assert sorted(other.levels) == sorted(own.levels)
        assert [other.levels[other.codes[i]] for i in same] == [
            own.levels[own.codes[i]] for i in same
        ]


BAD = {
    "an unknown outcome": ([('outcome = "reach"', 'outcome = "rech"')], ["mean 'reach'"]),
    "yes or no": ([('outcome = "reach"', 'outcome = "planned"')], ["outcome", "is binary"]),
    "another level": ([('"agent"]', '"agency"]')], ["levels", "'nothing', 'agent', 'shop'"]),
    "a level less": ([(', "agent"]', "]")], ["levels", "in another order"]),
    "the same order": ([('"shop", "agent"]', '"agent", "shop"]')], ["order of the outcome itself"]),
    "an unknown label": (
        [("Why not.", 'Why not."\n[[variants.agent-last.readings]]\nlabel="Plnt"\nlevel="shop')],
        ["readings", "'Plnt'", "mean 'Plant'"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_orders_that_cannot_be_are_refused_in_one_line(tmp_path, case):
    edits, expected = BAD[case]
    text = ORDER
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    with pytest.raises(StudyError) as caught:
        study_with(tmp_path, text)
    said = str(caught.value)
    assert "\n" not in said
    assert "study.toml" in said
    assert "agent-last" in said
    for part in expected:
        assert part in said


def test_the_report_sets_orders_side_by_side(tmp_path):
    study = study_with(tmp_path / "study", ORDER)
    names = ("default", "reach", "agent-last")
    fits = {
        "default": made_up(study),
        "reach": made_up(study, {"ease": 1.0}, variant="reach"),
        "agent-last": made_up(study, {"ease": 0.0}, variant="agent-last"),
    }
    assert set(names) <= set(catalogue(study))
    store_fits(study, tmp_path / "out", **fits)
    text = text_of(appendix(study, tmp_path / "out", ["outcomes"]))
    assert "agent-last (nothing, shop, agent):" in text
    header = "| difference | reach | agent-last |"
    assert header in text
    rows = text.partition(header)[2].splitlines()[2:]
    (row,) = (line for line in rows if line.startswith("| Ease of moving: Easy"))
    table = share.differences(fits["reach"])
    ease = table[table["predictor"] == "ease"].iloc[0]
    assert f"{ease['median']:.2f}"[:3] in row
