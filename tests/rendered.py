"""Some sections of a report as a reader gets them, without the rest of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from intlmodels.report.data import gather
from intlmodels.report.pages import Page
from intlmodels.report.registry import Frame, parts_of, render
from intlmodels.report.render import Format
from intlmodels.studies import Study


def appendix(study: Study, folder: Path, names: Iterable[str], form: Format = "md") -> Page:
    """The appendix with these sections only; the others are not made."""
    m, parts = gather(study, folder), parts_of(study.model).sections
    made = {name: parts[name](m) for name in names}
    values = {name: own for name, own in made.items() if own is not None}
    return render(form, study.model, Frame({}, {}, m.passed, {}), values)[1]["appendix"]


def of_values(values: dict, name: str, model: str = "share", passed: bool = True) -> str:
    """The Markdown of a section, plain, from values that a test made up."""
    frame = Frame({}, {}, passed, {})
    (section,) = render("md", model, frame, {name: values})[1]["appendix"].sections
    return plain(section.text)


def text_of(page: Page) -> str:
    """Markdown of all sections, plain."""
    return plain("\n".join(f"## {s.title}\n{s.text}" for s in page.sections))


def plain(markdown: str) -> str:
    return markdown.replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")
