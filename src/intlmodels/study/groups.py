"""Groups of firms (or of the rows of another table) that claims speak of.

A group is a condition on one column, or is made of other groups. Whether a row belongs to it
may be unknown: a number that was not printed is neither below 20 nor above.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import did_you_mean, listed
from intlmodels.study.keys import PROSE, TEXT, Key, section, wrong
from intlmodels.study.schema import NumbersTable
from intlmodels.study.sources import Cell, Sources, split_place

_NUMBER = Key("number")
#: Conditions on text, and conditions on numbers.
_TEXTS = ("is", "contains")
_NUMBERS = ("least", "most", "above", "below")
#: Ways to make a group of other groups.
_MADE = ("all", "any", "without")
GROUP = {
    "label": PROSE,
    "column": TEXT,
    "columns": Key("texts"),
    "is": Key("texts"),
    "contains": Key("texts"),
    "otherwise": Key("text", options=("no", "unknown")),
    "least": _NUMBER,
    "most": _NUMBER,
    "above": _NUMBER,
    "below": _NUMBER,
    "empty": Key("text", options=("unknown", "no")),
    "firms": Key("texts"),
    "all": Key("texts"),
    "any": Key("texts"),
    "without": Key("texts"),
}

#: Whether a row belongs to a group; None where that was not printed.
Member = bool | None


@dataclass(frozen=True)
class Group:
    """Some rows of a table.

    Attributes
    ----------
    name, label : str
    rows : tuple of str
        Names of all rows: of the firms, or of what else a table lists.
    members : tuple of bool or None
        Whether each row belongs to the group; None where that is not known.
    """

    name: str
    label: str
    rows: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def sure(self) -> tuple[str, ...]:
        """Rows that belong to it."""
        return tuple(row for row, member in zip(self.rows, self.members, strict=True) if member)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Rows of which that is not known."""
        return tuple(r for r, member in zip(self.rows, self.members, strict=True) if member is None)


@dataclass(frozen=True)
class Column:
    """Cells of a column, or of several whose numbers are added.

    Attributes
    ----------
    name : str
        ``file: column``, several joined by ``and``.
    rows : tuple of str
        Names of the rows.
    cells : tuple of tuple of Cell
        (row, column).
    """

    name: str
    rows: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def numbers(self, empty: float = float("nan")) -> tuple[float, ...]:
        """Sum of each row; ``empty`` stands for a cell that is not known.

        Raises
        ------
        StudyError
            For a cell that is no number.
        """
        return tuple(sum(empty if c.missing else c.number() for c in row) for row in self.cells)


class Rows:
    """The tables of a study, row by row, for claims.

    Every firm that was printed counts, also one that has no outcome. Rows of a file that has
    the column of firms go by its names; those of another file by their number.

    Parameters
    ----------
    sources : Sources
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.firms = self._own(sources.file)

    def column(self, texts: tuple[str, ...], where: str) -> Column:
        """The cells at ``file: column``, or of several such places.

        Raises
        ------
        StudyError
            If there is no such file or column, or the files have other rows.
        """
        places = [split_place(text, where) for text in texts]
        names = self._names(places[0][0])
        columns = []
        for file, column in places:
            own = self._own(file)
            if set(own) != set(names):
                raise wrong(f"expected columns of files with the same rows as {file}", where, file)
            cells = self.sources.table(file).column(column, where)
            by_row = {
                name: Cell(file, position, column, text)
                for position, (name, text) in enumerate(zip(own, cells, strict=True), start=2)
            }
            columns.append([by_row[name] for name in names])
        said = " and ".join(f"{file}: {column}" for file, column in places)
        return Column(said, names, tuple(zip(*columns, strict=True)))

    def _own(self, file: str) -> tuple[str, ...]:
        """Names of the rows of a file, in its order; their numbers where none are unique."""
        table = self.sources.table(file, "row")
        column = self.sources.key(file)
        if column in table.header:
            names = tuple(clean_label(text) for text in table.column(column))
            if len(set(names)) == len(names):
                return names
        return tuple(f"row {number}" for number in range(2, len(table.rows) + 2))

    def _names(self, file: str) -> tuple[str, ...]:
        """The same in one order for all files that list the firms."""
        own = self._own(file)
        return self.firms if set(own) == set(self.firms) else own

    def everyone(self) -> Group:
        """All firms."""
        return Group("", "all firms", self.firms, (True,) * len(self.firms))


def read_groups(tables: object, rows: Rows) -> dict[str, Group]:
    """Read and check the tables [groups.NAME], each of which may name those before it.

    Raises
    ------
    StudyError
        For the first key or cell that is wrong.
    """
    if not isinstance(tables, dict):
        raise wrong("expected tables [groups.NAME]", "[groups]", tables)
    groups: dict[str, Group] = {}
    for name, table in tables.items():
        where = f"[groups.{name}]"
        given = section(table, GROUP, where)
        label = given.get("label") or name.replace("_", " ").replace("-", " ")
        groups[name] = _group(name, label, given, where, rows, groups)
    return groups


def _group(
    name: str,
    label: str,
    given: Mapping[str, Any],
    where: str,
    rows: Rows,
    groups: Mapping[str, Group],
) -> Group:
    asked = [key for key in (*_TEXTS, *_NUMBERS, "firms", *_MADE) if key in given]
    if not asked:
        raise wrong(
            f"nothing says who belongs to it; expected one of {', '.join(GROUP)}"
            ", such as is or below with a column",
            where,
        )
    if "firms" in given:
        _alone(asked, ("firms",), where)
        return _listed(name, label, given["firms"], where, rows)
    if any(key in given for key in _MADE):
        _alone(asked, _MADE, where)
        return _made(name, label, given, where, groups)
    return _conditioned(name, label, given, asked, where, rows)


def _alone(asked: list[str], together: tuple[str, ...], where: str) -> None:
    for key in asked:
        if key not in together:
            raise wrong(
                f"does not go with {asked[0] if asked[0] != key else together[0]}; put it into a "
                "group of its own and name both in all = [...]",
                f"{where} {key}",
            )


def _listed(name: str, label: str, firms: tuple[str, ...], where: str, rows: Rows) -> Group:
    for firm in firms:
        if firm not in rows.firms:
            raise wrong(
                f"expected firms of {rows.sources.file}{did_you_mean(firm, rows.firms)}",
                f"{where} firms",
                firm,
            )
    return Group(name, label, rows.firms, tuple(firm in firms for firm in rows.firms))


def _made(
    name: str, label: str, given: Mapping[str, Any], where: str, groups: Mapping[str, Group]
) -> Group:
    found: dict[str, list[Group]] = {}
    for key in _MADE:
        for other in given.get(key, ()):
            if other not in groups:
                raise wrong(
                    f"expected a group that stands before this one{did_you_mean(other, groups)}; "
                    f"those are {listed(groups) or 'none'}",
                    f"{where} {key}",
                    other,
                )
            found.setdefault(key, []).append(groups[other])
    used = [group for several in found.values() for group in several]
    if not used:
        raise wrong("expected at least one group", where)
    if not found.get("all") and not found.get("any"):
        raise wrong("expected all or any as well: from what the others are taken away", where)
    rows = used[0].rows
    for group in used:
        if group.rows != rows:
            raise wrong(
                "expected groups of the same table of firms; the rows of this one are others",
                where,
                group.name,
            )
    members: list[Member] = []
    for position in range(len(rows)):
        parts = {key: [g.members[position] for g in found.get(key, ())] for key in _MADE}
        said = [_every(parts["all"])] if parts["all"] else []
        said += [_either(parts["any"])] if parts["any"] else []
        outside = _either(parts["without"])
        members.append(_every([*said, None if outside is None else not outside]))
    return Group(name, label, rows, tuple(members))


def _every(parts: list[Member]) -> Member:
    """Whether all hold, where some may be unknown (Kleene's logic)."""
    if any(part is False for part in parts):
        return False
    return None if any(part is None for part in parts) else True


def _either(parts: list[Member]) -> Member:
    """Whether at least one holds, where some may be unknown."""
    if any(part is True for part in parts):
        return True
    return None if any(part is None for part in parts) else False


def _conditioned(
    name: str, label: str, given: Mapping[str, Any], asked: list[str], where: str, rows: Rows
) -> Group:
    if ("column" in given) == ("columns" in given):
        raise wrong('expected column = "file: column" (or columns, whose numbers are added)', where)
    of_text = [key for key in asked if key in _TEXTS]
    if of_text and (len(asked) > 1 or "columns" in given):
        raise wrong(
            "does not go with other conditions; put each into a group of its own and name them "
            "in all = [...]",
            f"{where} {of_text[0]}",
        )
    texts = (given["column"],) if "column" in given else given["columns"]
    key = f"{where} {'column' if 'column' in given else 'columns'}"
    if not texts:
        raise wrong("expected at least one column", key)
    column = rows.column(texts, key)
    if of_text:
        test = _text_test(of_text[0], given[of_text[0]], column, where)
        # What a text does not say may still be so: "unknown" leaves that open.
        other = None if given.get("otherwise") == "unknown" else False
        members: tuple[Member, ...] = tuple(
            test(clean_label(row[0].text)) or other for row in column.cells
        )
        return Group(name, label, column.rows, members)
    empty = 0.0 if given.get("empty") == "no" else float("nan")
    numbers = column.numbers(empty)
    return Group(name, label, column.rows, tuple(_within(value, given) for value in numbers))


def _text_test(
    kind: str, words: tuple[str, ...], column: Column, where: str
) -> Callable[[str], bool]:
    if not words:
        raise wrong("expected at least one text", f"{where} {kind}")
    if kind == "contains":
        folded = [word.casefold() for word in words]
        return lambda text: any(word in text.casefold() for word in folded)
    printed = {clean_label(row[0].text) for row in column.cells}
    for word in words:
        if word not in printed:
            raise wrong(
                f"expected what stands in {column.name}{did_you_mean(word, printed)}: "
                f"{listed(sorted(printed))}",
                f"{where} is",
                word,
            )
    return lambda text: text in words


def _within(value: float, given: Mapping[str, Any]) -> Member:
    if value != value:
        return None
    return (
        value >= given.get("least", value)
        and value <= given.get("most", value)
        and ("above" not in given or value > given["above"])
        and ("below" not in given or value < given["below"])
    )


# -- printed numbers ---------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A number of a publication's text or tables."""

    id: str
    text: str
    value: float
    unit: str
    where: str


_COLUMNS = ("id", "quantity", "value", "unit", "where")


def read_numbers(table: NumbersTable | None, sources: Sources) -> dict[str, Number]:
    """Read the file that [numbers] names: one row a printed number.

    Raises
    ------
    StudyError
        For the first cell that is wrong.
    """
    if table is None:
        return {}
    file = table.file
    printed = sources.table(file, "number")
    columns = {
        name: [
            Cell(file, row, name, text)
            for row, text in enumerate(printed.column(name, "[numbers] file"), start=2)
        ]
        for name in _COLUMNS
    }
    numbers: dict[str, Number] = {}
    for position, cell in enumerate(columns["id"]):
        name = clean_label(cell.text)
        if not name or ":" in name:
            raise cell.error("expected what the number is called, such as M41, without a colon")
        if name in numbers:
            raise cell.error("expected every id once: rename one")
        row = {key: cells[position] for key, cells in columns.items()}
        numbers[name] = Number(
            name,
            clean_label(row["quantity"].text),
            row["value"].number(),
            clean_label(row["unit"].text),
            clean_label(row["where"].text),
        )
    return numbers
