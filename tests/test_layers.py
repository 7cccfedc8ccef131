"""The structure: which module may import which, and what must not be imported at all."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import intlmodels
from intlmodels import report
from intlmodels.core import settings
from intlmodels.models import catalogue
from intlmodels.report.data import REPORT_DATA
from intlmodels.report.registry import REPORTS
from intlmodels.studies import load_study
from intlmodels.studies import schema as studytoml

PACKAGE = Path(intlmodels.__file__).parent


def name_of(path):
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py") if name_of(path)}


IMPORTS = ("import pymc", "import pytensor", "from pytensor", "import nutpie")


def test_only_models_know_pymc():
    users = {
        name.partition(".")[0]
        for name, path in MODULES.items()
        if any(word in path.read_text(encoding="utf-8") for word in IMPORTS)
    }
    assert users == {"models"}


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
    rochester = load_study("rochester")
    built_in = set(catalogue(rochester)) - set(rochester.variants) - set(rochester.outcomes)
    assert set(studytoml.BUILT_IN_VARIANTS["share"]) == built_in | {"all"}
    norway = load_study("norway")
    own = [name for name in catalogue(norway) if name not in norway.readings]
    own = [name for name in own if not name.startswith(studytoml.BUILT_IN_STARTS["decay"])]
    assert set(studytoml.BUILT_IN_VARIANTS["decay"]) == {*own, "complete", "all"}
    for vocabulary in studytoml.VOCABULARIES.values():
        assert set(vocabulary.tables["fit"].keys) <= set(settings.Settings.__dataclass_fields__)


def test_every_shape_of_data_has_a_report():
    assert set(REPORTS) == set(REPORT_DATA)
    for parts in REPORTS.values():
        assert all(section.__doc__ for section in parts.sections.values())


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
