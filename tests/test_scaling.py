"""Reading takes time in proportion to the size of the tables: comparisons are counted."""

from __future__ import annotations

import numpy as np
import pytest

from intlmodels.core import csvtable
from intlmodels.core.errors import StudyError
from intlmodels.studies import Decisions, columns, counts
from intlmodels.studies.counts import Count, rows
from intlmodels.studies.schema import _check_variable
from intlmodels.studies.sources import Cell


class Counted(str):
    """A text that counts how often it is compared with another."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def comparisons(names: list[str], work) -> int:
    Counted.compared = 0
    work([Counted(name) for name in names])
    return Counted.compared


def names(number: int) -> list[str]:
    return [f"name {i}" for i in range(number)]


def decided(firms: list[str]) -> None:
    flags = np.zeros(len(firms), np.int64)
    periods = ("all",) * len(firms)
    known = Decisions(tuple(firms), periods, periods, flags)
    known.table(tuple(Counted(firm) for firm in firms), ("all",))


def counted(firms: list[str]) -> None:
    count = Count("all", tuple(Counted(f) for f in firms), ("all",), ("no",), "equal", 1)
    rows([count], tuple(firms), ("all",))


WORK = {
    "header": lambda made: csvtable._check_header(tuple(made), "t.csv"),
    "columns": lambda made: [
        table.column(name) for table in [csvtable.Table("t.csv", tuple(made), ())] for name in made
    ],
    "levels": lambda made: columns.coded(made, made),
    "decisions": decided,
    "counts": counted,
}


@pytest.mark.parametrize("work", WORK)
def test_names_are_looked_up_and_not_searched(work):
    made = names(2_000)
    # Each name is compared with a few others at most, where all pairs would be two million.
    assert comparisons(made, WORK[work]) < 20 * len(made)


def test_names_in_a_cell_and_names_of_variables_are_looked_up():
    known = tuple(names(20_000))
    cell = Cell("c.csv", 2, "firms", "; ".join(known))
    assert counts.read_names(cell, known, "firm") == known
    taken = {f"n{i}": "[predictors]" for i in range(20_000)}
    for i in range(2_000):
        _check_variable(f"m{i}", "[predictors]", taken)
    for name in ("n5_label", "N7_Z"):
        with pytest.raises(StudyError, match="for themselves beside n"):
            _check_variable(name, "[predictors]", taken)
    with pytest.raises(StudyError, match="use x_step for themselves beside x"):
        _check_variable("x", "[predictors]", {"x_step": ""})


def test_counts_of_too_many_firms_are_refused_before_memory_is_taken():
    firms = tuple(names(5_000))
    each = Count("each", firms, ("all",), ("yes",), "at least", 1, each=True, file="c.csv")
    with pytest.raises(StudyError, match="5,000 times 10,000") as error:
        rows([each], firms, ("all",))
    assert str(error.value).isprintable()
