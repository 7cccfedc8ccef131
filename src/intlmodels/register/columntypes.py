"""Types of Parquet columns: which are read, which may stand beside each other, and as what text."""

from __future__ import annotations

from collections.abc import Sequence

from intlmodels.errors import StudyError
from intlmodels.study.rows import RowFiles

#: Types of floating point, and below what they hold every whole number.
WHOLE = {"FLOAT": 2**24, "DOUBLE": 2**53}
#: Types by what they hold.
_KINDS = {
    **dict.fromkeys(("VARCHAR", "ENUM", "UUID"), "text"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "number"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "number"),
    **dict.fromkeys(("DECIMAL", *WHOLE), "number"),
    "BOOLEAN": "truth",
    "DATE": "date",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "moment"),
    '"NULL"': "nothing",
}
_ZONE = "TIMESTAMP WITH TIME ZONE"


def require_types(register: RowFiles, files: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Refuse types of columns that have no sure text, or not the same in all files.

    Parameters
    ----------
    register : RowFiles
    files : sequence of (str, tuple of str)
        Name of a file, and the types of the columns that are read.

    Raises
    ------
    StudyError
        Naming file, column and types.
    """
    for place, column in enumerate(register.columns.values()):
        seen: dict[str, tuple[str, str]] = {}
        for name, types in files:
            kind = _KINDS.get(types[place].partition("(")[0])
            if kind is None:
                zone = ": the day depends on the time zone, write it as TIMESTAMP in one zone"
                raise StudyError(
                    "expected text, numbers, BOOLEAN, DATE or TIMESTAMP"
                    f"{zone if types[place] == _ZONE else ''}",
                    file=name,
                    column=column,
                    value=types[place],
                )
            seen.setdefault(kind, (name, types[place]))
        seen.pop("nothing", None)
        # Text beside numbers or dates is as they are written; nobody knows how truth is written.
        several = [*seen] if "truth" in seen else [kind for kind in seen if kind != "text"]
        if len(several) > 1:
            (first, one), (other, two) = (seen[kind] for kind in several[:2])
            raise StudyError(
                f"the column has the type {two}, and in {first} it has {one}; expected one type "
                "in all files",
                file=other,
                column=column,
            )


def as_text(value: str, kind: str) -> str:
    """SQL of a value as text: a number the same in all types, nothing for what is not there."""
    text = f"CAST({value} AS VARCHAR)"
    if kind in WHOLE:
        # DuckDB takes bounds from the statistics of a file, and these leave NaN out.
        whole = f"CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR)"
        text = (
            f"CASE WHEN isfinite({value}) AND abs({value}) < {2**53} AND {value} = trunc({value}) "
            f"THEN {whole} ELSE {text} END"
        )
    elif kind.startswith("DECIMAL") and not kind.endswith(",0)"):
        text = f"rtrim(rtrim({text}, '0'), '.')"
    return f"coalesce({text}, '')"
