"""Text for papers: how each format keeps letters as they are, how it cites, and BibTeX."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from intlmodels.core.errors import StudyError
from intlmodels.core.formats import SPACE
from intlmodels.report.provenance import OWN, REFERENCES, Reference
from intlmodels.report.render import markdown_text
from intlmodels.studies import Study
from intlmodels.studies.base import parse_entry

#: What LaTeX would take for a command, or not set as it is.
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"$\sim$",
    "^": r"\textasciicircum{}",
    '"': "''",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    SPACE: "~",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{DEGREE SIGN}": r"$^{\circ}$",
    "\N{MICRO SIGN}": r"$\mu$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{INFINITY}": r"$\infty$",
    "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{TILDE OPERATOR}": r"$\sim$",
    "§": r"\S{}",
    "£": r"\pounds{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
}
#: Said in the first line of a file with letters that have no command.
BEYOND = "; has letters that need XeLaTeX or LuaLaTeX"
#: Greek letters that have a command; the others look like Latin ones.
_GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
#: How Unicode calls letters below and above the line.
_RAISED = {"<sub>": "_", "<super>": "^"}
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CEDILLA}": "c",
    "\N{COMBINING OGONEK}": "k",
}


def latex(text: object) -> str:
    """Text that LaTeX sets as it is: nothing in it is a command.

    European letters become commands, so that it compiles with any engine. Letters of other
    scripts stay; they need XeLaTeX or LuaLaTeX and a font that has them.
    """
    line = unicodedata.normalize("NFC", re.sub(r"[\t\n\v\f\r]", " ", str(text)))
    kept = [letter for letter in line if letter.isprintable() or letter == SPACE]
    pieces = [_latex_letter(letter) for letter in kept]
    for i in range(1, len(kept)):
        if kept[i] == kept[i - 1] and kept[i] in "-',":  # two would become a dash or a quote
            pieces[i] = f"{{}}{kept[i]}"
    if kept[:1] in (["["], ["*"]):  # at the start of a row an argument of the command before it
        pieces[0] = f"{{}}{kept[0]}"
    return "".join(pieces)


def _latex_letter(letter: str) -> str:
    known = _ESCAPES.get(letter)
    if known is not None or letter.isascii():
        return known or letter
    if letter in _GREEK:
        name = unicodedata.name(letter).split()[-1].replace("LAMDA", "LAMBDA")
        return f"$\\{name.capitalize() if letter.isupper() else name.lower()}$"
    kind, _, code = unicodedata.decomposition(letter).partition(" ")
    if kind in _RAISED and " " not in code:
        return f"${_RAISED[kind]}{{{_latex_letter(chr(int(code, 16))).strip('$')}}}$"
    parts = unicodedata.normalize("NFD", letter)
    base, marks = parts[0], parts[1:]
    if marks in _ACCENTS and base.isascii():
        return f"{{\\{_ACCENTS[marks]}{{{base}}}}}"
    return letter


# -- passages with citations -------------------------------------------------------------

#: In a passage, the source of the data.
DATA = "data"


@dataclass(frozen=True)
class Cite:
    """Names of methods, ``DATA`` or ``OWN``; in a finished text keys of publications."""

    names: tuple[str, ...]


#: Text and citations, one after the other.
Passage = tuple[str | Cite, ...]


def cite(*names: str) -> Cite:
    """A citation of methods, of the data or of the package."""
    return Cite(names)


def cited(passages: Iterable[Passage]) -> tuple[str, ...]:
    """Keys that passages cite, in order, each once."""
    pieces = [piece for passage in passages for piece in passage if isinstance(piece, Cite)]
    return tuple(dict.fromkeys(key for piece in pieces for key in piece.names))


def _joined(passage: Passage, text: Callable[[str], str], cite: Callable[[Cite], str]) -> str:
    return "".join(cite(p) if isinstance(p, Cite) else text(p) for p in passage)


def as_latex(passages: Iterable[Passage], title: str) -> str:
    """Paragraphs for a LaTeX document that loads natbib."""
    body = "\n\n".join(
        _joined(p, latex, lambda cite: rf"\citep{{{','.join(cite.names)}}}") for p in passages
    )
    needs = f"% needs \\usepackage{{natbib}}{'' if body.isascii() else BEYOND}"
    return f"{needs}\n\\section*{{{latex(title)}}}\n\n{body}\n"


def as_markdown(passages: Iterable[Passage], title: str) -> str:
    """Paragraphs for Pandoc: ``[@key]`` with the BibTeX file as bibliography."""
    body = "\n\n".join(
        _joined(p, _markdown, lambda cite: f"[{'; '.join(f'@{key}' for key in cite.names)}]")
        for p in passages
    )
    return f"# {markdown_text(title)}\n\n{body}\n"


def _markdown(text: str) -> str:
    # No piece starts a line of its own; and Pandoc takes @word for a citation.
    return markdown_text(f"x{text}")[1:].replace("@", "\\@")


def as_html(
    passages: Iterable[Passage], title: str, references: Mapping[str, Reference], stated: str
) -> str:
    """Paragraphs for a word processor, with the references; ``stated`` is that of the data."""
    passages = list(passages)
    body = "\n".join(
        f"<p>{_joined(p, html.escape, lambda cite: _named(cite, references))}</p>" for p in passages
    )
    entries = sorted(
        references[key].text if key in references else stated for key in cited(passages)
    )
    listed = "\n".join(f"<p>{html.escape(entry)}</p>" for entry in entries)
    return f"<h1>{html.escape(title)}</h1>\n{body}\n<h2>References</h2>\n{listed}\n"


def _named(cite: Cite, references: Mapping[str, Reference]) -> str:
    names = [
        _short(references[key]) if key in references else "source of the data" for key in cite.names
    ]
    return html.escape(f"({'; '.join(names)})")


def _short(reference: Reference) -> str:
    first, *others = reference.authors
    who = f"{first.partition(',')[0]} et al." if len(others) > 1 else reference.who
    return f"{who} {reference.year}".strip()


def page(title: str, body: str) -> str:
    """An HTML page that a word processor opens."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title>\n</head>\n"
        f"<body style=\"font-family: 'Times New Roman', serif; font-size: 11pt\">\n{body}</body>\n"
        "</html>\n"
    )


# -- BibTeX ------------------------------------------------------------------------------


def entry(key: str, reference: Reference) -> str:
    """One entry; capitals of the title stay as they are in every style."""
    fields = {name: _field(name, value) for name, value in reference.fields.items()}
    # What has no comma is a group, not a first and a family name.
    authors = [latex(a) if "," in a else f"{{{latex(a)}}}" for a in reference.authors]
    fields["author"] = " and ".join(authors)
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items()]
    return f"@{reference.kind}{{{key},\n" + ",\n".join(lines) + "\n}\n"


def _field(name: str, value: str) -> str:
    if name == "pages":
        return value
    if name == "title":
        return f"{{{latex(value)}}}"
    return rf"\url{{{value}}}" if value.startswith("https://") else latex(value)


def data_key(study: Study) -> str:
    """Key of the source of the data.

    Raises
    ------
    StudyError
        If the entry of the study has the key of another reference.
    """
    key = parse_entry(study.bibtex)[1] if study.bibtex else f"data-{study.name}"
    if key in REFERENCES or key == OWN:
        raise StudyError(
            "this key belongs to a reference of the methods; expected another one",
            file="study.toml",
            column="[study] bibtex",
            value=key,
        )
    return key


#: The year of a citation, as in "(2020)".
_YEAR = re.compile(r"\(((?:19|20)\d\d)[a-z]?\)")


def data_entry(study: Study) -> str:
    """Entry of the source of the data: the study's own, or one made of its source."""
    if study.bibtex:
        return f"{study.bibtex}\n"
    source = (study.source or "The study names no source").removesuffix(".")
    found = _YEAR.search(source)
    # Not as a note, which the default style of Pandoc leaves out.
    fields = {
        "key": latex(study.name),
        "title": f"{{{latex(f'Data: {study.title}')}}}",
        "howpublished": latex(source),
        "year": found[1] if found else "n.d.",
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items()]
    return f"@misc{{{data_key(study)},\n" + ",\n".join(lines) + "\n}\n"


def bibliography(references: Mapping[str, Reference], study: Study) -> str:
    """The source of the data, then the references by key."""
    entries = [entry(key, references[key]) for key in sorted(references)]
    return "\n".join([data_entry(study), *entries])
