"""Attributes of decisions: further counts of the same ones, such as their motives or countries.

An attribute sorts decisions into levels; a count of it is one of the decisions with some of the
levels, over firms, periods and flags as every count is. No fit reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from intlmodels.core.errors import one_line
from intlmodels.studies.counts import (
    FLAGS,
    Count,
    CountFile,
    Rows,
    Subjects,
    read_names,
    require_other_ids,
    rows,
    unused_columns,
)
from intlmodels.studies.schema import AttributeTable, wrong
from intlmodels.studies.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from intlmodels.studies.decay import DecayStudy


#: Decisions with several of the levels, and with none, where a decision may have several.
MORE, NONE = "more than one of these", "none of these"


@dataclass(frozen=True)
class AttributeCount(Count):
    """A published count of the decisions with some levels of an attribute."""

    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """Something that decisions differ in, and the counts of it that were published."""

    name: str
    label: str
    #: In the order of the study; that of all other decisions is the last.
    levels: tuple[str, ...]
    #: Whether a decision may have several of the levels, or none.
    several: bool
    #: Which decisions it is an attribute of.
    flags: tuple[str, ...]
    counts: tuple[AttributeCount, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """What can be counted: each level; where a decision may have several, more and none."""
        return (*self.levels, *((MORE, NONE) if self.several else ()))

    @property
    def patterns(self) -> tuple[tuple[str, ...], ...]:
        """What levels a single decision can have."""
        most = len(self.levels) if self.several else 1
        sizes = range(0 if self.several else 1, most + 1)
        return tuple(chosen for n in sizes for chosen in combinations(self.levels, n))

    @property
    def kinds(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The kinds of decisions that the attribute tells apart: flag and levels."""
        return tuple(
            (flag, chosen)
            for flag in FLAGS
            for chosen in (self.patterns if flag in self.flags else ((),))
        )

    def totals(self, study: DecayStudy) -> tuple[AttributeCount, ...]:
        """The counts of all decisions that it is an attribute of."""
        whole = study.firms, study.periods, self.flags
        alike = (c for c in self.counts if (c.firms, c.periods, c.flags) == whole)
        return tuple(c for c in alike if not c.each)

    def rows(
        self, counts: Sequence[Count], firms: tuple[str, ...], periods: tuple[str, ...]
    ) -> Rows:
        """Counts of a study and of the attribute together, over firms, periods and kinds."""
        names = [f"{flag}: {' + '.join(chosen)}" if chosen else flag for flag, chosen in self.kinds]

        def over_kinds(count: Count) -> Count:
            wanted = set(count.levels) if isinstance(count, AttributeCount) else None
            inside = tuple(
                name
                for name, (flag, chosen) in zip(names, self.kinds, strict=True)
                if flag in count.flags and (wanted is None or wanted & set(chosen))
            )
            return replace(count, flags=inside)

        together = [over_kinds(count) for count in (*counts, *self.counts)]
        return rows(together, firms, periods, tuple(names))

    def lines(self) -> Iterator[str]:
        """What was read, for a person to check."""
        how = "a decision may have several" if self.several else "one for each decision"
        whose = "" if self.flags == FLAGS else f"; only with flag {self.flags[0]}"
        yield one_line(f"  {self.name}: {self.label}; {how}{whose}")
        for level in self.levels:
            own = [count for count in self.counts if level in count.levels]
            yield one_line(f"    {level}: {_counted(own)}")


def _counted(counts: Iterable[AttributeCount]) -> str:
    said = []
    for count in counts:
        relation = "" if count.relation == "equal" else f"{count.relation} "
        said.append(f"{count.id} {relation}{count.value}{' each' * count.each}")
    return ", ".join(said) or "not counted"


# -- reading them ------------------------------------------------------------------------


def _counts(
    table: AttributeTable, file: CountFile, levels: tuple[str, ...], flags: tuple[str, ...]
) -> tuple[AttributeCount, ...]:
    """All counts of the file of an attribute."""
    cells = [file.cells(name, f"{table.where} file") for name in ("level", "flag")]
    found = []
    for count, level, flag in zip(file.counts(), *cells, strict=True):
        if not level.text.strip():
            raise level.error(f"expected what is counted, one of {', '.join(levels)}")
        named = read_names(level, levels, "level")
        if table.several and len(named) > 1:
            raise level.error("a decision may have several levels; expected one in each row")
        if table.flag and flag.text.strip() and count.flags != flags:
            said = f"{table.where} is an attribute of decisions with flag {flags[0]}; expected "
            raise flag.error(f"{said}that, or nothing")
        inside = tuple(own for own in count.flags if own in flags)
        found.append(AttributeCount(**{**vars(count), "flags": inside}, levels=named))
    return tuple(found)


def read_attributes(
    tables: Mapping[str, AttributeTable],
    sources: Sources,
    subjects: Subjects,
    counts: Sequence[Count],
) -> tuple[dict[str, Attribute], tuple[tuple[str, str], ...]]:
    """Read the attributes of a study, and columns of their files without a meaning."""
    taken: dict[str, Count] = {count.id: count for count in counts}
    found: dict[str, Attribute] = {}
    unused: list[tuple[str, str]] = []
    for name, table in tables.items():
        if not counts:
            said = "these are counts of decisions that are known from counts; expected [counts]"
            raise wrong(said, table.where)
        file = CountFile(table.file, sources, subjects)
        unused += [(file.file, column) for column in unused_columns(file.table, ["level"])]
        levels = (*table.levels, *([table.remainder] if table.remainder else []))
        flags = FLAGS if table.flag is None else (table.flag,)
        own = _counts(table, file, levels, flags)
        require_other_ids(own, taken)
        taken |= {count.id: count for count in own}
        label = table.label or name.replace("_", " ").replace("-", " ")
        found[name] = Attribute(name, label, levels, table.several, flags, own)
    return found, tuple(unused)
