"""Variants in which firms have other sizes than the study says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decaystudies import COUNTS, write_counts_study, write_decisions_study
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting.fit import fit
from intlmodels.models import catalogue, combinations, design_of, find_variant
from intlmodels.results import decay
from intlmodels.studies import describe, load_study

NORWAY = load_study("norway")


def other_sizes(*sizes: tuple[str, str]) -> str:
    tables = (
        f'[[variants.swap.sizes]]\nsize = "{size}"\nfirms = [{firms}]\n' for size, firms in sizes
    )
    return '\n[variants.swap]\nkind = "sizes"\nnote = "Why not."\n' + "".join(tables)


def counted(folder: Path, toml: str):
    return load_study(write_counts_study(folder, counts=COUNTS, toml=toml))


def test_firms_that_are_not_named_have_the_size_that_is_left_out(tmp_path):
    study = counted(tmp_path, other_sizes(("large", '"Box", "Cob"')))
    assert study.readings["swap"].sizes == ("other", "large", "large")
    own, swapped = design_of(study), design_of(study, "swap")
    assert (own.size_of_firm, swapped.size_of_firm) == ((0, 1, 1), (1, 0, 0))
    assert (swapped.sizes, swapped.common) == (own.sizes, False)
    row = find_variant(study, "swap")
    assert row.comparable
    assert row.axis == "sizes"
    assert "large 'Box', 'Cob'" in row.change
    assert row.change in describe(study)
    assert combinations(study)["sizes"] == ("default", "swap")


def test_counts_of_a_size_keep_their_firms(tmp_path):
    study = counted(tmp_path, other_sizes(("large", '"Box"')))
    assert study.readings["swap"].counts == study.counts == design_of(study, "swap").counts
    (count,) = (count for count in study.counts if count.id == "large")
    assert count.firms == ("Ash",)


def test_decisions_that_are_known_may_be_of_other_sizes_too(tmp_path):
    toml = other_sizes(("large", '"Cob"'), ("other", '"Ash", "Box"'))
    study = load_study(write_decisions_study(tmp_path, toml=toml))
    assert design_of(study, "swap").size_of_firm == (1, 1, 0)
    assert design_of(study, "swap+power").family == "power"


def test_a_fit_has_the_decays_of_the_other_sizes(tmp_path):
    study = counted(tmp_path, other_sizes(("large", '"Cob"')))
    tree = fit(study, "swap", settings=Settings(draws=20, tune=20, chains=2))
    constant = tree["constant_data"]
    assert constant["firm_size"].to_numpy().tolist() == ["other", "other", "large"]
    table = tree["posterior"]["table"].sel(firm_level="Cob").sum(("period_level", "flag"))
    cells = decay.estimands(tree)["group_cell"].sel(size="large").sum(("period_level", "flag"))
    np.testing.assert_array_equal(cells, table)


def test_norway_has_an_exchange_of_large_firms():
    own = [name for name, row in catalogue(NORWAY).items() if row.axis == "sizes"]
    assert own == ["large-h"]
    design = design_of(NORWAY, "large-h")
    large = [f for f, size in zip(design.firms, design.size_of_firm, strict=True) if not size]
    assert large == ["A", "B", "H"]


BAD = {
    "an unknown firm": ([("large", '"Bax"')], ["number 1, firms", "'Bax'", "mean 'Box'"]),
    "an unknown size": ([("larg", '"Box"')], ["number 1, size", "'larg'", "mean 'large'"]),
    "a size without firms": ([("large", "")], ["number 1, firms", "one or more firms"]),
    "a size for all": ([("large", '"Ash", "Box", "Cob"')], ["no firm of the size 'other'"]),
    "a firm twice": (
        [("large", '"Box"'), ("other", '"Box", "Ash"')],
        ["number 2, firms", "'Box'", "large already"],
    ),
    "a size twice": ([("large", '"Box"'), ("large", '"Ash"')], ["number 2, size", "each size"]),
    "a firm of no size": ([("large", '"Box"'), ("other", '"Ash"')], ["'Cob' without a size"]),
    "the same sizes": ([("large", '"Ash"')], ["sizes of the study itself"]),
    "none": ([], ["[variants.swap]"]),
}


@pytest.mark.parametrize("case", BAD)
def test_other_sizes_that_cannot_be_are_refused_in_one_line(tmp_path, case):
    sizes, expected = BAD[case]
    with pytest.raises(StudyError) as caught:
        counted(tmp_path, other_sizes(*sizes))
    text = str(caught.value)
    assert "\n" not in text
    assert "study.toml" in text
    for part in expected:
        assert part in text
