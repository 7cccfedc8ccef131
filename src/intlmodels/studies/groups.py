"""Groups of firms (or of the rows of another table) that claims speak of, and printed numbers.

A group is a condition on one column, or is made of other groups. Whether a row belongs to it
may be unknown: a number that was not printed is neither below 20 nor above.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import did_you_mean, listed
from intlmodels.studies.schema import (
    PROSE,
    TEXT,
    GroupingTable,
    Key,
    NumbersTable,
    check_keys,
    keys_of,
    section,
    wrong,
)
from intlmodels.studies.sources import Cell, Sources, split_place

#: Whether a row belongs to a group; None where that was not printed.
Member = bool | None

#: Conditions on text, and conditions on numbers.
_TEXTS = ("is", "contains")
_NUMBERS = ("least", "most", "above", "below")
#: Ways to make a group of other groups.
_MADE = ("all", "any", "without")
#: Keys of which a group of rows has at least one; without them groups have effects of their own.
_CONDITIONS = (*_TEXTS, *_NUMBERS, "firms", *_MADE)
GROUP = {
    "label": PROSE,
    "column": TEXT,
    "columns": Key("texts"),
    **dict.fromkeys(_TEXTS, Key("texts")),
    **dict.fromkeys(_NUMBERS, Key("number")),
    "empty": Key("text", options=("unknown", "no")),
    "firms": Key("texts"),
    **dict.fromkeys(_MADE, Key("texts")),
}

#: Keys of a table [[silence]].
SILENCE = {
    "column": Key("text", required=True),
    "unnamed": Key("text", required=True, options=("absent", "unknown")),
    "except": Key("texts"),
    "note": PROSE,
}
#: What stands in for a thing of which a text is silent, where that does not tell: see [[silence]].
SILENT: dict[str, Member] = {"as stated": None, "absent": False, "present": True}

_EFFECTS = "groups that have effects of their own: a column, and no condition"


@dataclass(frozen=True)
class Group:
    """Some rows of a table."""

    name: str
    label: str
    #: Names of all rows: of the firms, or of what else a table lists.
    rows: tuple[str, ...]
    #: Whether each row belongs to the group.
    members: tuple[Member, ...]
    #: Places (``file: column``) that it is read from, also by way of other groups.
    columns: tuple[str, ...] = ()

    @property
    def sure(self) -> tuple[str, ...]:
        """Rows that belong to it."""
        return tuple(row for row, member in zip(self.rows, self.members, strict=True) if member)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Rows of which that is not known."""
        return tuple(r for r, member in zip(self.rows, self.members, strict=True) if member is None)

    def everyone(self) -> Group:
        """All rows of the table."""
        return Group("", "all", self.rows, (True,) * len(self.rows))

    def rest(self) -> Group:
        """The rows that do not belong to it."""
        return Group("", "the others", self.rows, tuple(_not(member) for member in self.members))

    def both(self, other: Group) -> tuple[Member, ...]:
        """Whether each row belongs to this group and to another."""
        return tuple(_every(pair) for pair in zip(self.members, other.members, strict=True))


def _not(member: Member) -> Member:
    return None if member is None else not member


def _every(parts: Iterable[Member]) -> Member:
    """Whether all hold, where some may be unknown (Kleene's logic)."""
    found = set(parts)
    return False if False in found else None if None in found else True


def _either(parts: Iterable[Member]) -> Member:
    """Whether at least one holds, where some may be unknown."""
    return _not(_every(map(_not, parts)))


@dataclass(frozen=True)
class Column:
    """Cells of a column, or of several whose numbers are added."""

    #: ``file: column``, several joined by ``and``.
    name: str
    #: Names of the rows.
    rows: tuple[str, ...]
    #: (row, column).
    cells: tuple[tuple[Cell, ...], ...]

    def numbers(self, empty: float = float("nan")) -> tuple[float, ...]:
        """Sum of each row; ``empty`` stands for a cell that is not known."""
        return tuple(sum(empty if c.missing else c.number() for c in row) for row in self.cells)


class Rows:
    """The tables of a study, row by row, for claims.

    Every firm that was printed counts, also one that has no outcome. Rows of a file that has
    the column of firms go by its names; those of another file by their number. Where firms
    repeat, what a file says of a firm holds for all of its rows.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        #: Names of all firms, or rows of firms that repeat; and the firm of each.
        self.firms, self.units = sources.listed
        if not sources.listing:
            self.firms = self._names(sources.file)

    def column(self, texts: tuple[str, ...], where: str) -> Column:
        """The cells at ``file: column``, or of several such places with the same rows."""
        places = [split_place(text, where) for text in texts]
        columns = [self._by_row(file, column, where) for file, column in places]
        names = tuple(columns[0])
        if set(names) == set(self.firms):
            names = self.firms  # one order for all files that list the firms
        for (file, _), by_row in zip(places, columns, strict=True):
            if set(by_row) != set(names):
                raise wrong(f"expected columns of files with the same rows as {file}", where, file)
        said = " and ".join(f"{file}: {column}" for file, column in places)
        cells = tuple(tuple(by_row[name] for by_row in columns) for name in names)
        return Column(said, names, cells)

    def _by_row(self, file: str, column: str, where: str) -> dict[str, Cell]:
        """Cells of a column by the names of the rows."""
        sources = self.sources
        own = sources.column_cells(file, column, where, "row")
        cells = dict(zip(self._names(file), own, strict=True))
        if sources.listing and file != sources.file and set(cells) == set(self.units):
            return {row: cells[unit] for row, unit in zip(self.firms, self.units, strict=True)}
        return cells

    def _names(self, file: str) -> tuple[str, ...]:
        """Names of the rows of a file, in its order; their numbers where none are unique."""
        table = self.sources.table(file, "row")
        if self.sources.listing and file == self.sources.file:
            return self.firms
        column = self.sources.key(file)
        if column in table.header:
            names = tuple(clean_label(text) for text in table.column(column))
            if len(set(names)) == len(names):
                return names
        return tuple(f"row {number}" for number in range(2, len(table.rows) + 2))


@dataclass(frozen=True)
class Silence:
    """What it means that a text of a column does not name something."""

    #: Whether it then stays unknown; otherwise it is absent.
    unknown: bool
    #: Words of which the other holds.
    excepted: tuple[str, ...]
    note: str

    def describe(self) -> str:
        """What is not named, in words."""
        said, other = ("unknown", "absent") if self.unknown else ("absent", "unknown")
        words = f" ({', '.join(self.excepted)}: {other})" if self.excepted else ""
        return f"what is not mentioned is {said}{words}"

    def tells(self, words: Iterable[str]) -> bool:
        """Whether none of the words, folded, is there if none is named."""
        folded = [own.casefold() for own in self.excepted]
        return all(any(own in word for own in folded) == self.unknown for word in words)


def read_silence(tables: object, rows: Rows) -> dict[str, Silence]:
    """Read and check the tables [[silence]]: what each column leaves open, by ``file: column``."""
    if not isinstance(tables, (list, tuple)):
        raise wrong("expected tables, each below a line [[silence]]", "[[silence]]", tables)
    found: dict[str, Silence] = {}
    for number, table in enumerate(tables, start=1):
        where = f"[[silence]] number {number}"
        if not isinstance(table, dict):
            raise wrong("expected a table with column and unnamed", where, table)
        given = section(table, SILENCE, f"{where},")
        name = rows.column((given["column"],), f"{where}, column").name
        if name in found:
            raise wrong("expected every column once", f"{where}, column", given["column"])
        excepted = tuple(given.get("except", ()))
        found[name] = Silence(given["unnamed"] == "unknown", excepted, given.get("note", ""))
    return found


def read_groups(
    tables: object, rows: Rows, silence: Mapping[str, Silence], silent: Member = None
) -> dict[str, Group]:
    """Read and check the tables [groups.NAME], each of which may name those before it.

    ``silent`` is what a row is taken for where a text does not tell, by the rules of ``silence``.
    """
    if not isinstance(tables, dict):
        raise wrong("expected tables [groups.NAME]", "[groups]", tables)
    groups: dict[str, Group] = {}
    elsewhere = dict.fromkeys(("slopes", "correlated", "within"), _EFFECTS)
    elsewhere["otherwise"] = "a table [[silence]], which holds for all groups of a column"
    for name, table in tables.items():
        where = f"[groups.{name}]"
        if isinstance(table, dict) and not {*_CONDITIONS, "columns"} & set(table):
            check_keys(table, [*keys_of(GroupingTable), *_CONDITIONS], where)
        given = section(table, GROUP, where, elsewhere)
        label = given.get("label") or name.replace("_", " ").replace("-", " ")
        members = _members(given, where, rows, groups, silence, silent)
        groups[name] = Group(name, label, *members)
    return groups


#: Names of all rows, whether each belongs to a group, and the columns that say so.
_Members = tuple[tuple[str, ...], tuple[Member, ...], tuple[str, ...]]


def _members(
    given: Mapping[str, Any],
    where: str,
    rows: Rows,
    groups: Mapping[str, Group],
    silence: Mapping[str, Silence],
    silent: Member,
) -> _Members:
    conditions = [key for key in _CONDITIONS if key in given]
    if not conditions:
        said = f"nothing says who belongs to it; expected one of {', '.join(GROUP)}"
        raise wrong(f"{said}, such as is or below with a column", where)
    if "firms" in given:
        _check_alone(conditions, ("firms",), where)
        known = {*rows.firms, *rows.units}
        for firm in given["firms"]:
            if firm not in known:
                said = f"expected firms of {rows.sources.file}{did_you_mean(firm, sorted(known))}"
                raise wrong(said, f"{where} firms", firm)
        pairs = zip(rows.firms, rows.units, strict=True)
        return rows.firms, tuple(bool({*names} & {*given["firms"]}) for names in pairs), ()
    if any(key in given for key in _MADE):
        _check_alone(conditions, _MADE, where)
        return _of_groups(given, where, groups)
    return _of_column(given, conditions, where, rows, silence, silent)


def _check_alone(conditions: list[str], together: tuple[str, ...], where: str) -> None:
    for key in conditions:
        if key not in together:
            other = conditions[0] if conditions[0] != key else together[0]
            said = f"cannot be combined with {other}; put it into its own group and name both in "
            raise wrong(f"{said}all = [...]", f"{where} {key}")


def _of_groups(given: Mapping[str, Any], where: str, groups: Mapping[str, Group]) -> _Members:
    named: dict[str, list[Group]] = {key: [] for key in _MADE}
    for key in _MADE:
        for other in given.get(key, ()):
            if other not in groups:
                said = f"expected a group defined before this one{did_you_mean(other, groups)}; "
                raise wrong(f"{said}those are {listed(groups) or 'none'}", f"{where} {key}", other)
            named[key].append(groups[other])
    used = [group for several in named.values() for group in several]
    if not used:
        raise wrong("expected at least one group", where)
    if not named["all"] and not named["any"]:
        raise wrong("expected all or any as well: from what the others are taken away", where)
    rows = used[0].rows
    for group in used:
        if group.rows != rows:
            said = "expected groups of the same table of firms; the rows of this one are others"
            raise wrong(said, where, group.name)
    members: list[Member] = []
    for position in range(len(rows)):
        every, some, without = ([g.members[position] for g in named[key]] for key in _MADE)
        members.append(_every([*every, *([_either(some)] if some else ()), _not(_either(without))]))
    columns = dict.fromkeys(name for group in used for name in group.columns)
    return rows, tuple(members), tuple(columns)


def _of_column(
    given: Mapping[str, Any],
    conditions: list[str],
    where: str,
    rows: Rows,
    silence: Mapping[str, Silence],
    silent: Member,
) -> _Members:
    if ("column" in given) == ("columns" in given):
        raise wrong('expected column = "file: column" (or columns, whose numbers are added)', where)
    of_text = next((key for key in conditions if key in _TEXTS), "")
    if of_text and (len(conditions) > 1 or "columns" in given):
        said = "cannot be combined with other conditions; put each into its own group and name "
        raise wrong(f"{said}them in all = [...]", f"{where} {of_text}")
    texts = (given["column"],) if "column" in given else given["columns"]
    key = f"{where} {'column' if 'column' in given else 'columns'}"
    if not texts:
        raise wrong("expected at least one column", key)
    column = rows.column(texts, key)
    if not of_text:
        numbers = column.numbers(0.0 if given.get("empty") == "no" else float("nan"))
        return column.rows, tuple(_within(value, given) for value in numbers), texts
    words, printed = given[of_text], [clean_label(row[0].text) for row in column.cells]
    if not words:
        raise wrong("expected at least one text", f"{where} {of_text}")
    if of_text == "contains":
        folded = [word.casefold() for word in words]
        rule = silence.get(column.name)
        # What a text does not name may still be so.
        other = False if rule is None or rule.tells(folded) else silent
        has = [any(word in text.casefold() for word in folded) for text in printed]
        return column.rows, tuple(member or other for member in has), (column.name,)
    for word in words:
        if word not in printed:
            known = set(printed)
            said = f"expected what is in {column.name}{did_you_mean(word, known)}: "
            raise wrong(f"{said}{listed(sorted(known))}", f"{where} is", word)
    return column.rows, tuple(text in words for text in printed), (column.name,)


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


def read_numbers(table: NumbersTable | None, sources: Sources) -> dict[str, Number]:
    """Read the file that [numbers] names: one row a printed number."""
    if table is None:
        return {}
    file = table.file
    printed = sources.table(file, "number")
    names = ("id", "quantity", "value", "unit", "where")
    columns = [printed.column(name, "[numbers] file") for name in names]
    numbers: dict[str, Number] = {}
    for row, texts in enumerate(zip(*columns, strict=True), start=2):
        own, text, _, unit, where = map(clean_label, texts)
        cell = Cell(file, row, "id", texts[0])
        if not own or ":" in own:
            raise cell.error("expected an id, such as M41, without a colon")
        if own in numbers:
            raise cell.error("expected every id once: rename one")
        numbers[own] = Number(own, text, Cell(file, row, "value", texts[2]).number(), unit, where)
    return numbers
