"""The structure: which module may import which, and what must not be imported at all."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import intlmodels
from intlmodels import fit, report, studytoml
from intlmodels.models import catalogue
from intlmodels.report import content
from intlmodels.study import load_study

PACKAGE = Path(intlmodels.__file__).parent

#: A module imports only modules above it.
ORDER = [
    "errors",
    "rounding",
    "csvtable",
    "studytoml",
    "studysources",
    "studycolumns",
    "studyvariants",
    "study",
    "priors",
    "intervalkernels",
    "betainterval",
    "observation",
    "likelihoods",
    "models.design",
    "models",
    "models.share",
    "compilation",
    "groups",
    "fit",
    "store",
    "diagnostics",
    "coefficients",
    "estimands",
    "results",
    "workflow",
    "predictions",
    "comparison",
    "formats",
    "plotstyle",
    "plotdata",
    "plotchecks",
    "plots",
    "narrative",
    "narrativevariants",
    "report.blocks",
    "report.csvtext",
    "report.record",
    "report.material",
    "report.figures",
    "report.formula",
    "report.shown",
    "report.provenance",
    "report.render",
    "report.content",
    "report",
    "api",
    "cli",
]


def name_of(path):
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py") if name_of(path)}


def typing_only(tree):
    """Nodes below ``if TYPE_CHECKING``: they are not imported when the program runs."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }


def imports(path):
    """Modules of the package that a module imports, anywhere in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = typing_only(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "intlmodels":
            below = node.module.removeprefix("intlmodels").removeprefix(".")
            for alias in node.names:
                inner = f"{below}.{alias.name}".removeprefix(".")
                yield inner if inner in MODULES else below
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("intlmodels."):
                    yield alias.name.removeprefix("intlmodels.")


def test_every_module_has_its_place():
    assert sorted(MODULES) == sorted(ORDER)


@pytest.mark.parametrize("module", ORDER)
def test_a_module_imports_only_what_stands_above_it(module):
    above = set(ORDER[: ORDER.index(module)])
    wrong = {name for name in imports(MODULES[module]) if name and name not in above | {module}}
    assert not wrong


IMPORTS = ("import pymc", "import pytensor", "from pytensor", "import nutpie")


def test_only_models_and_fit_know_pymc():
    users = {
        name
        for name, path in MODULES.items()
        if any(word in path.read_text(encoding="utf-8") for word in IMPORTS)
    }
    assert users <= {"models.share", "likelihoods", "compilation", "fit"}


def test_importing_the_package_imports_nothing_else():
    code = "import intlmodels, sys; print({'numpy', 'pandas', 'pymc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there():
    for name in intlmodels.__all__:
        assert getattr(intlmodels, name).__doc__
    with pytest.raises(AttributeError):
        intlmodels.nonsense  # noqa: B018


def test_names_that_two_modules_know_are_the_same():
    built_in = set(catalogue(load_study("rochester"))) - set(load_study("rochester").variants)
    assert set(studytoml.BUILT_IN_VARIANTS) == built_in | {"all"}
    assert set(studytoml.FIT) <= set(fit.Settings.__dataclass_fields__)
    assert tuple(content.SECTIONS) == report.ORDER
    assert set(report.SECOND_HALF) < set(report.ORDER)


def test_no_package_data_names_a_study():
    """A study is data: the package must not know any by name."""
    for name, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        code = [word for word in words if "photonics" in word.lower()]
        assert not code, name


def test_the_committed_reports_are_current():
    """``make fit`` writes them; a stale one is not what a visitor should see."""
    root = PACKAGE.parent.parent
    for folder in sorted(p for p in (root / "reports").glob("*") if (p / "report.md").exists()):
        assert report.why_stale(load_study(folder.name), folder) == []
    assert (root / "reports" / "rochester" / "report.md").exists()
