"""From values to pages: each section of a report is a template in Markdown.

A template is rendered once for ``report.md`` and once for the HTML page, in which what it calls
for (tables, figures, boxes) becomes HTML and the Markdown around it is converted. Templates format
and compute nothing.

What templates can call, beside their values:

- ``{% call table(rows, header, file="", numeric=(), note="", widths=(), fitted=True) %}`` caption
- ``{% call figure(drawing, alt, fitted=True, csv="", code="") %}`` caption
- ``{% call box(title, failed=False) %}`` and ``{% call fold(title) %}`` Markdown
- ``formula(lines)``, ``code(text)``, and ``drawn_by(study)``, the code that draws the figures
- ``see(section)``, a link to a section with its title, or to it ``see(section, "these words")``,
  or to an ``anchor(name)`` in it, ``see(section, "these words", name)``; ``has(section)``;
  ``number(drawing)``, a link to a figure, as in "Figure 2"
- ``badge(kind, words)``, a verdict with icon and colour, by which the rows of a table can be
  filtered; its kind is one of ``BADGES``
- the filters ``n|counted("firm")``, ``noun|plural`` and ``items|some(most)``, a list cut short
- ``term(word)``, a word of the glossary with its meaning; ``mark``, which stands before every
  statement of estimates and is empty where the fit passed its checks

``fitted`` says that a table or figure shows estimates, so that it is marked after a failed fit.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from html import escape, unescape
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from xml.etree.ElementTree import tostring

from markdown_it import MarkdownIt
from markupsafe import Markup

from intlmodels.core import formats as f
from intlmodels.core.versions import REPORT_VERSION
from intlmodels.report.pages import Drawing, Figure, Page, Section, Table

if TYPE_CHECKING:
    from jinja2 import Environment


TEMPLATES = Path(__file__).parent / "templates"
#: Format of a rendering: files in Markdown and HTML, or sentences as a terminal shows them.
Format = Literal["md", "html", "text"]
#: Largest CSV file that the page carries itself, so that its link works in a page sent alone.
MOST_CSV = 60_000

_MARKDOWN = re.compile(r"([\\`*_\[\]$~#^])")
_LEADING = re.compile(r"^(\s*)(\d+)([.)])(?=\s|$)|^(\s*)([-+=:])(?=\s|$)")
#: Kinds of badges, and the icons of their verdicts in Markdown.
BADGES = {"agrees": "✓", "differs": "✗", "undecided": "?", "untestable": "–", "missing": "…"}
#: A reference that is known only when all sections are rendered.
_LATER = re.compile("\ue000(\\w+):([^\ue001:]*):([^\ue001]*)\ue001")


def markdown_text(text: object) -> str:
    """Text that Markdown shows as it is: nothing in it is markup, HTML, math or a table."""
    line = " ".join(str(text).split("\n")).replace("\r", " ")
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _MARKDOWN.sub(r"\\\1", line).replace("|", "\\|")
    return _LEADING.sub(_escape_start, line)


def _escape_start(match: re.Match[str]) -> str:
    space, digits, stop, other_space, mark = match.groups()
    if digits:
        return f"{space}{digits}\\{stop}"
    return f"{other_space}\\{mark}"


def fence(text: str) -> str:
    """A code fence longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


def mathml(tex: str) -> str:
    """A formula in TeX as a ``math`` element."""
    from latex2mathml.converter import convert_to_element

    # latex2mathml sets upright names letter by letter and takes \sim for an ASCII tilde.
    for command, same in ((r"\mathrm{", r"\text{"), (r"\_", "_"), (r"\sim", r"\thicksim")):
        tex = tex.replace(command, same)
    element = convert_to_element(tex, display="block")
    for each in element.iter():  # its operators are entities; serializing escapes all text
        each.text = unescape(each.text) if each.text else None
    return tostring(element, encoding="unicode")


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable("table")


def plain(text: str) -> str:
    """Markdown of one line as plain text."""
    tokens = _markdown().parseInline(text)[0].children or []
    return "".join(token.content for token in tokens if token.type in ("text", "code_inline"))


@cache
def glossary() -> dict[str, str]:
    """Words that reports explain, and their meanings."""
    return tomllib.loads((TEMPLATES / "glossary.toml").read_text(encoding="utf-8"))


@cache
def _environment(markup: bool = True) -> Environment:
    """Templates that show text as Markdown does, for both formats of a page, or as it is."""
    from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

    class Compiled(FileSystemBytecodeCache):
        """Templates as byte code, kept beside that of modules where that can be written."""

        def dump_bytecode(self, bucket: Any) -> None:
            with suppress(OSError):
                super().dump_bytecode(bucket)

    def shown(value: object) -> object:
        if isinstance(value, Markup) or not markup:
            return Markup(value)
        return Markup(markdown_text(value))

    kind = f"{metadata.version('jinja2')}-{REPORT_VERSION}-{'page' if markup else 'text'}"
    cached = Compiled(str(Path(__file__).parent / "__pycache__"), f"jinja-{kind}-%s.cache")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        bytecode_cache=cached,
        autoescape=True,
        extensions=["jinja2.ext.do"],
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        fence=fence,
        **{each.__name__: each for each in (f.capital, f.lowered, f.listed, f.a, f.counted)},
        **{each.__name__: each for each in (f.plural, f.some)},
    )
    return environment


def sentences(template: str, values: Mapping[str, Any]) -> list[str]:
    """Sentences of a template for a terminal: items of lists, and other lines.

    A line that starts with two blanks goes on with what stands above it, as in Markdown.
    """
    text = _environment(markup=False).get_template(template).render({"mark": "", **values})
    text = re.sub(r"\n {2,}(?=[^\s-])", " ", text)
    return [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip()]


class Rendering:
    """One rendering of the pages of a report into one format.

    Parameters
    ----------
    form : {"md", "html"}
    models : sequence of str
        Folders of templates, the first that has a section's template counts.
    passed : bool
        Whether the default fit passed its checks.
    csv : mapping of str to str
        CSV files by name, of which small ones become part of an HTML page.
    """

    def __init__(
        self, form: Format, models: Sequence[str], passed: bool, csv: Mapping[str, str]
    ) -> None:
        self.form, self.models, self.passed, self.csv = form, models, passed, csv
        self.figures: list[Figure] = []
        self.tables: list[Table] = []
        self.titles: dict[str, tuple[str, str]] = {}
        self.numbers: dict[str, tuple[str, str]] = {}
        self.prefix = ""
        self.page = ""
        mark = "Did not converge, not to be quoted: "
        calls = (self.table, self.figure, self.box, self.fold, self.formula, self.code, self.see)
        self.globals: dict[str, object] = {
            **{call.__name__: call for call in (*calls, self.has, self.number, self.term)},
            **{call.__name__: call for call in (self.anchor, self.badge)},
            "drawn_by": lambda study: Markup(f"\ue000code::{study}\ue001"),
            "mark": Markup("" if passed else f"**{mark.strip()}** "),
            "passed": passed,
            "html": form == "html",
        }

    def pages(self, pages: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Page]:
        """Render all pages: name of a page -> name of a section -> its values."""
        self.known = {name: page for page, sections in pages.items() for name in sections}
        rendered: dict[str, list[Section]] = {}
        parts: dict[str, tuple[tuple[Figure, ...], tuple[Table, ...]]] = {}
        for page, sections in pages.items():
            self.page, self.prefix = page, "A" if page == "appendix" else ""
            self.figures, self.tables = [], []
            rendered[page] = [self._section(name, own) for name, own in sections.items()]
            parts[page] = tuple(self.figures), tuple(self.tables)
        drawn = [figure for figures, _ in parts.values() for figure in figures if figure.code]
        return {
            page: Page(
                page,
                tuple(self._finished(section, page, drawn) for section in sections),
                *parts[page],
            )
            for page, sections in rendered.items()
        }

    def _section(self, name: str, values: Mapping[str, Any]) -> Section:
        names = [f"{model}/{name}.md.j2" for model in self.models]
        found = _environment().select_template(names)
        text = found.render({**self.globals, **values}).strip()
        heading, _, rest = text.partition("\n")
        title = heading.removeprefix("## ").strip()
        self.titles[name] = (self.page, title)
        return Section(name, title, rest.strip() + "\n")

    def _finished(self, section: Section, page: str, drawn: Sequence[Figure]) -> Section:
        def later(match: re.Match[str]) -> str:
            kind, name, words = match.groups()
            if kind == "code":
                return _script(drawn, words)
            name, _, row = name.partition("#")
            where, text = (self.titles if kind == "see" else self.numbers)[name]
            name = row or (name if kind == "see" else f"figure-{name}")
            file = "" if where == page else PAGES[where][self.form]
            if self.form == "html":  # tables and captions are no longer Markdown
                return f'<a href="{file}#{name}">{self._inline(words or text)}</a>'
            return f"[{words or text}]({file}#{name})"

        text = _LATER.sub(later, section.text)
        title = section.title
        if self.form == "html":
            text, title = _to_html(text, section.name), _markdown().renderInline(title)
        else:
            text = re.sub(r"\n{3,}", "\n\n", text)
        return Section(section.name, title, text)

    def fragment(self, template: str, values: Mapping[str, Any]) -> str:
        """What stands above the first section."""
        text = _environment().get_template(template).render({**self.globals, **values})
        return _to_html(text, "top") if self.form == "html" else text

    # -- what templates call -------------------------------------------------------------

    def table(
        self,
        rows: Sequence[Sequence[str]],
        header: Sequence[str],
        *,
        caller: Callable[[], str],
        file: str = "",
        numeric: Sequence[int] = (),
        note: str = "",
        widths: Sequence[int] = (),
        fitted: bool = True,
    ) -> Markup:
        """A table with its caption; ``widths`` in percent make it a broad one, of long texts."""
        failed = fitted and not self.passed
        caption = _one_line(caller()).removesuffix(".")
        number = f"Table {self.prefix}{len(self.tables) + 1}"
        if failed:
            header, widths = (*header, "converged"), ()
            rows = [(*row, "NO") for row in rows]
        shown = Table(
            number, caption, (*header,), (*map(tuple, rows),), (*numeric,), file, note, failed
        )
        self.tables.append(_as_text(shown))
        if self.form == "html":
            return Markup(self._html_table(shown, widths))
        return Markup(self._md_table(shown))

    def _md_table(self, table: Table) -> str:
        mark = " **(did not converge)**" * table.failed
        lines = [f"**{table.number}. {table.caption}**{mark}", ""]
        lines.append(f"| {' | '.join(map(_shown, table.header))} |")
        sides = ["---:" if i in table.numeric else "---" for i in range(len(table.header))]
        lines.append(f"| {' | '.join(sides)} |")
        lines += [f"| {' | '.join(map(_shown, row))} |" for row in table.rows]
        link = f"[CSV]({table.file})" if table.file.rpartition("/")[2] in self.csv else ""
        below = " ".join(filter(None, (_shown(table.note), link)))
        return "\n".join([*lines, "", *([below, ""] if below else []), ""])

    def _html_table(self, table: Table, widths: Sequence[int]) -> str:
        anchor = table.number.lower().replace(" ", "-")
        short = bool(table.rows) and max(len(str(row[0])) for row in table.rows) <= 8
        kinds = {"failed": table.failed, "short": short, "wide": len(table.header) > 5}
        kind = " ".join(name for name, holds in kinds.items() if holds)
        mark = ' <strong class="mark">did not converge</strong>' * table.failed
        lines = [
            f'<div class="tablebox{" broad" * bool(widths)}" tabindex="0" role="group" '
            f'aria-label="{table.number}">',
            f"<table{f' class="{kind}"' if kind else ''}>",
            f'<caption id="{anchor}"><strong>{table.number}.</strong> '
            f"{self._inline(table.caption)}{mark}</caption>",
        ]
        if widths:
            columns = "".join(f'<col style="width: {width}%">' for width in widths)
            lines.append(f"<colgroup>{columns}</colgroup>")
        right = [' class="n"' if i in table.numeric else "" for i in range(len(table.header))]
        heads = zip(right, table.header, strict=True)
        titles = "".join(
            f'<th scope="col"{n}>{self._cell(name)}</th>' if name else "<td></td>"
            for n, name in heads
        )
        lines += [f"<thead><tr>{titles}</tr></thead>", "<tbody>"]
        # On a phone the rows of broad tables are cards.
        labels = [f' data-label="{escape(name)}"' * bool(widths) for name in table.header[1:]]
        for row in table.rows:
            first, *others = zip(right, row, strict=True)
            cells = (
                f'<th scope="row"{first[0]}>{self._cell(first[1])}</th>'
                if first[1]
                else "<td></td>"
            )
            for (n, cell), label in zip(others, labels, strict=True):
                cells += f"<td{n}{label}>{self._cell(cell)}</td>"
            lines.append(f"<tr>{cells}</tr>")
        lines += ["</tbody>", "</table>", "</div>"]
        link = self._csv_link(table.file) if table.file else ""
        if table.note or link:
            lines.append(
                f'<p class="note">{" ".join(filter(None, (self._cell(table.note), link)))}</p>'
            )
        return "\n" + "\n".join(lines) + "\n\n"

    def _csv_link(self, file: str) -> str:
        name = file.rpartition("/")[2]
        text = self.csv.get(name, "")
        if not 0 < len(text) <= MOST_CSV:
            return f'<a href="{file}">CSV</a>' if text else ""
        data = base64.b64encode(text.encode()).decode()
        return f'<a download="{name}" href="data:text/csv;base64,{data}">CSV</a>'

    def figure(
        self,
        drawing: Drawing,
        alt: str,
        *,
        caller: Callable[[], str],
        fitted: bool = True,
        csv: str = "",
        code: str = "",
    ) -> Markup:
        """A figure with its caption; ``alt`` is what it says to those who hear it."""
        failed = fitted and not self.passed
        caption = _one_line(caller())
        number = f"Figure {self.prefix}{len(self.figures) + 1}"
        self.numbers[drawing.name] = (self.page, number)
        self.figures.append(Figure(number, drawing, plain(caption), failed, code))
        alt = "Did not converge. " * failed + plain(_shown(alt))
        if self.form == "md":
            mark = " **(did not converge)**" * failed
            lines = f"![{markdown_text(alt)}]({drawing.file})\n\n*{number}. {caption}*{mark}\n"
            return Markup(f'\n<a id="figure-{drawing.name}"></a>\n\n{lines}\n')
        mark = ' <strong class="mark">did not converge</strong>' * failed
        link = f" {self._csv_link(csv)}" if csv else ""
        data = base64.b64encode(drawing.svg.encode()).decode()
        return Markup(
            f'\n<figure id="figure-{drawing.name}">\n'
            f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(alt)}" '
            f'data-name="{drawing.name}.svg">\n'
            f"<figcaption><strong>{number}.</strong> {self._inline(caption)}{mark}{link}"
            "</figcaption>\n"
            "</figure>\n\n"
        )

    def box(self, title: str, failed: bool = False, *, caller: Callable[[], str]) -> Markup:
        """Something that must not be overlooked."""
        body = caller().strip()
        if self.form == "md":
            lines = [f"**{_shown(title)}**", "", *body.splitlines()]
            return Markup("\n" + "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n")
        role, kind = ("alert", "box failed") if failed else ("note", "box")
        return Markup(
            f'\n<div class="{kind}" role="{role}">\n<p class="boxtitle">{self._cell(title)}</p>\n\n'
            f"{body}\n\n</div>\n\n"
        )

    def fold(self, title: str, *, caller: Callable[[], str]) -> Markup:
        """What is shown when asked for; always there on paper."""
        summary = f"<summary>{self._cell(title)}</summary>"
        return Markup(f"\n<details>\n{summary}\n\n{caller().strip()}\n\n</details>\n\n")

    def formula(self, lines: Sequence[str]) -> Markup:
        """Lines of mathematics in TeX."""
        if self.form == "md":
            body = " \\\\\n".join(f"& {line}" for line in lines)
            return Markup(f"\n```math\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n```\n\n")
        label = 'tabindex="0" role="group" aria-label="The model in mathematics"'
        body = "\n".join(map(mathml, lines))
        return Markup(f'\n<div class="formula" {label}>\n{body}\n</div>\n\n')

    def code(self, text: str) -> Markup:
        """Commands, as typed."""
        return Markup(f"\n{fence(text)}\n{text}\n{fence(text)}\n\n")

    def see(self, section: str, words: str = "", row: str = "") -> Markup:
        """A link to a section, by its title or by words, or to an anchor in it."""
        return Markup(f"\ue000see:{section}{f'#{row}' if row else ''}:{_shown(words)}\ue001")

    def anchor(self, name: str) -> Markup:
        """A place that links can name."""
        return Markup(f'<a id="{escape(name)}"></a>')

    def badge(self, kind: str, words: str) -> Markup:
        """A verdict with its icon."""
        if self.form == "md":
            return Markup(f"{BADGES[kind]} {_shown(words)}")
        return Markup(f'<span class="badge {kind}">{self._cell(words)}</span>')

    def has(self, section: str) -> bool:
        """Whether a section is in the report."""
        return section in self.known

    def number(self, drawing: str) -> Markup:
        """A link to a figure by its number."""
        return Markup(f"\ue000figure:{drawing}:\ue001")

    def term(self, word: str, shown: str = "") -> Markup:
        """A word of the glossary, explained where the page is on a screen."""
        meaning = glossary()[word]
        if self.form != "html":
            return Markup(_shown(shown or word))
        tip = f'<span class="tip" role="tooltip">{escape(meaning)}</span>'
        return Markup(f'<dfn class="term" tabindex="0">{self._cell(shown or word)}{tip}</dfn>')

    def _inline(self, text: str) -> str:
        return str(_markdown().renderInline(text)) if self.form == "html" else text

    def _cell(self, text: str) -> str:
        return self._inline(text) if isinstance(text, Markup) else escape(str(text))


def _script(drawn: Sequence[Figure], study: str) -> str:
    """The code that draws the figures, beside the fits of a study."""
    lines = ["import intlmodels as im", ""]
    if any("(study" in figure.code for figure in drawn):
        lines.append(f'study = im.load_study("{study}")')
    lines.append('fit = im.read_fit("posterior.nc")')
    return "\n".join([*lines, *(f"\n# {own.number}\n{own.code}" for own in drawn)])


def _one_line(text: str) -> str:
    return re.sub(r"[ \t]*\n\s*", " ", text.strip())


def _shown(text: str) -> str:
    return str(text) if isinstance(text, Markup) else markdown_text(text)


def _cell_text(cell: str) -> str:
    return plain(cell) if isinstance(cell, Markup) else str(cell)


def _as_text(table: Table) -> Table:
    """A table without markup, for files."""
    rows = tuple(tuple(map(_cell_text, row)) for row in table.rows)
    header = tuple(map(str, table.header))
    caption, note = plain(table.caption), plain(_shown(table.note))
    return replace(table, caption=caption, header=header, rows=rows, note=note)


#: Name of a page -> its file in either format.
PAGES: dict[str, dict[str, str]] = {
    "report": {"md": "report.md", "html": "index.html"},
    "appendix": {"md": "appendix.md", "html": "appendix.html"},
}


def _to_html(text: str, section: str) -> str:
    """Markdown of a section as HTML: headings below its own have anchors, code can be scrolled."""
    tokens = _markdown().parse(text)
    for token, inside in pairwise(tokens):
        if token.type == "heading_open":
            words = re.findall("[a-z0-9]+", plain(inside.content).lower())
            token.attrSet("id", "-".join([section, *words[:6]]))
    page = _markdown().renderer.render(tokens, _markdown().options, {})
    label = '<pre tabindex="0" role="group" aria-label="Commands">'
    return str(page).replace("<pre>", label)


# -- pages -------------------------------------------------------------------------------


def html(page: Page, about: Mapping[str, str], top: str) -> str:
    """A page as one self-contained HTML file; ``about`` has its title, subtitle and footer."""
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "page.js")
    )
    # A browser lets the page show what is in it and run this very script.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    texts = {"top": top, "style": style, "script": script, "policy": policy}
    texts |= {name: escape(text) for name, text in about.items()}
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            **{name: Markup(text) for name, text in texts.items()},
            name=page.name,
            sections=[(Markup(s.name), Markup(s.title), Markup(s.text)) for s in page.sections],
        )
    )


def markdown(page: Page, about: Mapping[str, str], top: str, record: str = "") -> str:
    """A page as Markdown, figures beside it; ``record`` is hidden at its end."""
    text = (
        _environment()
        .get_template("page.md.j2")
        .render(
            about,
            name=page.name,
            top=Markup(top),
            record=Markup(record),
            sections=[(Markup(s.name), Markup(s.title), Markup(s.text)) for s in page.sections],
        )
    )
    return re.sub(r"\n{3,}", "\n\n", text)
