"""From a report's blocks to HTML and Markdown; templates format and compute nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import tostring

from intlmodels.report.blocks import Picture, Report

if TYPE_CHECKING:
    from jinja2 import Environment


TEMPLATES = Path(__file__).parent / "templates"

_MARKDOWN = re.compile(r"([\\`*_\[\]$~#^])")
_LEADING = re.compile(r"^(\s*)(\d+)([.)])(?=\s|$)|^(\s*)([-+=:])")


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


def data_uri(picture: Picture) -> str:
    """A picture for an ``img`` element, inside the page itself."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg.encode()).decode()}"


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
def _environment(html: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(md=markdown_text, fence=fence, data_uri=data_uri, mathml=mathml)
    return environment


def html(report: Report) -> str:
    """The report as one self-contained HTML page."""
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "tables.js")
    )
    template = _environment(True).get_template("index.html.j2")
    return template.render(report=report, style=style, script=script, policy=policy(script))


def policy(script: str) -> str:
    """What a browser lets the page do: show what is in it and run this very script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def markdown(report: Report, record: str) -> str:
    """The report as Markdown, figures beside it; ``record`` is hidden at its end."""
    text = _environment(False).get_template("report.md.j2").render(report=report, record=record)
    return re.sub(r"\n{3,}", "\n\n", text)
