"""Small studies of the decay model for tests, written to a folder.

``write_counts_study(tmp_path)`` gives a valid study of which only counts are known,
``write_decisions_study(tmp_path)`` one of which every decision is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from studies import csv_text

#: Columns of the written file of counts, in their order; further ones go behind them.
COLUMNS = ("id", "quantity", "firms", "size", "periods", "flag", "relation", "each", "value")
COLUMNS += ("status", "where")

FIRMS = ("Ash", "Box", "Cob")
SIZES = ("large", "other", "other")
PERIODS = ("early", "late")

#: Six decisions of three firms; they agree with each other and leave some cells open.
COUNTS: tuple[dict[str, Any], ...] = (
    {"id": "all", "value": 6, "status": "hard"},
    {"id": "yes", "flag": "yes", "value": 4, "status": "hard"},
    {"id": "early", "periods": "early", "value": 4},
    {"id": "early-yes", "periods": "early", "flag": "yes", "value": 3},
    {"id": "large", "size": "large", "value": 3},
    {"id": "large-late", "size": "large", "periods": "late", "flag": "yes", "value": 0},
    {"id": "some", "firms": "Ash; Box", "flag": "yes", "relation": "at least", "each": "yes"}
    | {"value": 1, "status": "hard"},
)

#: Firm, date, flag: in order of time within each firm.
DECISIONS: tuple[tuple[str, str, str], ...] = (
    ("Ash", "1998", "yes"),
    ("Ash", "2001", "yes"),
    ("Box", "1999", "yes"),
    ("Ash", "2001", "no"),
    ("Cob", "1997", "no"),
    ("Box", "2005", "no"),
)


def count_rows(counts: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Counts as rows of a CSV file; what is not given is equal, noisy, or empty."""
    listed = [{"relation": "equal", "status": "noisy", **count} for count in counts]
    further = dict.fromkeys(key for count in listed for key in count if key not in COLUMNS)
    header = [*COLUMNS, *further]
    return [header, *([str(count.get(name, "")) for name in header] for count in listed)]


def write_counts_study(
    folder: Path,
    *,
    firms: Sequence[str] = FIRMS,
    sizes: Sequence[str] | None = SIZES,
    periods: Sequence[str] = PERIODS,
    counts: Iterable[Mapping[str, Any]] = COUNTS,
    name: str = "counted",
    files: Mapping[str, Iterable[Sequence[str]]] | None = None,
    toml: str = "",
    **extra: Any,
) -> Path:
    """Write a study of counts and return its folder.

    Parameters
    ----------
    folder : Path
        Made if need be.
    firms : sequence of str
    sizes : sequence of str, optional
        ``large`` or ``other``, one a firm; None: no such column. Without a word from the caller,
        the first firm is large if there are others than the three of the default.
    periods : sequence of str
    counts : iterable of mappings
        Cells of counts.csv by column; relation is ``equal`` and status ``noisy`` unless given.
    name : str
        Of the study.
    files : mapping of file to rows, optional
        Further CSV files, header first; or other rows for those that are written anyway.
    toml : str
        More tables, appended to study.toml.
    **extra
        ``weights`` and ``starts`` go to [periods], ``rho`` and ``concentration`` to [counts],
        ``event`` and ``flag`` to [outcome], ``title`` and ``limits`` to [study].
    """
    firms = list(firms)
    if sizes is SIZES and len(firms) != len(SIZES):
        sizes = ["large", *["other"] * (len(firms) - 1)]
    take = {key: extra.pop(key) for key in list(extra)}
    tables: dict[str, dict[str, Any]] = {
        "study": _study(name, take),
        "firms": _firms(sizes),
        "outcome": _some(take, "event", "flag"),
        "periods": {"names": list(periods), **_some(take, "weights", "starts")},
        "counts": {"file": "counts.csv", **_some(take, "rho", "concentration")},
    }
    rows = {"firms.csv": _firm_rows(firms, sizes), "counts.csv": count_rows(counts)}
    return _written(folder, tables, {**rows, **(files or {})}, toml, take)


def write_decisions_study(
    folder: Path,
    *,
    decisions: Iterable[Sequence[str]] = DECISIONS,
    firms: Sequence[str] | None = None,
    sizes: Sequence[str] | None = None,
    columns: Sequence[str] = ("firm", "when", "flag"),
    periods: Sequence[str] | None = None,
    name: str = "listed",
    files: Mapping[str, Iterable[Sequence[str]]] | None = None,
    toml: str = "",
    **extra: Any,
) -> Path:
    """Write a study of known decisions and return its folder.

    Parameters
    ----------
    folder : Path
        Made if need be.
    decisions : iterable of sequences of str
        Rows of decisions.csv.
    firms : sequence of str, optional
        By default those of the decisions, in order of appearance.
    sizes : sequence of str, optional
        ``large`` or ``other``, one a firm; by default no such column.
    columns : sequence of str
        Header of decisions.csv: ``firm`` and ``flag``, and ``when`` or ``period`` or neither.
    periods : sequence of str, optional
        By default no table [periods].
    name, files, toml, **extra
        As in :func:`write_counts_study`.
    """
    rows = [[str(cell) for cell in row] for row in decisions]
    if firms is None:
        firms = list(dict.fromkeys(row[list(columns).index("firm")] for row in rows))
    take = dict(extra)
    tables: dict[str, dict[str, Any]] = {
        "study": _study(name, take),
        "firms": _firms(sizes),
        "outcome": _some(take, "event", "flag"),
    }
    given = _some(take, "weights", "starts")
    if periods is not None:
        tables["periods"] = {"names": list(periods), **given}
    asked = [column for column in columns if column in ("firm", "flag", "when", "period")]
    tables["decisions"] = {"file": "decisions.csv"} | {column: column for column in asked}
    written = {"firms.csv": _firm_rows(firms, sizes), "decisions.csv": [list(columns), *rows]}
    return _written(folder, tables, {**written, **(files or {})}, toml, take)


def _study(name: str, take: dict[str, Any]) -> dict[str, Any]:
    title = take.pop("title", "Made-up decisions")
    return {"name": name, "title": title, "model": "decay", **_some(take, "limits", "question")}


def _firms(sizes: Sequence[str] | None) -> dict[str, Any]:
    return {"file": "firms.csv", "column": "firm"} | ({"size": "size"} if sizes else {})


def _firm_rows(firms: Sequence[str], sizes: Sequence[str] | None) -> list[list[str]]:
    if sizes is None:
        return [["firm"], *([firm] for firm in firms)]
    pairs = zip(firms, sizes, strict=True)
    return [["firm", "size"], *([firm, size] for firm, size in pairs)]


def _some(take: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: take.pop(name) for name in names if name in take}


def _written(
    folder: Path,
    tables: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, Iterable[Sequence[str]]],
    toml: str,
    left: Mapping[str, Any],
) -> Path:
    if left:
        raise TypeError(f"nothing takes {sorted(left)}")
    lines = []
    for table, keys in tables.items():
        lines += [f"[{table}]", *(f"{key} = {_toml(value)}" for key, value in keys.items())]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text("\n".join([*lines, toml, ""]), encoding="utf-8")
    for name, rows in files.items():
        (folder / name).write_text(csv_text(rows), encoding="utf-8")
    return folder


def _toml(value: Any) -> str:
    if isinstance(value, str):
        inner = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{inner}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return repr(value)
