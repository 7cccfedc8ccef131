"""What every study has, whatever its model: a name, firms, tables as printed, and its source.

The BibTeX entry that a study may give for its source is parsed, and written anew from its parts:
LaTeX runs what stands in a bibliography, and a study may come from anyone. Only what is known to
print text gets through.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

from intlmodels.core.csvtable import Files, Table, read_text, table_text
from intlmodels.core.errors import StudyError, listed, one_line
from intlmodels.core.files import new_folder, write_all
from intlmodels.core.toml import toml_text
from intlmodels.core.workbook import split_book
from intlmodels.studies.claims import OURS, PAPER, Claim, shortened
from intlmodels.studies.columns import lookalike_lines
from intlmodels.studies.groups import Group, Number, Silence
from intlmodels.studies.schema import (
    FILE,
    DecayFile,
    RegisterFile,
    ShareFile,
    StudyFile,
    parsed,
    wrong,
)
from intlmodels.studies.sources import Sources

#: Lines of a study, and their letters, that a screen shows.
MOST_LINES, WIDEST = 24, 160


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """A study that was read and checked: ``print`` shows all of it, a notebook what fits a screen.

    ``frame()`` is a DataFrame of what was read, for notebooks: of shares the firms (of a panel, the
    rows) with the outcome in percent and the predictors before any transformation; of decisions the
    counts, or else the decisions.

    Examples
    --------
    ::

        study = im.load_study("rochester")
        study.frame()
        study.save("copy")  # a folder with study.toml and its tables
    """

    name: str
    title: str
    question: str
    #: ``share`` or ``decay``.
    model: str
    #: Where it was read from; of a study that was not read from files the name alone.
    folder: Path
    #: Where the tables were printed; and the same as a BibTeX entry, if the study gives one.
    source: str
    bibtex: str
    #: What the study cannot tell, in its author's words.
    limits: tuple[str, ...]
    #: What a firm is called.
    firm_label: str
    #: In the order of the table that lists them.
    firms: tuple[str, ...]
    #: Overrides as written; checked where the model is known.
    priors: dict[str, str]
    #: Every table used, as printed, by file name.
    tables: dict[str, Table]
    #: Cells whose white space or Unicode form was changed: (file, row, column, printed, read as).
    normalizations: tuple[tuple[str, int, str, str, str], ...]
    #: The table [fit], if any.
    settings: dict[str, Any]
    #: What the publication says, in a few sentences.
    summary: str = field(default="", kw_only=True)
    #: The text of study.toml.
    document: str = field(default="", kw_only=True)
    #: Variants that are Python functions of the user's own, by name.
    functions: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict, kw_only=True)
    #: What it means that a text does not name something, by ``file: column``.
    silence: dict[str, Silence] = field(default_factory=dict, kw_only=True)
    #: Firms, or rows of other tables, that claims speak of.
    row_groups: dict[str, Group] = field(default_factory=dict, kw_only=True)
    #: Further numbers that the publication prints.
    numbers: dict[str, Number] = field(default_factory=dict, kw_only=True)
    #: What the publication says, to be held against the study.
    claims: tuple[Claim, ...] = field(default=(), kw_only=True)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        """What fits a screen; ``print(study)`` shows all."""
        lines = [f"{own[:WIDEST]} ..." if len(own) > WIDEST else own for own in self.lines()]
        more = len(lines) - MOST_LINES
        if more > 1:
            lines[MOST_LINES:] = [f"... {more} more lines: print(study)"]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        lines = [escape(line) for line in self.lines()]
        first, rest = "\n".join(lines[:MOST_LINES]), "\n".join(lines[MOST_LINES:])
        more = f"<details><summary>more</summary><pre>{rest}</pre></details>" if rest else ""
        return f"<pre>{first}</pre>{more}<p>Next: <code>im.fit_study(study)</code></p>"

    @abstractmethod
    def lines(self) -> Iterator[str]:
        """What was read, for a person to check before fitting."""

    def save(self, folder: str | Path) -> Path:
        """Write this study as a folder with study.toml and its tables.

        The same study is read from there: fits of it have the same fingerprints and draws.

        Parameters
        ----------
        folder : str or path
            The folder to make, or one that is empty; the folder that holds it must be there.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        StudyError
            If the folder holds something or cannot be made, or the rows of this study stay in
            files of their own, as those of a register do; nothing is left behind.
        """
        if not self.tables:
            message = "the rows of a register stay in their files; copy the folder of the study"
            raise StudyError(message, value=self.name)
        names = _csv_names(self.tables)
        document = self.document
        if any(name != new for name, new in names.items()):
            document = toml_text(_renamed(parsed(document), names))
        texts = {names[n]: table_text(own.header, own.rows) for n, own in self.tables.items()}
        texts[FILE] = document
        with new_folder(folder) as path:
            write_all({name: text.encode() for name, text in texts.items()}, path)
        return path

    def first_lines(self, model: str = "") -> Iterator[str]:
        """The beginning of a description of a study; the firms where they are listed."""
        yield one_line(f"{self.name}: {self.title}")
        saved = self.folder if self.folder.is_absolute() else "none; save(folder) writes one"
        yield one_line(f"  folder    {saved}")
        yield f"  model     {model or self.model}"
        if not model:
            yield from self.firm_lines(self.firms)

    def firm_lines(self, firms: Sequence[str]) -> Iterator[str]:
        """The names of the firms."""
        yield one_line(f"  firms     {len(firms)}: {shortened(firms)}")
        yield from lookalike_lines(firms, " " * 12)

    def normalization_lines(self) -> Iterator[str]:
        """Cells whose white space or Unicode form was changed."""
        yield f"cells not read as they are printed: {len(self.normalizations) or 'none'}"
        for file, row, column, printed, read in self.normalizations:
            yield one_line(f"  {file}, row {row}, {column}: {printed!r} read as {read!r}")

    def prior_lines(self) -> Iterator[str]:
        """Priors of the study's own."""
        for name, prior in self.priors.items():
            yield one_line(f"prior of the study's own: {name} = {prior}")

    def claim_lines(self) -> Iterator[str]:
        """Silence, groups and claims of the study's own."""
        for name, silence in self.silence.items():
            yield one_line(f"silence of {name}: {silence.describe()}")
        for group in self.row_groups.values():
            said = f"{len(group.sure)} of {len(group.rows)}"
            unknown = f", unknown for {len(group.unknown)}" if group.unknown else ""
            yield one_line(f"group {group.name}: {said}{unknown}: {shortened(group.sure)}")
        for origin, what in ((PAPER, "claims"), (OURS, "claims of our own")):
            ids = [claim.id for claim in self.claims if claim.origin == origin]
            if ids:
                yield one_line(f"{what}: {', '.join(ids)}")


def _csv_names(files: Iterable[str]) -> dict[str, str]:
    """Names of CSV files for the tables of a study; sheets of workbooks get new ones."""
    found: dict[str, str] = {}
    for file in sorted(files, key=lambda file: split_book(file) is not None):
        book = split_book(file)
        new = file
        if book is not None:
            words = [str(PurePosixPath(book[0]).with_suffix("")), book[1]]
            stem = "-".join(re.sub(r"[^\w./-]+", "-", word) for word in words if word)
            new, number = f"{stem}.csv", 2
            while new in found.values():
                new, number = f"{stem}-{number}.csv", number + 1
        found[file] = new
    return found


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A document with other names of files, alone or before a column."""
    if isinstance(value, dict):
        return {key: _renamed(own, names) for key, own in value.items()}
    if isinstance(value, list):
        return [_renamed(own, names) for own in value]
    if isinstance(value, str):
        for name in sorted(names, key=len, reverse=True):
            if value == name or (value.startswith(f"{name}:") and names[name] != name):
                return names[name] + value.removeprefix(name)
    return value


def common(
    files: Files, toml: StudyFile | RegisterFile, model: str, sources: Sources | None = None
) -> dict[str, Any]:
    """The attributes that every study has, once all of its tables are read, if it has any."""
    about = toml.study
    match toml:
        case ShareFile():
            label = toml.listing.label
        case DecayFile():
            label = toml.firms.label
        case _:
            label = toml.register.label
    read_as = sources.read_as if sources else {}
    plain = ("name", "title", "question", "source", "summary", "limits")
    return {
        **{own: getattr(about, own) for own in plain},
        "model": model,
        "folder": files if isinstance(files, Path) else Path(about.name),
        "document": read_text(files, FILE),
        "bibtex": check_bibtex(about.bibtex),
        "firm_label": label,
        "firms": sources.firms if sources else (),
        "priors": toml.priors,
        "tables": sources.tables if sources else {},
        "normalizations": tuple((*place, *texts) for place, texts in read_as.items()),
        "settings": dict(toml.fit.written),
    }


# -- the source as a BibTeX entry --------------------------------------------------------

_WHERE = "[study] bibtex"
#: Longest entry in characters, and most braces within one another.
LONGEST, DEEPEST = 20_000, 10
_KINDS = (
    *("article", "book", "booklet", "collection", "conference", "dataset", "inbook"),
    *("incollection", "inproceedings", "manual", "mastersthesis", "misc", "online", "phdthesis"),
    *("proceedings", "report", "software", "techreport", "thesis", "unpublished"),
)
#: Not among them: those that refer to other entries or files, or that a style executes.
_FIELDS = (
    *("author", "editor", "translator", "title", "subtitle", "booktitle", "journal"),
    *("journaltitle", "year", "date", "month", "volume", "number", "issue", "pages", "publisher"),
    *("address", "location", "institution", "school", "organization", "edition", "series"),
    *("chapter", "type", "howpublished", "note", "doi", "url", "urldate", "eprint"),
    *("archiveprefix", "primaryclass", "eprinttype", "eprintclass", "isbn", "issn", "key"),
    *("language", "version"),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_KEY = r"\w(?:[\w:.+/-]*\w)?"
_HEAD = re.compile(rf"@\s*([A-Za-z]+)\s*\{{\s*({_KEY})\s*,\s*")
_NAME = re.compile(r"([A-Za-z][\w-]*)\s*=\s*")
_BARE = re.compile(r"(\w+)\s*(?=[,}])", re.ASCII)
_COMMA = re.compile(r"\s*,?\s*")

_ADDRESS = r"https?://[A-Za-z0-9](?:[\w.~:/?\[\]@!$&'()*+,;=-]|MORE)*"
_URL = re.compile(_ADDRESS.replace("MORE", "#|%[0-9A-Fa-f]{2}"), re.ASCII)
_DOI = re.compile(r"10\.\d{4,9}/[\w.;()/:<>+\[\]-]+", re.ASCII)
#: Commands that print a letter or mark, change its form, or set an address.
_LETTERS = (
    "aa|AA|ae|AE|copyright|dh|DH|dj|DJ|dots|i|j|l|L|ldots|ng|NG|o|O|oe|OE|pounds|S|slash|ss|"
    "textasciitilde|textemdash|textendash|textregistered|texttrademark|th|TH"
)
_COMMAND = re.compile(
    # Within another command # and % would still mean something.
    rf"\\url\{{{_ADDRESS.replace('|MORE', '')}\}}"
    r"|\\(?:emph|mbox|textbf|textit|textsc|textsubscript|textsuperscript)(?=\{)"
    r"|\\(?:['`\"^~=.]|[bcdHkruvt](?![A-Za-z])) *(?:\\[ij](?![A-Za-z])|[^\W\d_]|(?=\{))"
    rf"|\\(?:{_LETTERS})(?![A-Za-z])"
    r"|\\[&%_#$, -]",
    re.ASCII,
)


def check_bibtex(text: str) -> str:
    """One entry with a title, as its parts make it; blank stays blank."""
    text = text.strip()
    if not text:
        return ""
    if len(text) > LONGEST:
        raise wrong(f"expected an entry of at most {LONGEST:,} characters", _WHERE, text)
    kind, key, fields = parse_entry(text)
    if unknown := [name for name in fields if name not in _FIELDS]:
        said = f"unknown field {listed(unknown)}; expected fields among {', '.join(_FIELDS)}: "
        raise wrong(f"{said}delete the others", _WHERE)
    written = [f"  {name} = {_field(name, value)}" for name, value in fields.items()]
    return f"@{kind}{{{key},\n" + ",\n".join(written) + "\n}"


def parse_entry(text: str) -> tuple[str, str, dict[str, str]]:
    """Kind, key and fields of one entry with a title, the fields as written."""
    head = _HEAD.match(text)
    if head is None:
        raise _no_entry(text)
    kind, key = head.group(1).lower(), head.group(2)
    if kind not in _KINDS:
        raise wrong(f"expected one of {listed(_KINDS, len(_KINDS))}", _WHERE, f"@{kind}")
    fields, end = _fields(text, head.end())
    if end != len(text) or "title" not in fields:
        raise _no_entry(text)
    return kind, key, fields


def _no_entry(text: str) -> StudyError:
    return wrong(
        "expected one BibTeX entry with a title, braces in pairs, and nothing before or after it, "
        "as in @article{key, title = {...}, year = {2020}}",
        _WHERE,
        text,
    )


def _fields(text: str, at: int) -> tuple[dict[str, str], int]:
    """The fields from a place on, and where the entry ends."""
    fields: dict[str, str] = {}
    while not text.startswith("}", at):
        named = _NAME.match(text, at)
        if named is None:
            raise _no_entry(text[at:] or text)
        name, start = named.group(1).lower(), named.end()
        if name in fields:
            raise wrong("expected every field once", _WHERE, name)
        end = _end(text, start)
        fields[name], comma = text[start:end], _COMMA.match(text, end)
        assert comma is not None
        at = comma.end()
        if "," not in comma.group() and not text.startswith("}", at):
            raise _no_entry(text[start:])
    return fields, at + 1


def _end(text: str, start: int) -> int:
    """Where a value ends that starts at a place: in braces, in quotes, a number or a month."""
    bare = _BARE.match(text, start)
    if bare is not None and (bare.group(1).isdecimal() or bare.group(1).lower() in _MONTHS):
        return bare.end(1)
    quoted = text.startswith('"', start)
    if not quoted and not text.startswith("{", start):
        raise wrong("expected a value in braces, as in {2020}", _WHERE, text[start:])
    depth = 0
    for place in range(start + quoted, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth > DEEPEST:
            raise wrong(f"expected at most {DEEPEST} braces within one another", _WHERE)
        if depth < 0:
            break
        if depth == 0 and text[place] == ('"' if quoted else "}"):
            return place + 1
    raise _no_entry(text[start:])


def _field(name: str, value: str) -> str:
    """A value as BibTeX takes it, if LaTeX does nothing with it but print it."""
    if value[0] not in '{"':
        return value.lower() if value.lower() in _MONTHS else f"{{{value}}}"
    inside = value[1:-1].strip()
    tests: dict[str, tuple[Callable[[str], object], str]] = {
        "url": (_URL.fullmatch, "an address that begins with https:// or http://"),
        "doi": (_DOI.fullmatch, "a DOI such as 10.1016/j.jwb.2020.101125, without an address"),
    }
    if name in tests:
        test, expected = tests[name]
        if not test(inside):
            raise wrong(f"expected {expected}", f"{_WHERE} {name}", inside)
        return f"{{{inside}}}"
    # Of the same length, so that places stay.
    unknown = _COMMAND.sub(lambda known: " " * len(known.group()), inside)
    at = next((i for i, c in enumerate(unknown) if c in "\\$&#%^_" or not c.isprintable()), None)
    if at is not None:
        raise wrong(
            "expected plain text: of LaTeX only accents, letters such as \\o, \\emph{...}, "
            "\\textit{...}, \\url{https://...} and \\& \\% \\_ \\# \\$ are taken",
            f"{_WHERE} {name}",
            inside[at : at + 30],
        )
    return f"{{{inside}}}"
