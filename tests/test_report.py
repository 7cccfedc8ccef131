"""Reports written from fits of which the right answer is known."""

from __future__ import annotations

import base64
import csv
import html.parser
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from hostile import HOSTILE, hostile_study
from intlmodels import report
from intlmodels.core import files
from intlmodels.core.csvtable import csv_text
from intlmodels.core.errors import StudyError
from intlmodels.fitting import jobs, store
from intlmodels.report import record, render
from intlmodels.report.formula import share_formula, share_symbols
from intlmodels.report.registry import REPORTS, parts_of
from intlmodels.report.render import PAGES, TEMPLATES, fence, markdown_text, mathml
from intlmodels.studies import Study, load_study
from studies import write_study
from trees import made_up, store_fits

VARIANTS = {"ease": 1.0}


class Written:
    """A report on disk, with its text."""

    def __init__(self, study: Study, folder: Path) -> None:
        self.study, self.folder = study, folder
        self.path = report.write(study, folder)
        self.page, self.appendix = (
            (folder / name).read_text(encoding="utf-8") for name in ("index.html", "appendix.html")
        )
        self.html = self.page + self.appendix
        self.markdown = "".join(
            (folder / name).read_text(encoding="utf-8") for name in ("report.md", "appendix.md")
        )

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.folder / "tables" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return load_study(write_study(tmp_path_factory.mktemp("study")))


@pytest.fixture(scope="module")
def good(study, tmp_path_factory) -> Written:
    folder = tmp_path_factory.mktemp("good")
    store_fits(
        study,
        folder,
        default=made_up(study, VARIANTS),
        density=made_up(study, VARIANTS, variant="density"),
        hurdle=made_up(study, VARIANTS, variant="hurdle", fails=True),
        two_skills=made_up(study, VARIANTS, variant="two-skills"),
    )
    return Written(study, folder)


@pytest.fixture(scope="module")
def failed(study, tmp_path_factory) -> Written:
    folder = tmp_path_factory.mktemp("failed")
    store_fits(study, folder, default=made_up(study, VARIANTS, fails=True))
    return Written(study, folder)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Written:
    study = load_study(hostile_study(tmp_path_factory.mktemp("hostile")))
    folder = tmp_path_factory.mktemp("hostile-out")
    store_fits(study, folder, default=made_up(study))
    return Written(study, folder)


class Page(html.parser.HTMLParser):
    """Elements, text, anchors and links of a page."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.attributes if attribute in attrs]


def scripts(page: str) -> list[str]:
    """What stands between script tags."""
    return re.findall("<script[^>]*>(.*?)</script", page, flags=re.DOTALL | re.IGNORECASE)


# -- the page ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["report", "appendix"])
def test_pages_are_well_formed_and_complete(good, name):
    text = good.page if name == "report" else good.appendix
    page = Page(text)
    assert page.open == []
    assert page.tags.count("h1") == 1
    anchors = page.values("id")
    assert len(anchors) == len(set(anchors))
    inside = [link[1:] for link in page.values("href") if link.startswith("#")]
    assert set(inside) <= set(anchors)
    contents = Page(text.partition("<nav")[2].partition("</nav>")[0]).values("href")
    sections = re.findall('<section id="([^"]+)"', text)
    assert [link[1:] for link in contents if link.startswith("#")] == sections
    assert set(sections) <= set(REPORTS["share"].pages[name])
    written = (good.folder / PAGES[name]["md"]).read_text(encoding="utf-8")
    assert re.findall('<a id="([^"]+)"></a>\n\n##', written) == sections


def test_a_link_between_the_pages_has_its_target(good):
    for text, other in ((good.page, good.appendix), (good.appendix, good.page)):
        links = [link for link in Page(text).values("href") if ".html" in link]
        assert links
        for link in links:
            _, _, anchor = link.partition("#")
            assert not anchor or f'id="{anchor}"' in other


def test_pages_are_self_contained(good):
    for text in (good.page, good.appendix):
        page = Page(text)
        assert not {"link", "iframe", "object"} & set(page.tags)
        assert scripts(text) == [(TEMPLATES / "page.js").read_text(encoding="utf-8")]
        sources = page.values("src")
        assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
        assert all(page.values("alt"))
        assert page.tags.count("img") == len(page.values("alt"))
        links = [link for link in page.values("href") if not link.startswith(("#", "data:text"))]
        assert all((good.folder / link.partition("#")[0]).is_file() for link in links)
        assert "url(" not in text
        assert "@import" not in text


def test_a_table_is_saved_from_the_page_itself(good):
    link = next(x for x in Page(good.appendix).values("href") if x.startswith("data:text/csv"))
    content = base64.b64decode(link.partition(",")[2])
    assert content in [path.read_bytes() for path in (good.folder / "tables").iterdir()]


def test_words_hold_the_numbers_of_the_report(good):
    words = json.loads((good.folder / "words.json").read_text(encoding="utf-8"))
    assert all("." in name for name in words)
    stated = [word for name, word in words.items() if name.startswith("finding.")]
    assert stated
    for word in stated:
        assert markdown_text(word) in good.markdown


def test_markdown_links_its_figures_and_tables(good):
    tables = 0
    for name in ("report.md", "appendix.md"):
        text = (good.folder / name).read_text(encoding="utf-8")
        tokens = MarkdownIt("commonmark").enable("table").parse(text)
        children = [child for token in tokens for child in token.children or []]
        images = [str(child.attrs["src"]) for child in children if child.type == "image"]
        assert images
        links = [str(c.attrs["href"]) for c in children if c.type == "link_open"]
        for link in [*images, *(link for link in links if not link.startswith("#"))]:
            assert (good.folder / link.partition("#")[0]).is_file()
        tables += sum(token.type == "table_open" for token in tokens)
    assert tables == Page(good.html).tags.count("table")


def test_figures_are_svg(good):
    for path in (good.folder / "figures").iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_numbers_of_page_and_tables_agree(good):
    rows = {row["level"]: row for row in good.table("estimates.csv")}
    median = float(rows["Easy"]["median"])
    assert f"{median:.2f}" in good.html or f"{median:.1f}" in good.html
    assert rows["Easy"]["ci_kind"] == "eti"
    assert rows["Easy"]["ci_prob"] == "0.95"
    assert rows["Easy"]["converged"] == "true"
    assert rows["Easy"]["firms"] == "4"
    difference = next(r for r in good.table("differences.csv") if r["predictor"] == "ease")
    assert float(difference["p_positive"]) == 1
    assert "&gt; 0.999" in good.html


def test_every_table_of_estimates_says_kind_and_convergence(good):
    names = {path.name for path in (good.folder / "tables").iterdir()}
    assert names >= {
        "data.csv", "estimates.csv", "differences.csv", "ranks.csv", "variation.csv",
        "parameters.csv", "diagnostics.csv", "new_firms.csv", "variants.csv",
    }  # fmt: skip
    for name in names - {"data.csv", "diagnostics.csv", "ranks.csv"}:
        assert {"ci_kind", "ci_prob", "converged"} <= set(good.table(name)[0])
    assert "converged" in good.table("ranks.csv")[0]


def test_variants_stand_side_by_side(good):
    assert "density (comparison only)" in good.html
    assert "hurdle (did not converge)" in good.html
    assert "Variants that did not converge" in good.html
    assert "not compared by elpd" in good.html
    assert "probability that a firm is a structural zero" in good.html
    assert "no making is named" in good.html
    rows = good.table("variants.csv")
    assert {row["variant"] for row in rows} == {"default", "density", "hurdle", "two-skills"}
    assert {r["converged"] for r in rows if r["variant"] == "hurdle"} == {"false"}
    assert "Not fitted: logit-normal, heaped" in good.html


def test_the_default_is_not_marked_by_a_failed_variant(good):
    assert "This fit did not converge" not in good.html
    assert "not to be quoted" not in good.html


def test_the_data_are_told_as_read(good):
    assert "Design--some making" in good.html
    assert "Sales (firms.csv, column size) is not reported for Cedar" in good.html
    first = good.table("data.csv")[0]
    assert first["printed_pct"] == "10"
    assert (first["lower_pct"], first["upper_pct"]) == ("7.5", "12.5")


def test_how_to_reproduce_it(good):
    assert "intlmodels fit ./" in good.html
    assert "--variants hurdle,density,two-skills" in good.html
    fit = store.require_whole(jobs.stored_path(good.folder, "default"))
    assert files.short_hash(fit.fingerprint) in good.html
    assert "0.0.test" in good.html


# -- a fit that failed -------------------------------------------------------------------


def test_a_failure_stands_at_the_top(failed):
    before = failed.page.partition("<section")[0]
    assert "This fit did not converge" in before
    assert "divergent transitions: 3" in before
    assert "**This fit did not converge**" in failed.markdown.partition("## ")[0]
    assert (
        "It was fitted twice (divergences failed at target acceptance 0.95); the draws are those "
        "of the second fit, with target acceptance 0.99."
    ) in failed.html


def test_every_estimate_of_a_failed_fit_is_marked(failed):
    figures = re.findall("<figure.*?</figure>", failed.html, flags=re.DOTALL)
    unmarked = [text for text in figures if "did not converge</strong>" not in text]
    # The data and what the priors imply are no estimates.
    names = [re.search('id="figure-([^"]+)"', text)[1] for text in unmarked]
    assert set(names) <= {"data", "prior-predictive"}
    assert len(figures) > len(unmarked) + 4
    tables = [kinds for kinds in Page(failed.html).values("class") if kinds.startswith("failed")]
    assert len(tables) >= 5
    for name in ("estimates", "differences", "variation", "parameters", "new_firms", "ranks"):
        assert {row["converged"] for row in failed.table(f"{name}.csv")} == {"false"}
    finding = failed.page.partition('id="finding"')[2].partition("</section>")[0]
    assert "Did not converge, not to be quoted" in finding
    assert "| NO |" in failed.markdown


def test_a_check_that_does_not_apply_does_not_count(study, tmp_path, monkeypatch):
    monkeypatch.setattr("intlmodels.plots.style.svg", lambda figure: "<svg/>")
    tree = made_up(study)
    rows = json.loads(tree.attrs["gate"])
    for row in rows:
        if row["name"] in ("divergences", "ebfmi", "treedepth"):
            row.update(value=float("nan"), outcome="informational", where="does not apply")
    tree.attrs["gate"] = json.dumps(rows)
    store_fits(study, tmp_path, default=tree)
    written = Written(study, tmp_path)
    assert "passed every check" in written.html
    line = next(x for x in written.markdown.splitlines() if x.startswith("| divergent"))
    assert line == "| divergent transitions | – | at most 0 | does not apply | informational |"
    cells = {row["check"]: row["value"] for row in written.table("diagnostics.csv")}
    assert cells["divergent transitions"] == ""
    assert cells["smallest bulk effective sample size"] != ""


# -- labels that try to be more than labels ----------------------------------------------


def test_hostile_labels_are_inert_in_html(hostile):
    page = Page(hostile.html)
    assert page.open == []
    assert not {"iframe", "u", "b", "i"} & set(page.tags)
    assert scripts(hostile.html) == [(TEMPLATES / "page.js").read_text(encoding="utf-8")] * 2
    assert all(source.startswith("data:") for source in page.values("src"))
    assert not page.values("onerror")
    for label in HOSTILE:
        assert label in page.text


def test_hostile_labels_are_inert_in_markdown(hostile):
    # What stands before the record and between the anchors must hold no HTML of its own.
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(hostile.markdown)
    page = Page(rendered.partition("<!-- intlmodels-record")[0])
    assert not {"script", "iframe", "u", "b", "i", "s"} & set(page.tags)
    assert not page.values("onerror")
    assert all(not link.startswith("http") for link in page.values("href"))
    for label in HOSTILE:
        assert label in page.text
    # GitHub would take a bare dollar sign for mathematics.
    bare = [line for line in hostile.markdown.splitlines() if "$" in line.replace("\\$", "")]
    assert bare == []


def test_hostile_labels_are_no_formulas_in_csv(hostile):
    levels = {row["level"] for row in hostile.table("estimates.csv")}
    assert {"'=SUM(A1)", "'-minus", "'@at", "<script>alert(1)</script>"} <= levels
    for path in (hostile.folder / "tables").iterdir():
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            for cell in row:
                assert not cell.startswith(("=", "+", "@"))
                assert not cell.startswith("-") or float(cell) < 0


def test_hostile_labels_are_inert_in_figures(hostile):
    for path in (hostile.folder / "figures").iterdir():
        tags = {e.tag.rpartition("}")[2] for e in ElementTree.parse(path).getroot().iter()}
        assert not tags & {"script", "img", "foreignObject", "u", "b", "i"}


def test_markdown_escapes():
    assert markdown_text("a|b*c_d`e") == "a\\|b\\*c\\_d\\`e"
    assert markdown_text("1. x") == "1\\. x"
    assert markdown_text("- x") == "\\- x"
    assert markdown_text("<b>&") == "&lt;b&gt;&amp;"
    assert markdown_text("two\nlines") == "two lines"
    assert fence("a ``` b") == "````"


def test_csv_is_quoted_and_rounded():
    import pandas as pd

    table = pd.DataFrame(
        {"a,b": ['say "x"', "line\rbreak"], "n": [1 / 3, float("nan")], "k": [True, False]}
    )
    text = csv_text(table)
    assert list(csv.reader(io.StringIO(text))) == [
        ["a,b", "n", "k"],
        ['say "x"', "0.333333", "true"],
        ["line\nbreak", "", "false"],
    ]


# -- mathematics -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variant",
    ["default", "logit-normal", "hurdle", "heaped", "density", "nested-skill", "two-skills",
     "second-branch"],
)  # fmt: skip
def test_every_variant_can_be_written_as_mathematics(study, variant):
    from intlmodels.models import design_of

    design = design_of(study, variant)
    written = share_formula(design, 5.0)
    for line in written:
        assert line.count("{") == line.count("}")
        assert "\\" not in "".join(ElementTree.fromstring(mathml(line)).itertext())
    text = " ".join(written)
    for block in design.blocks:
        assert block.name.replace("_", "\\_") in text
    assert share_symbols(design, study.outcome, "firm")


def test_mathematics_keeps_names_whole_and_text_as_text():
    written = mathml(r"{\mathrm{sigma\_a}}_{k} \sim \text{a & <b> of } \mathrm{Normal}")
    texts = [each.text for each in ElementTree.fromstring(written).iter() if each.text]
    assert texts == [
        "sigma_a",
        "k",
        "\N{TILDE OPERATOR}",
        "a\xa0&\xa0<b>\xa0of\xa0",
        "Normal",
    ]


# -- the same again, and stale -----------------------------------------------------------


def test_the_same_fits_give_the_same_files(failed):
    before = {
        path.relative_to(failed.folder): path.read_bytes()
        for path in failed.folder.rglob("*")
        if path.is_file()
    }
    for extra in ("figures/old.svg", "tables/old.csv"):
        (failed.folder / extra).write_text("old")
    (failed.folder / "figures" / "mine.txt").write_text("kept")
    report.write(failed.study, failed.folder)
    after = {
        path.relative_to(failed.folder): path.read_bytes()
        for path in failed.folder.rglob("*")
        if path.is_file()
    }
    assert after.pop(Path("figures/mine.txt")) == b"kept"
    (failed.folder / "figures" / "mine.txt").unlink()
    assert after == before


def copy_report(written: Written, folder: Path, *, fits: bool) -> Path:
    for path in written.folder.rglob("*"):
        if path.is_file() and (fits or path.suffix != ".nc"):
            target = folder / path.relative_to(written.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder


def test_a_current_report_is_not_stale(good, hostile, tmp_path):
    assert report.why_stale(good.study, good.folder) == []
    assert report.why_stale(hostile.study, hostile.folder) == []
    assert report.why_stale(hostile.study, copy_report(hostile, tmp_path, fits=False)) == []


def test_a_missing_or_foreign_report_is_stale(study, tmp_path):
    assert report.why_stale(study, tmp_path) == ["there is no report yet"]
    (tmp_path / "report.md").write_text("# by hand")
    assert "does not record" in report.why_stale(study, tmp_path)[0]
    (tmp_path / "report.md").write_text("<!-- intlmodels-record {broken} -->")
    assert "does not record" in report.why_stale(study, tmp_path)[0]


def test_a_report_is_stale_when_something_under_it_changed(good, tmp_path, monkeypatch):
    folder = copy_report(good, tmp_path / "out", fits=True)
    (folder / "figures" / "data.svg").unlink()
    assert report.why_stale(good.study, folder) == ["figures/data.svg is missing"]

    folder = copy_report(good, tmp_path / "other", fits=True)
    tree = made_up(good.study, {"ease": 0.5})
    tree.attrs["fingerprint"] = json.dumps(
        store.fingerprint(
            good.study,
            "default",
            jobs.priors_of(good.study, "default"),
            jobs.settings_of(good.study, {"seed": 99}),
        )
    )
    tree.attrs["settings"] = json.dumps(jobs.settings_of(good.study, {"seed": 99}).identity())
    store_fits(good.study, folder, default=tree)
    assert "the report shows an earlier fit of default" in report.why_stale(good.study, folder)

    assert report.why_stale(good.study, good.folder) == []
    monkeypatch.setattr(record, "REPORT_VERSION", 0)
    reasons = report.why_stale(good.study, good.folder)
    assert "the version of reports or estimands changed" in reasons


def test_a_changed_study_makes_the_report_of_a_fresh_clone_stale(good, tmp_path):
    folder = copy_report(good, tmp_path / "out", fits=False)
    missing = "the report does not show logit-normal"
    assert missing in report.why_stale(good.study, folder)
    changed = load_study(write_study(tmp_path / "study", edit_firms=[("Alder,10", "Alder,15")]))
    reasons = report.why_stale(changed, folder)
    assert "the text of the study changed" in reasons
    assert "the report shows another fit of default than the study gives now" in reasons


def test_a_stale_variant_is_left_out_and_named(study, tmp_path, monkeypatch):
    monkeypatch.setattr("intlmodels.plots.style.svg", lambda figure: "<svg/>")
    old = made_up(study, variant="heaped")
    parts = json.loads(old.attrs["fingerprint"])
    parts["data"]["branch"] = "older"
    old.attrs["fingerprint"] = json.dumps(parts)
    store_fits(study, tmp_path, default=made_up(study), heaped=old)
    written = Written(study, tmp_path)
    assert "heaped (data of branch changed)" in written.html
    assert {row["variant"] for row in written.table("variants.csv")} == {"default"}
    assert report.why_stale(study, tmp_path) == []


def test_without_a_current_default_nothing_is_written(study, tmp_path):
    with pytest.raises(StudyError, match="run intlmodels fit"):
        report.write(study, tmp_path)
    tree = made_up(study)
    parts = json.loads(tree.attrs["fingerprint"])
    parts["data"]["branch"] = "older"
    tree.attrs["fingerprint"] = json.dumps(parts)
    store_fits(study, tmp_path, default=tree)
    with pytest.raises(StudyError, match="data of branch changed"):
        report.write(study, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["posterior.nc"]


def test_a_report_that_fails_leaves_the_old_one(failed, tmp_path, monkeypatch):
    folder = copy_report(failed, tmp_path, fits=True)
    before = (folder / "index.html").read_bytes()
    monkeypatch.setattr("intlmodels.plots.style.svg", lambda figure: "<svg/>")

    def broken(*_args: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr("intlmodels.report.render.markdown", broken)
    with pytest.raises(OSError, match="disk full"):
        report.write(failed.study, folder)
    assert (folder / "index.html").read_bytes() == before


@pytest.mark.parametrize("method", ["write_bytes", "rename"])
def test_a_report_that_is_broken_off_leaves_the_old_one_whole(
    failed, tmp_path, monkeypatch, method
):
    folder = copy_report(failed, tmp_path, fits=True)
    (folder / "tables" / "earlier.csv").write_text("of an earlier report")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setattr("intlmodels.plots.style.svg", lambda figure: "<svg/>")
    real, calls = getattr(Path, method), []

    def breaking_off(path: Path, *arguments: object) -> object:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(path, *arguments)

    monkeypatch.setattr(Path, method, breaking_off)
    with pytest.raises(KeyboardInterrupt):
        report.write(failed.study, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_model_without_a_report_is_refused(study):
    with pytest.raises(StudyError, match="there is no report of this model"):
        parts_of("nonsense")


def test_writing_a_report_imports_no_sampler(failed):
    command = ["report", str(failed.study.folder), "--out", str(failed.folder)]
    code = (
        "import sys; from pathlib import Path; from intlmodels.studies import load_study;"
        "from intlmodels import cli, report;"
        "heavy = ('pandas', 'xarray', 'matplotlib', 'jinja2');"
        "print([m for m in heavy if m in sys.modules]);"
        f"study = load_study({str(failed.study.folder)!r}); folder = Path({str(failed.folder)!r});"
        "report.why_stale(study, folder); print([m for m in heavy if m in sys.modules]);"
        f"\ntry: cli.main({command!r})\nexcept SystemExit: pass\n"
        "print([m for m in ('pymc', 'pytensor', 'nutpie', 'arviz', 'matplotlib.pyplot') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(report.__file__).parents[2])},
    )
    assert done.stdout.split("\n")[:3] == ["[]", "[]", "[]"]


def test_templates_are_compiled_once_where_their_byte_code_can_be_written(tmp_path, monkeypatch):
    def loaded(folder):
        environment = render._environment.__wrapped__()
        environment.bytecode_cache.directory = str(folder)
        return environment.get_template("common/failure.md.j2")

    loaded(tmp_path / "not there")
    assert not [*tmp_path.iterdir()]
    loaded(tmp_path)
    assert len([*tmp_path.glob("jinja-*.cache")]) == 1
    monkeypatch.setattr("jinja2.Environment.compile", None)
    loaded(tmp_path)
    with pytest.raises(TypeError):
        loaded(tmp_path / "not there")
