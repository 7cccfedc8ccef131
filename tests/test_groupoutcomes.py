"""Labels read as other levels, and yes or no outcomes that are groups of firms."""

import numpy as np
import pytest

from intlmodels.models import catalogue, design_of
from intlmodels.results import groups as tables
from intlmodels.studies import StudyError, load_study
from outcomestudies import write_outcomes
from studies import LEAST, write_study

READINGS = """
[[predictors.branch.readings]]
label = "Toys"
level = "Goods"
[[predictors.branch.readings]]
label = "Tools"
level = "Goods"
note = "both are goods"
"""

GROUPS = """
[[silence]]
column = "abroad.csv: how"
unnamed = "unknown"
except = ["shop"]
note = "Some may not have said so."

[groups.agent]
label = "firms with an agent"
column = "abroad.csv: how"
contains = ["agent"]

[groups.shop]
column = "abroad.csv: how"
contains = ["shop"]

[groups.none]
column = "abroad.csv: how"
is = ["None", "Mail"]

[groups.agent_abroad]
label = "firms with an agent abroad"
all = ["agent"]
without = ["none"]

[outcomes.way]
kind = "groups"
groups = ["shop", "agent_abroad"]
note = "as the firms say"
"""


@pytest.fixture
def study(tmp_path):
    folder = write_outcomes(tmp_path)
    with (folder / "study.toml").open("a", encoding="utf-8") as file:
        file.write(GROUPS)
    return load_study(folder)


def test_readings_put_labels_together_and_leave_the_others(tmp_path):
    branch = load_study(write_study(tmp_path, toml=LEAST + READINGS)).predictors["branch"]
    assert branch.levels == ("Boats", "Goods")
    assert [branch.levels[code] for code in branch.codes[:4]] == [
        "Goods",
        "Goods",
        "Goods",
        "Boats",
    ]
    assert branch.printed[0] == "Tools"
    assert branch.readings[1] == ("Tools", "Goods", "both are goods")


def test_a_second_label_is_read_as_the_first_one(tmp_path):
    more = '[variants.two]\nkind = "membership"\npredictor = "branch"\ncolumn = "second"\n'
    edit = ("Birch,25,20,Tools,Toys", "Birch,25,20,Tools,Boats")
    folder = write_study(
        tmp_path, toml=f"{LEAST}{READINGS}{more}primary_weight = 0.75\n", edit_firms=[edit]
    )
    two = load_study(folder).variants["two"]
    assert two.levels == ("Boats", "Goods")
    # Downy makes boats, and tools as well.
    assert two.weights[3].tolist() == [0.75, 0.25]


def test_each_group_is_an_outcome_by_the_rules_of_silence(study):
    shop, agent = study.outcomes["way-shop"], study.outcomes["way-agent_abroad"]
    assert shop.kind == agent.kind == "binary"
    assert (shop.label, agent.label) == ("Shop", "Firms with an agent abroad")
    # Birch and Downy have a shop; of a shop the column is not silent.
    assert np.flatnonzero(shop.codes).tolist() == [1, 3]
    assert shop.known.all()
    # Alder, Downy, Elder and Gorse have agents, Cedar and Fir surely none.
    assert np.flatnonzero(agent.codes).tolist() == [0, 3, 4, 6]
    assert np.flatnonzero(~agent.known).tolist() == [1, 7]
    assert [firm for firm, _ in agent.missing] == ["Birch", "Hazel"]
    assert agent.note.endswith("unknown (shop: absent). Some may not have said so")
    assert shop.note == "as the firms say"


def test_each_is_a_variant_of_its_own_that_is_shown(study):
    assert catalogue(study)["way-shop"].outcome == "way-shop"
    design = design_of(study, "way-agent_abroad")
    assert design.family == "binary"
    assert design.weights(study).tolist() == [1, 0, 1, 1, 1, 1, 1, 0]
    told = tables.readings(study, study.outcomes["way-agent_abroad"])
    assert dict(zip(told["printed"], told["firms"], strict=True))["Agent"] == "Alder, Elder, Gorse"


def outcome(*groups):
    named = ", ".join(f'"{name}"' for name in groups)
    return GROUPS[: GROUPS.index("[outcomes.way]")] + (
        f'[outcomes.way]\nkind = "groups"\ngroups = [{named}]\n'
    )


@pytest.mark.parametrize(
    ("added", "says"),
    [
        (outcome("shops"), "no such group of rows (did you mean 'shop'?)"),
        (outcome("agent"), "4 firms belong to this group, 0 do not, and for 4 it is not known"),
        (outcome(), "expected one or more groups, each once"),
        (
            outcome("shop") + '[outcomes.way-shop]\nkind = "binary"\nfile = "abroad.csv"\n'
            'columns = ["style"]\nyes = ["Planned"]\nno = ["Chance"]\n',
            "another outcome or variant has this name",
        ),
        (
            READINGS.replace('"Toys"', '"Toy"'),
            "no firm has this label (did you mean 'Toys'?)",
        ),
        (
            READINGS.replace("branch", "skill"),
            "a label is read by its reading or by the part before the family_separator",
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, added, says):
    folder = write_outcomes(tmp_path)
    with (folder / "study.toml").open("a", encoding="utf-8") as file:
        file.write(added)
    with pytest.raises(StudyError) as caught:
        load_study(folder)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
