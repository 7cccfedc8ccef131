"""Every example of a docstring and every snippet of a page, run; of what samples, stand-ins."""

from __future__ import annotations

import re
import shlex
import shutil
import textwrap
import tomllib
from inspect import getdoc, signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from xarray import DataTree

import intlmodels as im
import madetrust
from clusterstudies import clusters_study
from intlmodels import cli
from intlmodels.checks.stored import CheckResults, DesignAnalysis
from intlmodels.fitting import jobs
from intlmodels.models import require_names
from intlmodels.models.share.estimands import estimate
from intlmodels.results.interpret import Interpretation
from intlmodels.studies import Study, load_study
from intlmodels.studies.schema import checked_document
from mockfit import mock_fit
from panels import random_fit
from trees import made_up

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: What runs for minutes: its arguments are held against its signature.
LONG = ("calibrate", "compare", "sensitivity", "influence", "multiverse", "design", "export")

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the pages are in the checkout")


def blocks(page: Path, kind: str) -> list[str]:
    """The blocks of code of a kind on a page."""
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def firm_years() -> pd.DataFrame:
    """Twelve firms in four years."""
    rng = np.random.default_rng(3)
    firm = np.repeat(np.arange(12), 4)
    return pd.DataFrame(
        {
            "firm": [f"F{own}" for own in firm],
            "year": np.tile(np.arange(2015, 2019), 12),
            "owner": np.array(["Local", "Foreign"])[firm % 2],
            "sector": np.array(["Boats", "Tools", "Toys"])[firm % 3],
            "size": rng.integers(5, 500, 48),
            "fsts": rng.integers(0, 100, 48),
        }
    )


def panel(**more: object) -> Study:
    """A study of them with a curve and an interaction."""
    terms = "fsts ~ owner * poly(log(size), 2) + sector"
    return im.study(terms, firm_years(), rounding_width=1, **more)


def fit_of(study: Study, **_: object) -> DataTree:
    """A fit with its estimands, of draws at random."""
    tree = random_fit(study)
    tree["estimands"] = DataTree(estimate(tree))
    return tree


sampled = jobs.fit


def quick_fit(study: Study, *args: object, **how: object) -> DataTree:
    """A fit of made-up draws, or one that is sampled in no time."""
    return (sampled if study.model == "decay" else mock_fit)(study, *args, **how)


#: Settings of fits that are sampled.
FEW = {"draws": 100, "tune": 100, "chains": 2}


@pytest.fixture(scope="module")
def rochester() -> Study:
    return load_study("rochester")


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """A folder in which a fit of Rochester is stored, and fits by study and variant."""
    folder = tmp_path_factory.mktemp("fits")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jobs, "fit", quick_fit)
        return folder, {
            ("rochester", "default"): im.fit_study("rochester", out=folder / "reports/rochester"),
            ("rochester", "heaped"): im.fit_study("rochester", "heaped"),
            ("norway", "default"): im.fit_study("norway", **FEW),
        }


@pytest.fixture
def stand_ins(rochester, fits, tmp_path, monkeypatch):
    """A folder with one fit, and functions that take no time; what checks find is made up."""
    stored, known = fits
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    found = madetrust.trust(
        calibration=madetrust.calibration(),
        comparison=madetrust.comparison(),
        sensitivity=madetrust.sensitivity(),
        multiverse=madetrust.multiverse([0.9, 0.8]),
        influence=madetrust.influence({"A": 0.9}),
        design=DesignAnalysis("posterior", 22, 100, {}, ()),
    )
    whole = {name: getattr(im, name) for name in im.__all__}

    def fit_study(study, variant="default", **how):
        signature(whole["fit_study"]).bind(study, variant, **how)
        if isinstance(study, str) and not how and (study, variant) in known:
            return known[study, variant]
        loaded = study if isinstance(study, Study) else load_study(study)
        if getattr(loaded, "panel", None) is not None:
            return fit_of(loaded, **how)
        if loaded.model == "decay":
            how |= FEW
        return whole["fit_study"](loaded, variant, **how)

    def instead(name, answer):
        def call(*args, **kwargs):
            signature(whole[name]).bind(*args, **kwargs)
            return answer

        monkeypatch.setattr(im, name, call, raising=False)

    monkeypatch.setattr(jobs, "fit", quick_fit)
    monkeypatch.setattr(im, "fit_study", fit_study, raising=False)
    for name in (*LONG, "read_trust"):
        instead(name, found)
    instead("reduce", rochester)
    return found


# -- docstrings ----------------------------------------------------------------------------

PUBLIC = {name: getattr(im, name) for name in im.__all__ if name != "plots"}
FIGURES = {f"plots.{name}": getattr(im.plots, name) for name in (*dir(im.plots), "svg")}
CLASSES = {own.__name__: own for own in (Study, Interpretation, CheckResults)}
#: What is asked of another fit than that of Rochester.
OF_COUNTS = "cells curves decisions true_counts reconstruct attribute_table"
OF_PANELS = (
    "predictions comparisons slopes slopes_in_units turning_points interaction Interpretation"
)


def example_of(own) -> str:
    """The example of a docstring."""
    found = getdoc(own).partition("\nExamples\n--------\n")[2]
    assert "::\n\n" in found
    return textwrap.dedent(found.partition("::\n\n")[2])


@pytest.mark.filterwarnings("ignore::intlmodels.NotConverged")
@pytest.mark.parametrize("name", [*PUBLIC, *FIGURES, *CLASSES])
def test_the_example_of_a_public_name_runs(name, rochester, stand_ins, tmp_path):
    last = name.rpartition(".")[2]
    example = example_of((PUBLIC | FIGURES | CLASSES)[name])
    if last in OF_COUNTS.split():
        fit = im.fit_study("norway")
    elif last in OF_PANELS.split():
        fit = fit_of(panel())
    elif last == "curve":
        fit = random_fit(load_study("michigan"))
    elif last == "zeros":
        fit = fit_of(panel(zeros=["owner"]))
    elif "cluster" in last:
        fit = made_up(clusters_study(tmp_path / "clusters"))
    else:
        fit = im.fit_study("rochester")
    given = {
        "im": im,
        "study": rochester,
        "data": firm_years().rename(columns={"fsts": "share"}),
        "fit": fit,
        "heaped": im.fit_study("rochester", "heaped") if "heaped" in example else None,
        "found": stand_ins,
        "tables": im.trust_tables(stand_ins),
    }
    exec(example, given)


@pytest.mark.parametrize("name", [*PUBLIC, *FIGURES])
def test_the_docstring_of_a_public_name_is_whole(name):
    own = (PUBLIC | FIGURES)[name]
    text = getdoc(own)
    named = set(re.findall(r"[*\w]+", " ".join(re.findall(r"^([*\w, ]+?)(?: : .*)?$", text, re.M))))
    if not isinstance(own, type):
        assert {each.name for each in signature(own).parameters.values()} <= {
            each.lstrip("*") for each in named
        }
        assert "\nReturns\n-------\n" in text or name == "list_studies"
        assert "\nRaises\n------\n" in text or name in ("list_studies", "trust_tables", "plots.svg")


# -- pages ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::intlmodels.NotConverged")
@pytest.mark.parametrize("page", ["python", "panels", "clusters", "comparison", "for-a-paper"])
def test_the_python_of_a_page_runs(page, rochester, stand_ins, tmp_path):
    firms = rochester.frame().rename(columns={"printed_pct": "share"})
    given = {"im": im, "frame": firm_years(), "firms": firms}
    run = [own for own in blocks(DOCS / f"{page}.md", "python") if "bambi" not in own]
    assert run
    for own in run:
        exec(own, given)
    if page == "clusters":
        (rows,) = blocks(DOCS / "clusters.md", "csv")
        with (tmp_path / "firms.csv").open("a", encoding="utf-8") as file:
            file.write(rows.partition("Rochester\n")[2])
        (tmp_path / "study.toml").write_text(blocks(DOCS / "clusters.md", "toml")[1])
        study = load_study(tmp_path)
        assert study.clusters.labels == ("Ours", "Rochester")
        assert len(study.firms) == 24


COMMANDS = typer.main.get_command(cli.app).commands


@pytest.mark.parametrize("page", [*DOCS.glob("*.md"), ROOT / "README.md"], ids=lambda own: own.stem)
def test_every_command_line_is_one_that_is_understood(page):
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^intlmodels .*$", text, re.M) + re.findall(r"`(intlmodels [^`]+)`", text)
    for line in lines:
        words = shlex.split(line.replace("[OPTIONS]", ""), comments=True)[1:]
        if words[0] in COMMANDS and "..." not in line:
            words = [re.sub("^(MM|N|NUMBER)$", "7", word) for word in words]
            if len(words) > 1 or not COMMANDS[words[0]].params:
                COMMANDS[words[0]].make_context(words[0], words[1:])


def toml_of(page: str) -> list[str]:
    """The blocks of TOML of a page."""
    return blocks(DOCS / f"{page}.md", "toml")


COUNTED, KNOWN = toml_of("decisions")
HEADER = "id,relation,value,status,firms,periods,flag"
#: Files that the pages name and do not show.
TABLES = {
    "firms.csv": "firm,size,sector\nAsh,large,boats\nBox,other,tools\nAlder,other,boats\n"
    "A,large,tools\nB,other,boats\n",
    "counts.csv": blocks(DOCS / "decisions.md", "csv")[0],
    "decisions.csv": "firm,peer,date,mode\nAsh,Ja,31.05.2006,new\nBox,Nein,01.06.2007,old\n"
    "Alder,Ja,02.06.2007,new\n",
    "modes.csv": blocks(DOCS / "attributes.md", "csv")[0],
    "motives.csv": f"{HEADER},level\nM1,equal,4,hard,,,yes,partner\n",
    "text.csv": f"{HEADER}\nT1,at least,1,noisy,Alder,,\n",
    "interviews.csv": "firm,total\nAsh,1\nBox,2\nAlder,1\nA,3\nB,1\n",
}


@pytest.mark.parametrize(
    ("toml", "periods"),
    [
        (COUNTED, ["before 2010", "2010-19"]),
        (COUNTED + toml_of("study-toml")[3], ["before 2010", "2010-19"]),
        ("".join([COUNTED, *toml_of("attributes")]), ["before 2000", "2000-09"]),
        (COUNTED + toml_of("orders")[0], ["before 2000", "2000-09"]),
        ("".join([COUNTED, *toml_of("rivals")]), ["before 2000", "2000-07", "2008-13"]),
        (COUNTED.partition("[outcome]")[0] + KNOWN, []),
    ],
    ids=["counts", "claim", "attributes", "orders", "rivals", "decisions"],
)
def test_the_decisions_of_the_pages_are_read(toml, periods, tmp_path):
    text = toml.replace('names = ["before 2010", "2010-19"] ', f"names = {periods} ")
    text = text.replace("weights = [1, 1] ", f"weights = {[1] * len(periods)} ")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    for name, table in TABLES.items():
        first = periods[0] if periods else ""
        table = re.sub(r"before 20\d0", first, table)
        (tmp_path / name).write_text(table, encoding="utf-8")
    study = load_study(tmp_path)
    require_names(study)
    assert study.model == "decay"
    assert len(study.periods) == max(len(periods), 1)


def test_the_shares_of_the_pages_are_read(tmp_path):
    whole, formula, priors, _ = toml_of("study-toml")
    rows = "firm,sector,ownership,employees,export_share\nAsh,A,Local,3,5\nBox,B,Foreign,7,10\n"
    (tmp_path / "firms.csv").write_text(
        rows + "Cob,A,Local,9,20\nDan,B,Local,8,15\n", encoding="utf-8"
    )
    (tmp_path / "study.toml").write_text(whole + priors, encoding="utf-8")
    table = im.prior_table(tmp_path).set_index("name")["prior"]
    assert (table["intercept"], table["size"]) == ("Normal(0, 3)", "Normal(0, 2)")
    rest = whole.partition("[predictors.sector]")[0].replace('column = "export_share"\n', "")
    (tmp_path / "study.toml").write_text(rest + formula, encoding="utf-8")
    assert set(load_study(tmp_path).interactions) == {"ownership_employees"}
    shares, decisions = map(tomllib.loads, toml_of("registers"))
    own = {name: table for name, table in tomllib.loads(whole).items() if name != "firms"}
    assert checked_document(own | shares)
    assert checked_document(decisions)
