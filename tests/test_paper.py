"""What is exported for papers, from fits of which the right answer is known."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace
from pathlib import Path

import arviz_base
import pytest
import xarray as xr

import intlmodels as im
import madetrust as made
from decaystudies import write_counts_study
from hostile import HOSTILE, hostile_study
from intlmodels import paper
from intlmodels.core.errors import StudyError
from intlmodels.fitting import jobs, store
from intlmodels.paper import markup, methods, tables
from intlmodels.paper.markup import Cite, cite
from intlmodels.plots import style
from intlmodels.plots.style import LETTERS, printed_on
from intlmodels.report import provenance
from intlmodels.report.data import gather
from intlmodels.report.pages import Table
from intlmodels.studies import Study, load_study
from studies import LEAST, STUDY, VARIANTS, edited, write_study
from test_cli import below, run
from trees import made_up, store_fits

OPPORTUNITY = """
[opportunity]
across = "skill"
down = "ease"
vulnerable = "Easy"
note = "Our reading."
"""
ENDINGS = ("csv", "tex", "html")


class Exported:
    """An export on disk."""

    def __init__(self, study: Study, out: Path, **how: object) -> None:
        self.study, self.out = study, out
        self.folder = im.export(study, out, **how)
        self.manifest = json.loads(self.text("manifest.json"))

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(pattern))

    def bytes(self) -> dict[str, bytes]:
        return {name: (self.folder / name).read_bytes() for name in self.manifest["files"]}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    toml = edited(STUDY + VARIANTS, [("\n[firms]\n", f"{OPPORTUNITY}\n[firms]\n")])
    return load_study(write_study(tmp_path_factory.mktemp("study"), toml=toml))


@pytest.fixture(scope="module")
def good(study, tmp_path_factory) -> Exported:
    out = tmp_path_factory.mktemp("good")
    store_fits(
        study,
        out,
        default=made_up(study, {"ease": 1.0}),
        density=made_up(study, {"ease": 1.0}, variant="density"),
        two_skills=made_up(study, {"ease": 1.0}, variant="two-skills", fails=True),
    )
    return Exported(study, out, widths=[89], dpi=150)


@pytest.fixture(scope="module")
def failed(study, tmp_path_factory) -> Exported:
    out = tmp_path_factory.mktemp("failed")
    store_fits(study, out, default=made_up(study, {"ease": 1.0}, fails=True))
    return Exported(study, out, widths=[183], dpi=100)


def leave_figures_empty(monkeypatch) -> None:
    """Draw figures, but write nothing of them."""
    monkeypatch.setattr("intlmodels.plots.style.svg", lambda figure: "<svg/>")
    monkeypatch.setattr("intlmodels.plots.style.printed", lambda figure, svg: {"svg": b""})


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Exported:
    study = load_study(hostile_study(tmp_path_factory.mktemp("hostile")))
    out = tmp_path_factory.mktemp("hostile-out")
    store_fits(study, out, default=made_up(study))
    with pytest.MonkeyPatch.context() as patched:
        leave_figures_empty(patched)
        return Exported(study, out, widths=[89])


# -- figures -----------------------------------------------------------------------------


@pytest.mark.slow
def test_every_figure_of_the_report_is_there_in_every_format_and_width(good, tmp_path):
    shutil.copytree(good.out, tmp_path, dirs_exist_ok=True)
    both = Exported(good.study, tmp_path, widths=[89, 183])
    names = {path.stem for path in both.files("figures/89mm/*.svg")}
    assert {"levels", "opportunity", "variants", "chains"} <= names
    for width in ("89mm", "183mm"):
        expected = {f"{name}.{ending}" for name in names for ending in ("svg", "pdf", "png")}
        assert {path.name for path in both.files(f"figures/{width}/*")} == expected
        assert width in both.text("README.md")


@pytest.mark.parametrize(("export", "width", "dpi"), [("good", 89, 150), ("failed", 183, 100)])
def test_figures_are_as_wide_as_asked(request, export, width, dpi):
    written = request.getfixturevalue(export).files(f"figures/{width}mm/*")
    assert {path.suffix for path in written} == {".svg", ".pdf", ".png"}
    for path in written:
        content = path.read_bytes()
        if path.suffix == ".svg":
            root = ElementTree.fromstring(content)
            assert root.get("width") == f"{width}mm"
            left, top, across, down = map(float, root.get("viewBox").split())
            assert (left, top) == (0, 0)
            # Points of the drawing, set at the size of print.
            assert across * LETTERS == pytest.approx(width / 25.4 * 72, abs=0.1)
            height = float(root.get("height").removesuffix("mm"))
            assert height / width == pytest.approx(down / across, abs=1e-3)
        elif path.suffix == ".pdf":
            (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
            assert float(box[0]) == pytest.approx(width / 25.4 * 72, abs=1e-3)
        else:
            pixels, _ = struct.unpack(">II", content[16:24])
            assert pixels == int(width / 25.4 * dpi + 1e-6)
            assert _density(content) == pytest.approx(dpi / 0.0254, abs=1)


def _density(png: bytes) -> int:
    """Pixels a metre, from the chunk pHYs."""
    at = png.index(b"pHYs") + 4
    return struct.unpack(">I", png[at : at + 4])[0]


def test_letters_of_a_pdf_are_embedded(good):
    content = (good.folder / "figures/89mm/differences.pdf").read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert b"CreationDate" not in content


def test_a_whole_number_of_pixels_is_kept_and_the_same_figure_gives_the_same_bytes(hostile):
    with printed_on(style.Page(127.0, 100)):
        figure, again = im.plots.data(hostile.study), im.plots.data(hostile.study)
        written = style.printed(figure, im.plots.svg(figure))
        assert style.printed(again, im.plots.svg(again)) == written
    assert set(written) == {"svg", "pdf", "png"}
    assert struct.unpack(">I", written["png"][16:20])[0] == 500
    assert style.printed(figure, "") == {}


# -- tables ------------------------------------------------------------------------------


def test_every_table_of_the_report_is_there(good):
    names = {path.stem for path in good.files("tables/*.csv")}
    assert {"data", "priors", "estimates", "differences", "opportunity", "settings"} <= names
    for ending in ENDINGS:
        found = {path.stem for path in good.files(f"tables/*.{ending}")}
        assert found - {"all-tables"} == names


def test_cells_are_those_of_the_report(good, monkeypatch):
    from intlmodels.report.registry import render, sections_of

    leave_figures_empty(monkeypatch)
    frame, values = sections_of(good.study, good.out, tables=False)
    pages = render("md", good.study.model, frame, values)[1]
    shown = next(t for t in pages["appendix"].tables if t.file == "tables/estimates.csv")
    rows = list(csv.reader(io.StringIO(good.text("tables/estimates.csv"))))
    assert rows == [list(shown.header), *map(list, shown.rows)]
    for row in shown.rows:
        for cell in row:
            assert markup.latex(cell) in good.text("tables/estimates.tex")


def test_names_of_tables_differ():
    found = [
        Table("Table 1", "A: one", ("x",), (), file="tables/a.csv"),
        Table("Table 2", "A: two (more)", ("x",), (), file="tables/a.csv"),
        Table("Table 3", "A: three", ("x",), ()),
        Table("Table 4", "«»", ("x",), ()),
    ]
    assert list(tables.named(found)) == ["a", "a-2", "a-3", "table"]


def columns(spec: str) -> int:
    return len(re.findall(r"p\{[\d.]+\\linewidth\}|[lr]", spec))


def check_latex(text: str) -> None:
    """Environments and braces are closed, and every row has as many cells as columns."""
    text = text.partition("\n")[2]
    assert not re.search(r"[^\x20-\x7e\n]", re.sub("[ぁ-ヿ一-鿿]", "", text))
    plain = re.sub(r"\\[{}\\$&#%_]", "", text)
    depth = 0
    for letter in plain:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    assert plain.count("$") % 2 == 0
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    spec = re.search(r"\\begin\{(?:tabular|longtable)\}\{@\{\}(.*)@\{\}\}", text).group(1)
    rows = [line for line in text.split("\n") if line.endswith(r"\tabularnewline")]
    rows = [row for row in rows if not row.startswith(r"\caption")]
    assert len(rows) >= 1
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == columns(spec) - 1
        # A bracket or star at the start would be an argument of what stands before it.
        assert not row.startswith(("[", "*"))
        assert not re.search(r"(?<!\\)[#%]", row)


def test_latex_is_sound(good, failed, hostile):
    for export in (good, failed, hostile):
        for path in export.files("tables/*.tex"):
            check_latex(path.read_text(encoding="utf-8"))


def test_a_long_table_goes_over_pages():
    rows = tuple((f"firm {i}", str(i)) for i in range(80))
    text = tables.tex(
        Table("Table 1", "Long", ("firm", "n"), rows, numeric=(1,), note="A note."), "long"
    )
    assert text.startswith("% needs \\usepackage{booktabs,longtable}\n")
    check_latex(text)
    assert text.count(r"\endfirsthead") == text.count(r"\endhead") == 1


def test_latex_escapes():
    assert markup.latex(r"a\b{c}$d&e#f%g_h~i^j") == (
        r"a\textbackslash{}b\{c\}\$d\&e\#f\%g\_h$\sim$i\textasciicircum{}j"
    )
    assert markup.latex("Design--some") == "Design-{}-some"
    assert markup.latex("−1\N{NO-BREAK SPACE}to 2 – …") == r"$-$1~to 2 -- \ldots{}"
    assert markup.latex("Bürkner, Møre, Łódź, Faltejsková") == (
        r"B{\"{u}}rkner, M\o{}re, \L{}{\'{o}}d{\'{z}}, Faltejskov{\'{a}}"
    )
    assert markup.latex("μᵢ, x², φ") == r"$\mu$$_{i}$, x$^{2}$, $\phi$"
    assert markup.latex("[a]") == "{}[a]"
    assert markup.latex("two\nlines\x00\u202e") == "two lines"
    assert markup.latex("日本") == "日本"
    table = Table("Table 1", "日本", ("a",), (("b",),))
    assert "XeLaTeX" in tables.tex(table, "x").split("\n")[0]


class Page(html.parser.HTMLParser):
    """Tags, text, and whether everything is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        assert not {name for name, _ in attrs if name.startswith("on")}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_html_is_well_formed_and_inert(good, failed, hostile):
    for export in (good, failed, hostile):
        for path in [*export.files("tables/*.html"), *export.files("*.html")]:
            page = Page(path.read_text(encoding="utf-8"))
            assert page.open == []
            assert not {"script", "img", "iframe", "u", "link"} & set(page.tags)
            assert '<meta charset="utf-8">' in path.read_text(encoding="utf-8")
        every = Page(export.text("tables/all-tables.html"))
        assert every.tags["table"] == len(export.files("tables/*.csv"))
        assert "Table 1." in every.text
    text = Page(hostile.text("tables/all-tables.html")).text
    for label in HOSTILE:
        assert label in text


def test_hostile_labels_are_no_formulas_and_no_commands(hostile):
    for path in hostile.files("tables/*.csv"):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@"))]
    assert r"\textless{}script\textgreater{}" in hostile.text("tables/data.tex")
    assert "<b>" not in hostile.text("README.md")


# -- methods and references --------------------------------------------------------------


def entries(text: str) -> dict[str, dict[str, str]]:
    """A small BibTeX reader: key -> fields, with braces in pairs."""
    found: dict[str, dict[str, str]] = {}
    rest = text
    while rest.strip():
        kind, key = re.match(r"\s*@(\w+)\{([\w-]+),", rest).groups()
        start = rest.index("{")
        depth, place = 0, start
        while True:
            depth += {"{": 1, "}": -1}.get(rest[place], 0)
            if not depth:
                break
            place += 1
        body = rest[start + 1 : place]
        fields = dict(re.findall(r"^\s+(\w+) = \{(.*)\},?$", body, re.MULTILINE))
        assert key not in found
        assert "title" in fields
        assert kind in ("article", "misc")
        if kind == "article":
            assert {"author", "journal", "year"} <= set(fields)
        found[key] = fields
        rest = rest[place + 1 :]
    return found


def check_citations(export: Exported) -> set[str]:
    keys = set(entries(export.text("references.bib")))
    in_tex = {
        key
        for group in re.findall(r"\\citep\{([^}]*)\}", export.text("methods.tex"))
        for key in group.split(",")
    }
    in_markdown = set(re.findall(r"(?<!\\)@([\w-]+)", export.text("methods.md")))
    assert in_tex == in_markdown == keys
    return keys


def test_what_is_cited_is_in_the_bibliography_and_the_other_way_round(good, failed, hostile):
    keys = check_citations(good)
    assert {"data-hedge", "intlmodels", "hoffman2014", "smithson2006", "buerkner2020"} <= keys
    assert "talts2018" not in keys
    alone = check_citations(failed)
    assert "smithson2006" not in alone
    check_citations(hostile)


def test_everything_done_for_trust_is_cited(good):
    material = replace(gather(good.study, good.out), check_results=_complete())
    told = methods.passages(material, "data-hedge")
    cited = set(markup.cited(told))
    assert cited == {"data-hedge", *methods.bibliography(material)}
    assert {"talts2018", "modrak2023", "yao2018", "kallioinen2024"} <= cited
    text = markup.as_markdown(told, "Methods")
    assert "simulation-based calibration" in text
    assert "Not done" not in text
    # The report lists the same publications.
    listed = " ".join(provenance.lines(provenance.methods(material)))
    for key in cited - {"data-hedge", "intlmodels"}:
        assert provenance.REFERENCES[key].text in listed


def _complete():
    base, changed = made.moved("default", "a", 1.0, 0.9), made.moved("phi halved", "a", 1.1, 0.9)
    return made.trust(
        calibration=made.calibration(),
        comparison=made.comparison(),
        sensitivity=made.sensitivity(base, changed),
    )


def test_every_publication_belongs_to_a_method_and_every_method_has_one():
    used = {key for method in provenance.METHODS.values() for key in method.keys}
    assert used == set(provenance.REFERENCES)
    for key, reference in provenance.REFERENCES.items():
        text = markup.entry(key, reference)
        assert text.isascii()
        assert entries(text)
        assert reference.authors
        assert reference.text.startswith(reference.who)


def test_methods_say_what_was_done(good):
    text = good.text("methods.md")
    for said in (
        "share abroad of 8 firms",
        "steps of 5 percentage points",
        "Ease of moving (Easy against Hard)",
        "Sales (logarithm, standardized)",
        "Missing covariates (1 firm) were estimated",
        "4 chains of 2000 draws each, after 1000 tuning draws (8000 draws in all; seed 20261",
        "target acceptance 0.95",
        "every check was passed",
        "95% equal-tailed intervals",
        "Variants that did not converge carry no weight: two-skills",
        "Not done, or not with the current model: calibration on simulated studies",
        "intlmodels 0.0.test",
        good.manifest["fingerprint"],
    ):
        assert said in text
    assert "DID NOT" not in text


def test_methods_follow_priors_settings_and_design(study, tmp_path):
    changed = replace(study, priors={"phi": "Gamma(2, 0.1)"}, settings={"seed": 5, "draws": 900})
    store_fits(changed, tmp_path, default=made_up(changed, {"ease": 1.0}))
    material = gather(changed, tmp_path)
    text = markup.as_markdown(methods.passages(material, "data"), "Methods")
    assert "phi \\~ Gamma(2, 0.1) (set by the study)" in text
    assert "4 chains of 900 draws" in text
    assert "seed 5" in text
    assert "No variants of the model were fitted" in text


def test_an_outcome_with_other_orders_of_its_levels_is_one_outcome(tmp_path):
    study = load_study("rochester")
    names = ("default", "stage", "stage-agent-first")
    fits = {name.replace("-", "_"): made_up(study, variant=name) for name in names}
    store_fits(study, tmp_path, **fits)
    text = markup.as_markdown(methods.passages(gather(study, tmp_path), "data"), "Methods")
    assert text.count("was regressed on the same predictors") == 1
    assert re.search(r"cumulative logit over \d+ ordered levels", text)


def test_a_source_without_an_entry_survives_default_styles(tmp_path):
    # The default style of Pandoc leaves notes out, and an entry without a year is cited badly.
    text = "source = 'Doe, J. (2004). Firms_abroad. Journal, 1.'"
    toml = edited(STUDY, [('source = "made up for tests"', text)])
    study = load_study(write_study(tmp_path, toml=toml))
    entry = markup.data_entry(study)
    assert "howpublished = {Doe, J. (2004). Firms\\_abroad. Journal, 1}" in entry
    assert "year = {2004}" in entry
    assert "year = {n.d.}" in markup.data_entry(replace(study, source="A table"))


def test_the_entry_of_the_study_is_used(tmp_path):
    own = "@article{amdam2020, title = {A {Title}}, year = {2020}, author = {A, B}, journal = {J}}"
    folder = write_study(tmp_path, toml=edited(STUDY, [("limits", f"bibtex = '{own}'\nlimits")]))
    study = load_study(folder)
    assert markup.data_key(study) == "amdam2020"
    assert markup.data_entry(study) == (
        "@article{amdam2020,\n  title = {A {Title}},\n  year = {2020},\n  author = {A, B},\n"
        "  journal = {J}\n}\n"
    )
    taken = replace(study, bibtex=study.bibtex.replace("amdam2020", "yao2018"))
    with pytest.raises(StudyError, match="expected another one"):
        markup.data_key(taken)


@pytest.mark.parametrize(
    "entry",
    ["Amdam (2020)", "@article{a, year = {2020}}", "@misc{a, title = {x}", "@misc{, title = {x}}",
     "@misc{a, title = {x}} @misc{b, title = {y}}", "@misc{a, title = {x}}}"],
)  # fmt: skip
def test_what_is_no_entry_is_refused(tmp_path, entry):
    toml = edited(STUDY, [("limits", f"bibtex = '{entry}'\nlimits")])
    with pytest.raises(StudyError, match="expected one BibTeX entry") as caught:
        load_study(write_study(tmp_path, toml=toml))
    assert "[study] bibtex" in str(caught.value)


def test_marks_of_citation_in_words_of_the_study_cite_nothing():
    passage = ("mail me@home [@x] \\citep{y} ", cite("rhat"), ": so")
    resolved = methods._with_keys(passage, "data")
    assert markup.cited([resolved]) == ("vehtari2021",)
    assert "me\\@home" in markup.as_markdown([resolved], "T")
    assert r"\textbackslash{}citep\{y\}" in markup.as_latex([resolved], "T")
    assert "(Vehtari et al. 2021)" in markup.as_html(
        [resolved], "T", provenance.REFERENCES, "the source"
    )
    two = markup.as_html(
        [(Cite(("ferrari2004", "own")),)], "T", provenance.REFERENCES, "the source"
    )
    assert "(Ferrari and Cribari-Neto 2004; source of the data)" in two
    assert "<p>the source</p>" in two


# -- a fit that failed -------------------------------------------------------------------


MARK = "DID NOT CONVERGE: these are not estimates"


def test_a_failure_is_marked_everywhere(failed):
    for name in ("methods.md", "methods.tex", "methods.html"):
        assert "THIS FIT DID NOT CONVERGE" in failed.text(name)
        assert "divergent transitions must be at most 0 and was 3" in failed.text(name)
        assert "every check was passed" not in failed.text(name)
    assert "The first attempt was discarded: divergences failed" in failed.text("methods.md")
    assert "target acceptance 0.99" in failed.text("methods.md")
    assert "**This fit did not converge.**" in failed.text("README.md")
    assert failed.text("README.md").count("**Did not converge.**") > 10
    assert failed.manifest["converged"] is False
    for name in ("estimates", "differences", "parameters", "new_firms", "opportunity"):
        rows = list(csv.reader(io.StringIO(failed.text(f"tables/{name}.csv"))))
        assert rows[0][-1] == "converged"
        assert {row[-1] for row in rows[1:]} == {"NO"}
        for ending in ("tex", "html"):
            assert MARK in failed.text(f"tables/{name}.{ending}")
    for name in ("data", "symbols", "settings"):
        assert MARK not in failed.text(f"tables/{name}.tex")


# -- draws -------------------------------------------------------------------------------


def test_draws_read_back_equal_with_xarray_and_arviz(good):
    path = good.folder / "posterior.nc"
    stored = store.read(good.out / "posterior.nc")
    assert path.read_bytes() == (good.out / "posterior.nc").read_bytes()
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        xr.testing.assert_identical(
            tree["posterior"].to_dataset(), stored["posterior"].to_dataset()
        )
        assert list(tree["estimands"]["firm"].to_numpy()) == list(good.study.firms)
    again = arviz_base.convert_to_datatree(str(path))
    for group in ("posterior", "prior", "posterior_predictive", "observed_data", "estimands"):
        xr.testing.assert_equal(again[group].to_dataset(), stored[group].to_dataset())


def test_no_attribute_or_label_is_what_r_cannot_read(good):
    """ncdf4 reads numbers, truth as bytes, and text; no objects, no complex types."""
    with xr.open_datatree(good.folder / "posterior.nc", engine="h5netcdf") as tree:
        for node in tree.subtree:
            for variable in node.to_dataset().variables.values():
                assert variable.dtype.kind in "fiubOU"
                if variable.dtype.kind == "O":
                    assert {type(value) for value in variable.to_numpy().ravel()} == {str}


# -- the whole ---------------------------------------------------------------------------


def test_the_manifest_tells_every_file(good):
    from intlmodels.paper.writing import digest

    on_disk = {str(p.relative_to(good.folder)) for p in good.folder.rglob("*") if p.is_file()}
    assert on_disk - {"manifest.json"} == {str(Path(name)) for name in good.manifest["files"]}
    for name, content in good.bytes().items():
        assert digest(content) == good.manifest["files"][name]
    assert good.manifest["study"] == "hedge"
    assert good.manifest["settings"]["seed"] == 20261
    read_me = good.text("README.md")
    assert "89mm" in read_me
    for path in good.files("tables/*.csv"):
        assert f"`{path.stem}`" in read_me


def test_the_same_fit_gives_the_same_bytes_and_only_what_was_ours_goes(hostile, monkeypatch):
    before = hostile.bytes()
    old, changed, mine = (hostile.folder / name for name in ("tables/old.csv", "b.tex", "mine.txt"))
    from intlmodels.paper.writing import digest

    old.write_text("ours", encoding="utf-8")
    changed.write_text("changed by hand", encoding="utf-8")
    mine.write_text("mine", encoding="utf-8")
    outside = hostile.out / "outside.txt"
    outside.write_text("ours", encoding="utf-8")
    listed = dict(hostile.manifest)
    listed["files"] |= {
        "tables/old.csv": digest(b"ours"),
        "b.tex": digest(b"ours"),
        "../outside.txt": digest(b"ours"),
    }
    (hostile.folder / "manifest.json").write_text(json.dumps(listed), encoding="utf-8")
    leave_figures_empty(monkeypatch)
    again = Exported(hostile.study, hostile.out, widths=[89])
    assert again.bytes() == before
    assert not old.exists()
    assert changed.read_text(encoding="utf-8") == "changed by hand"
    assert mine.exists()
    assert outside.exists()
    for path in (changed, mine, outside):
        path.unlink()


def test_without_a_current_fit_nothing_is_written(capsys, study, tmp_path):
    code, _, err = run(capsys, "export", study.folder, "--out", tmp_path)
    assert code == 2
    assert err.count("\n") == 1
    assert "run intlmodels fit first" in err
    tree = made_up(study)
    parts = json.loads(tree.attrs["fingerprint"])
    parts["data"]["branch"] = "older"
    tree.attrs["fingerprint"] = json.dumps(parts)
    store_fits(study, tmp_path, default=tree)
    code, _, err = run(capsys, "export", study.folder, "--out", tmp_path)
    assert code == 2
    assert "data of branch changed" in err
    assert below(tmp_path) == ["posterior.nc"]


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [("--width", "5", "from 40 to 600 millimetres"), ("--dpi", "7", "from 50 to 2400")],
)
def test_widths_and_resolutions_that_no_figure_has(capsys, good, option, value, expected):
    code, _, err = run(capsys, "export", good.study.folder, "--out", good.out, option, value)
    assert code == 2
    assert expected in err
    assert value in err


def test_an_export_that_fails_leaves_the_old_one(good, monkeypatch):
    before = good.bytes()

    def broken(*_args: object, **_kwargs: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr("intlmodels.paper.markup.bibliography", broken)
    leave_figures_empty(monkeypatch)
    with pytest.raises(OSError, match="disk full"):
        paper.write(good.study, good.out, widths=[89])
    assert good.bytes() == before


@pytest.mark.parametrize("method", ["write_bytes", "rename"])
def test_an_export_that_is_broken_off_leaves_the_old_one_whole(good, monkeypatch, method):
    before = good.bytes()
    real, calls = getattr(Path, method), []

    def breaking_off(path, *arguments):
        calls.append(path)
        if len(calls) == 9:
            raise OSError(28, "No space left on device")
        return real(path, *arguments)

    leave_figures_empty(monkeypatch)
    monkeypatch.setattr(Path, method, breaking_off)
    with pytest.raises(OSError, match="No space left on device"):
        paper.write(good.study, good.out, widths=[89])
    assert good.bytes() == before


def test_a_study_of_counts(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study"))
    (job,) = jobs.plan(study, ["default"], tmp_path, settings=jobs.settings_of(study, _FEW))
    jobs.bring_up_to_date(job)
    export = Exported(study, tmp_path, widths=[89], dpi=60)
    keys = check_citations(export)
    assert {"tanner1987", "liu1994", "neal2003", "huangfu2018", "frechet1951"} <= keys
    assert not {"hoffman2014", "abrilpla2023", "betancourt2016"} & keys
    text = export.text("methods.md")
    assert "known only from published counts" in text
    assert "each draw takes 2 sweeps, each of 36 steps of the table" in text
    for path in export.files("tables/*.tex"):
        check_latex(path.read_text(encoding="utf-8"))
    assert {"curves", "cells", "true-counts"} <= {
        p.stem for p in export.files("figures/89mm/*.pdf")
    }


_FEW = {"draws": 200, "tune": 100, "chains": 2}


def test_an_export_imports_no_sampler(tmp_path):
    study = load_study(write_study(tmp_path / "study", toml=LEAST))
    store_fits(study, tmp_path / "out", default=made_up(study))
    code = (
        "import sys; from intlmodels.plots import style; from intlmodels import cli;\n"
        "real, first = style.printed, {}\n"  # one figure stands for all
        "style.printed = lambda *given: first or first.update(real(*given)) or first\n"
        f"try: cli.main(['export', {str(study.folder)!r}, '--out', {str(tmp_path / 'out')!r}, "
        "'--width', '89', '--dpi', '100'])\n"
        "except SystemExit as stopped: assert not stopped.code\n"
        "print([m for m in ('pymc', 'pytensor', 'nutpie', 'matplotlib.pyplot') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
