"""Reports as readers meet them: in a browser, at a desk, on a phone and on paper.

The reports are those of the studies that ship with the package, of made-up fits; the slow tests
open the reports of real fits, where ``make fit`` has written them. Chromium has to be installed;
where it is not, these tests are skipped, and in CI they fail.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from pypdf import PdfReader

import madetrust
from chromium import SIZES, path_of_browser, running, visit
from hostile import hostile_study
from intlmodels import report
from intlmodels.checks import stored
from intlmodels.fitting import fit, jobs, store
from intlmodels.models import catalogue, priors_of
from intlmodels.report.pages import Page, Section
from intlmodels.report.render import Rendering, html
from intlmodels.studies import load_study
from trees import made_up, store_fits

ROOT = Path(__file__).parent.parent
#: Those of real fits; the others are made up here.
REAL = [
    pytest.param(f"real {name}{page}", marks=pytest.mark.slow)
    for name in ("rochester", "norway")
    for page in ("", " appendix")
]
MADE = [
    f"{name}{page}" for name in ("rochester", "norway", "hostile") for page in ("", " appendix")
]
REPORTS = [*MADE, *REAL]
#: An A4 page between the margins of the style sheet, in CSS pixels.
PAPER = (642, 978)


# -- reports of made-up fits -------------------------------------------------------------


def rochester_report(place: Path) -> Path:
    """A variant that failed beside the default, with calibration, comparison and sensitivity."""
    study, effect = load_study("rochester"), {"relocatability": 1.0}
    store_fits(
        study,
        place,
        default=made_up(study, effect),
        hurdle=made_up(study, effect, variant="hurdle", fails=True),
    )
    others = set(catalogue(study)) - {"default", "density"}
    found = {
        "calibration": madetrust.calibration(),
        "comparison": madetrust.comparison(20, dict.fromkeys(sorted(others), 16.0)),
        "sensitivity": madetrust.sensitivity(),
    }
    for kind, value in found.items():
        stored.write(kind, value, study, {}, place)
    return report.write(study, place)


def norway_report(place: Path) -> Path:
    """Counts, their audit and claims, and a fit too short to have converged."""
    study = load_study("norway")
    settings = jobs.settings_of(study, {"draws": 100, "tune": 60, "chains": 2, "cores": 1})
    priors = priors_of(study, "default")
    tree = jobs._with_estimands(fit.fit(study, "default", priors, settings))
    parts = store.fingerprint(study, "default", priors, settings)
    tree.attrs |= {"retried": "", "fingerprint": json.dumps(parts)}
    store_fits(study, place, default=tree)
    return report.write(study, place)


def hostile_report(place: Path) -> Path:
    """Labels that try to be markup, scripts and formulas, or are far too long."""
    study, out = load_study(hostile_study(place / "study")), place / "out"
    store_fits(study, out, default=made_up(study))
    return report.write(study, out)


def real_report(name: str) -> Path:
    """The page that ``make fit`` wrote, if it did and nothing changed since."""
    folder = ROOT / "reports" / name
    page = folder / "index.html"
    if not page.is_file():
        pytest.skip(f"no report of a real fit of {name}: make fit writes it")
    stale = report.why_stale(load_study(name), folder)
    if stale:
        pytest.skip(f"the report of {name} is stale: {stale[0]}; make fit writes it anew")
    return page


MAKE = {"rochester": rochester_report, "norway": norway_report, "hostile": hostile_report}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Name -> page, made when it is first asked for; the appendix lies beside the report."""

    @cache
    def report_of(name):
        if name in MAKE:
            return MAKE[name](tmp_path_factory.mktemp(name))
        return real_report(name.removeprefix("real "))

    def page(name):
        path = report_of(name.removesuffix(" appendix"))
        return path.with_name("appendix.html") if name.endswith(" appendix") else path

    return page


@pytest.fixture(scope="module")
def browser():
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def pages(browser, reports):
    """Pages that are opened once, as they are only looked at."""
    visits = {}
    with ExitStack() as stack:

        def look(name, size="desktop"):
            if (name, size) not in visits:
                context = visit(browser, reports(name), size)
                visits[name, size] = stack.enter_context(context)
            return visits[name, size]

        yield look


@pytest.fixture
def read(pages):
    """Look at a report, without changing anything on the page; nothing may go wrong on it."""
    seen = []

    def look(name, size="desktop"):
        seen.append(pages(name, size))
        return seen[-1]

    yield look
    assert [line for each in seen for line in each.wrong] == []


@pytest.fixture
def opened(browser, reports):
    """Open a report; whatever the test does with it, nothing may go wrong on the page."""
    visits = []
    with ExitStack() as stack:

        def look(name, size="desktop", **kwargs):
            visits.append(stack.enter_context(visit(browser, reports(name), size, **kwargs)))
            return visits[-1]

        yield look
        assert [line for seen in visits for line in seen.wrong] == []


@pytest.fixture
def shown(browser, tmp_path):
    """Open a page with one table of which these are the rows."""
    with ExitStack() as stack:

        def look(rows):
            header = tuple(f"column {i}" for i in range(len(rows[0])))
            rendering = Rendering("html", ("common",), True, {})
            table = rendering.table(rows, header, caller=lambda: "A table")
            section = Section("one", "Section", str(table))
            page = Page("report", (section,), (), tuple(rendering.tables))
            about = {"title": "Title", "subtitle": "Subtitle", "footer": "Footer"}
            path = tmp_path / "index.html"
            path.write_text(html(page, about, ""), encoding="utf-8")
            return stack.enter_context(visit(browser, path)).page

        yield look


# -- links -------------------------------------------------------------------------------

IN_VIEW = """id => {
  const heading = document.querySelector(`#${id} h2`), box = heading.getBoundingClientRect();
  if (box.top < 0 || box.bottom > innerHeight || !heading.checkVisibility()) return false;
  const y = (box.top + box.bottom) / 2;
  return document.elementFromPoint(box.left + 2, y) === heading;
}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", REPORTS)
def test_every_entry_of_the_contents_leads_to_its_section(read, name, size):
    seen = read(name, size)
    page = seen.page
    page.evaluate("document.querySelector('nav details').open = true")
    entries = page.locator("nav ol a").all()
    assert len(entries) == page.locator("main h2").count() > 5
    letter = "A" * name.endswith("appendix")
    for number, entry in enumerate(entries, start=1):
        title, anchor = entry.inner_text(), str(entry.get_attribute("href"))[1:]
        entry.click()
        seen.becomes_true(IN_VIEW, anchor)
        assert page.locator(f"#{anchor} h2").inner_text() == f"{letter}{number}. {title}#"


@pytest.mark.parametrize("name", REPORTS)
def test_every_link_has_a_target(read, name):
    seen = read(name)
    ids = seen.page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    links = seen.page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
    files = [link for link in links if not link.startswith("#")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    for link in files:
        assert re.match(r"data:(text/csv|image/svg\+xml);base64,|tables/\w+\.csv$|\w+\.html", link)
        assert link.startswith("data:") or (seen.folder / link.partition("#")[0]).is_file()


def test_the_keyboard_skips_to_the_text(opened):
    page = opened("rochester").page
    skip = page.locator("a.skip")
    assert skip.bounding_box()["y"] < 0
    page.keyboard.press("Tab")
    assert skip.evaluate("a => a === document.activeElement")
    assert skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


# -- room --------------------------------------------------------------------------------

#: Elements that reach beyond the page, but for those inside something else.
BEYOND = """inside => [...document.body.querySelectorAll("*")].filter(one =>
    !(inside && one.closest(inside))
    && one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5
  ).map(one => one.outerHTML.slice(0, 80))"""
#: What is inside boxes that scroll by themselves.
SCROLLED = ".tablebox > *, .formula > *, pre > *"


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_reaches_beyond_the_screen(opened, name):
    page = opened(name).page
    for width in (1280, 768, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate(BEYOND, SCROLLED) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_table_too_wide_for_a_phone_scrolls_by_itself(opened):
    seen = opened("rochester appendix", "phone")
    box = seen.page.locator(".tablebox:has(table.wide)").first
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    box.focus()
    box.press("ArrowRight")
    seen.becomes_true("document.activeElement.scrollLeft > 0")


# -- paper -------------------------------------------------------------------------------

#: Text outside formulas; these do not come out of a PDF in the order of reading.
TEXT = """() => {
  document.querySelectorAll(".formula").forEach(one => one.remove());
  return document.body.innerText;
}"""


def words(text: str) -> Counter[str]:
    """Letters and digits by word, ligatures undone."""
    return Counter(re.findall(r"\w{3,}", unicodedata.normalize("NFKC", text)))


@pytest.mark.parametrize("name", REPORTS)
def test_paper_holds_all_of_it(opened, name, tmp_path):
    page = opened(name).page
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER[0], "height": PAPER[1]})
    assert page.evaluate(BEYOND) == []  # nothing scrolls on paper
    heights = "all => all.map(one => one.getBoundingClientRect().height)"
    assert max(page.eval_on_selector_all("figure, tr, .box, .formula", heights)) < PAPER[1]
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    sheets = PdfReader(tmp_path / "report.pdf").pages
    assert len(sheets) < (80 if name.endswith("appendix") else 14)
    assert {tuple(map(round, sheet.mediabox)) for sheet in sheets} == {(0, 0, 595, 842)}  # A4
    # The figures of Rochester take long to read, hostile labels need fonts that may be missing.
    if name.startswith("norway"):
        texts = [sheet.extract_text() for sheet in sheets]
        missing = words(page.evaluate(TEXT)) - words(" ".join(texts))
        assert missing.total() == 0, missing
        if name.endswith("appendix"):
            claims = [text for text in texts if re.search(r"[(]N\d\d", text)]
            assert len(claims) > 1
            assert all("what was found" in text for text in claims)  # the header is on each sheet


# -- access ------------------------------------------------------------------------------


def faults(page) -> list[str]:
    """What axe finds: names, roles, contrast, headings, alternative texts, sizes of targets."""
    rules = {"target-size": {"enabled": True}}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules}).response
    assert len(found["passes"]) > 5
    return [
        f"{fault['id']}: {node['html'][:100]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", REPORTS)
def test_nothing_bars_anybody_from_reading(read, name, size):
    page = read(name, size).page
    assert faults(page) == []
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").count() == 1
    described = page.eval_on_selector_all("img", "all => all.map(img => img.alt.length)")
    assert min(described) > 20
    loaded = "all => all.every(img => img.complete && img.naturalWidth > 0)"
    assert page.eval_on_selector_all("img", loaded)


def test_what_one_reads_with_is_named(read):
    page = read("norway appendix").page
    claims = page.get_by_role("table", name=re.compile("The paper's claims"))
    assert claims.get_by_role("columnheader", name="verdict").count() == 1
    assert claims.get_by_role("rowheader", name=re.compile("[(]N01;")).count() == 1
    assert page.get_by_role("navigation", name="Contents").count() == 1
    warning = page.get_by_role("main").get_by_role("alert")
    assert "This fit did not converge" in warning.first.inner_text()


# -- long tables -------------------------------------------------------------------------


def column(page, place: int = 0) -> list[str]:
    """Cells of a column of the first table, of the rows that are shown."""
    cells = page.locator(f"main table tbody tr :nth-child({place + 1})")
    return [text for text in cells.all_inner_texts() if text]


#: Of each table: rows, headers, buttons in headers, and whether there is a field above it.
TABLES = """() => [...document.querySelectorAll(".tablebox")].map(box => [
  box.querySelectorAll("tbody tr").length,
  box.querySelectorAll("th[scope=col]").length,
  box.querySelectorAll("th[scope=col] button").length,
  box.previousElementSibling?.matches(".filter") &&
    box.previousElementSibling.querySelectorAll("input").length === 1])"""


@pytest.mark.parametrize("name", REPORTS)
def test_only_long_tables_are_sorted_and_filtered(read, name):
    tables = read(name).page.evaluate(TABLES)
    assert len(tables) > 8 * name.endswith("appendix")
    for rows, headers, buttons, field in tables:
        assert buttons == (headers if rows > 8 else 0)
        assert field == (rows > 15)


#: Reports whose studies say what their publications claim.
CLAIMED = ["rochester appendix", "norway appendix", REAL[1], REAL[3]]


def claims_of(page):
    """The section with the claims, and the texts of a column as shown."""
    section = page.locator("#ledger")
    headers = section.locator("thead th").all_inner_texts()

    def cells(header):
        if header == "id":
            ids = section.locator("tbody tr:visible a[id]").evaluate_all(
                "all => all.map(a => a.id)"
            )
            return [name.removeprefix("claim-") for name in ids]
        place = headers.index(header) + 1
        return section.locator(f"tbody tr:visible > :nth-child({place})").all_inner_texts()

    return section, cells


@pytest.mark.parametrize("key", ["Enter", "Space"])
@pytest.mark.parametrize("name", CLAIMED)
def test_claims_are_sorted_by_keyboard(opened, name, key):
    page = opened(name).page
    claims, cells = claims_of(page)
    as_printed = cells("id")
    header = claims.locator("th", has=page.get_by_role("button", name="verdict"))
    button = header.get_by_role("button")
    button.focus()
    seen = {}
    for order in ("ascending", "descending", None):
        button.press(key)
        assert header.get_attribute("aria-sort") == order
        assert claims.locator("[aria-sort]").count() == (order is not None)
        seen[order] = cells("verdict")
    assert seen["ascending"] == sorted(seen[None])
    assert seen["descending"] == sorted(seen[None], reverse=True)
    assert len(set(seen[None])) > 2
    assert cells("id") == as_printed
    claims.get_by_role("button", name="claim, in our words").click()
    firsts = [text.strip()[0].upper() for text in cells("claim, in our words")]
    assert firsts == sorted(firsts)
    assert sorted(cells("id")) == sorted(as_printed)
    assert claims.locator("[aria-sort]").count() == 1


@pytest.mark.parametrize("name", CLAIMED)
def test_claims_are_filtered(opened, name):
    page = opened(name).page
    claims, cells = claims_of(page)
    field, told = claims.get_by_label("Filter rows"), claims.get_by_role("status")
    ids, rows = cells("id"), claims.locator("tbody tr").all_text_contents()
    asked = cells("verdict")[0].split()
    wanted = [one for one, row in zip(ids, rows, strict=True) if all(w in row for w in asked)]
    assert 0 < len(wanted) < len(ids)
    field.fill("  ".join(asked).upper())
    assert cells("id") == wanted
    assert told.inner_text() == f"{len(wanted)} of {len(ids)} rows"
    claims.get_by_role("button", name="claim, in our words").dblclick()
    assert sorted(cells("id")) == sorted(wanted)
    assert faults(page) == []
    page.emulate_media(media="print")
    assert len(cells("id")) == len(ids)
    assert not field.is_visible()
    page.emulate_media(media="screen")
    field.fill("nowhere to be found")
    assert (cells("id"), told.inner_text()) == ([], f"0 of {len(ids)} rows")
    field.fill("")
    assert (len(cells("id")), told.inner_text()) == (len(ids), "")


@pytest.mark.parametrize("name", CLAIMED)
def test_claims_are_filtered_by_verdict(opened, name):
    page = opened(name).page
    claims, cells = claims_of(page)
    chips = claims.locator(".chips button")
    told, total = claims.get_by_role("status"), len(cells("id"))
    assert chips.count() > 1
    seen = []
    for i in range(chips.count()):
        chip = chips.nth(i)
        chip.focus()
        chip.press("Enter")
        assert chip.get_attribute("aria-pressed") == "true"
        shown = cells("id")
        number = int(re.search(r"[(](\d+)[)]$", chip.inner_text())[1])
        assert (len(shown), told.inner_text()) == (number, f"{number} of {total} rows")
        kind = chip.get_attribute("class").split()[-1]
        assert claims.locator(f"tbody tr:visible .badge.{kind}").count() == number
        seen += shown
        chip.press("Enter")
        assert chip.get_attribute("aria-pressed") == "false"
    assert sorted(seen) == sorted(cells("id"))  # every claim has one verdict
    for i in range(2):
        chips.nth(i).click()
    assert 0 < len(cells("id")) <= total
    assert faults(page) == []


NUMBERS = ["−5.2", "−5", "< 0.001", "0.001", "0.50 (0 to 1)", "0.999", "> 0.999", "9%", "10"]
NUMBERS += ["1e6"]


def test_numbers_are_sorted_as_numbers(shown):
    mixed = ["never", "–", "10", "1e6", "> 0.999", "0.001", "−5", "9%", "", "9e7006c5"]
    rows = mixed + [number for number in NUMBERS if number not in mixed]
    page = shown([(f"row {i}", row) for i, row in enumerate(rows)])
    button = page.get_by_role("button", name="column 1")
    button.click()
    texts = ["9e7006c5", "never"]
    assert column(page, 1) == [*NUMBERS, *texts, "–"]
    button.click()
    assert column(page, 1) == [*reversed([*NUMBERS, *texts]), "–"]
    page.get_by_role("button", name="column 0").click()
    assert column(page) == [f"row {i}" for i in range(len(rows))]


def test_labels_stay_text_when_they_are_sorted(opened):
    seen = opened("hostile")
    table = seen.page.locator("#data table")
    before = sorted(table.locator("tbody tr :nth-child(2)").all_inner_texts())
    for button in table.get_by_role("button").all():
        button.click()
    assert sorted(table.locator("tbody tr :nth-child(2)").all_inner_texts()) == before
    assert seen.page.locator("script").count() == 1


def test_without_script_tables_are_plain(opened):
    page = opened("norway appendix", script=False).page
    assert page.locator("main button, main input").count() == 0
    assert page.locator("#ledger tbody tr:visible").count() > 15


# -- the tests themselves ----------------------------------------------------------------

BROKEN = """<!DOCTYPE html><title>Broken</title><h1>Broken</h1><h4>Too deep</h4>
<img src="http://other.example/a.png"><p style="color: #bbb">Pale</p>
<div style="width: 2000px">Wide</div><script>console.warn("careful"); nothing()</script>"""


def test_what_is_wrong_with_a_page_is_seen(browser, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(BROKEN, encoding="utf-8")
    with visit(browser, path) as seen:
        wrong = "\n".join(seen.wrong)
        assert "request: http://other.example/a.png" in wrong
        assert "warning: careful" in wrong
        assert "nothing is not defined" in wrong
        assert any("Wide" in element for element in seen.page.evaluate(BEYOND))
        found = {fault.partition(":")[0] for fault in faults(seen.page)}
        assert found >= {"color-contrast", "heading-order", "html-has-lang", "image-alt"}


def test_a_page_runs_no_other_script_and_loads_nothing(browser, shown, tmp_path):
    page = shown([("a", "b")]).content()
    added = '<p id="p">as is</p><script>document.getElementById("p").textContent = "run"</script>'
    path = tmp_path / "changed.html"
    image = '<img src="https://other.example/a.png" alt="x">'
    path.write_text(page.replace("</main>", f"{added}{image}</main>"), encoding="utf-8")
    with visit(browser, path) as seen:
        assert seen.page.locator("#p").inner_text() == "as is"
        refused = "\n".join(seen.wrong)
        assert "script-src" in refused
        assert "img-src" in refused


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [("true", pytest.fail.Exception), ("", pytest.skip.Exception), ("0", pytest.skip.Exception)],
)
def test_a_missing_browser_is_told_and_fails_in_ci(monkeypatch, ci, outcome):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no browser: none of chromium, "):
        path_of_browser()
