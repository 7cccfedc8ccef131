"""The structure: which module may import which, and what must not be imported at all."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import intlmodels
from intlmodels import report, settings
from intlmodels.models import catalogue
from intlmodels.report import layout
from intlmodels.report.material import Material
from intlmodels.study import file as studytoml
from intlmodels.study import load_study

PACKAGE = Path(intlmodels.__file__).parent

#: A module imports only modules above it.
ORDER = [
    "errors",
    "versions",
    "outputs",
    "arguments",
    "jsonvalues",
    "startup",
    "processes",
    "boundary",
    "machine",
    "rounding",
    "counts",
    "csvtable",
    "csvtext",
    "study.keys",
    "study.bibtex",
    "study.dates",
    "study.outcomekeys",
    "study.registerkeys",
    "study.file",
    "study.sources",
    "study.lookalikes",
    "study.columns",
    "study.clusters",
    "study.outcomes",
    "study.variants",
    "study.crosschecks",
    "study.counts",
    "study.claimrules",
    "study.groups",
    "study.claimchecks",
    "study.claims",
    "study.opportunity",
    "study.base",
    "study.rows",
    "study.share",
    "study.register",
    "study.decisions",
    "study.decay",
    "study.sequences",
    "study",
    "newstudy",
    "audit.answers",
    "audit.integers",
    "audit.system",
    "audit.conflicting",
    "audit.repairing",
    "audit.bounding",
    "audit",
    "possible",
    "priors",
    "share",
    "share.intervalkernels",
    "share.betainterval",
    "share.observation",
    "share.nodes",
    "share.likelihoods",
    "models.variant",
    "models.shareblocks",
    "models.sharepriors",
    "models.sharedesign",
    "models.decaydesign",
    "models.registerdesign",
    "models.sequencedesign",
    "models",
    "compilation",
    "models.drawing",
    "models.celldensity",
    "models.share",
    "models.decay",
    "share.groups",
    "decay",
    "decay.kernels",
    "decay.steps",
    "decay.sampler",
    "decay.tables",
    "decay.groups",
    "fit",
    "refit",
    "share.trials",
    "decay.trials",
    "diagnostics",
    "store",
    "scheduler",
    "solved",
    "register",
    "register.files",
    "register.csvscan",
    "register.csvrecords",
    "register.columntypes",
    "register.engine",
    "register.coding",
    "register.distinct",
    "register.badrows",
    "register.decisionrows",
    "register.badfirms",
    "register.sequences",
    "register.kept",
    "register.decisionreduce",
    "register.spreading",
    "register.reading",
    "register.cellsfile",
    "register.reduce",
    "register.look",
    "register.combinations",
    "register.start",
    "register.coordinates",
    "register.clusterstart",
    "register.clustercoordinates",
    "models.register",
    "models.registercells",
    "sequences",
    "sequences.likelihood",
    "sequences.start",
    "models.sequences",
    "results",
    "share.deviations",
    "share.coefficients",
    "share.averages",
    "share.variation",
    "share.estimands",
    "register.clusterfitting",
    "register.fitting",
    "sequences.predictions",
    "sequences.fitting",
    "decay.estimands",
    "claims",
    "claims.names",
    "workflow",
    "comparison",
    "formats",
    "share.results",
    "share.clustertables",
    "share.outcometables",
    "decay.results",
    "trust",
    "trust.ranks",
    "trust.leaveout",
    "trust.pit",
    "trust.stored",
    "trust.tasks",
    "trust.trial",
    "trust.calibrate",
    "trust.compare",
    "trust.powerscale",
    "trust.sensitivity",
    "trust.running",
    "plotstyle",
    "plotpage",
    "plotchecks",
    "narrative",
    "narrativevariants",
    "trust.predicted",
    "trust.tables",
    "plottrust",
    "plotleaveout",
    "narrativetrust",
    "narrativeleaveout",
    "decay.sentences",
    "claims.verdicts",
    "claims.facts",
    "claims.frequency",
    "claims.told",
    "share.claims",
    "decay.claims",
    "claims.ledger",
    "report.blocks",
    "report.layout",
    "report.record",
    "report.material",
    "report.figures",
    "report.formula",
    "report.shown",
    "report.claims",
    "report.references",
    "report.provenance",
    "report.trust",
    "report.leaveout",
    "report.render",
    "report.content",
    "share.predictions",
    "share.opportunity",
    "share.sentences",
    "share.clustersentences",
    "share.outcomesentences",
    "share.plotdata",
    "share.plotpredictions",
    "share.plotclusters",
    "share.plotopportunity",
    "share.plots",
    "share.outcomeplots",
    "share.material",
    "share.figures",
    "share.formula",
    "share.rows",
    "share.sections",
    "share.clustersection",
    "share.opportunitysection",
    "share.outcomesection",
    "audit.told",
    "decay.plotdata",
    "decay.plotcounts",
    "decay.plots",
    "decay.material",
    "decay.figures",
    "decay.formula",
    "decay.rows",
    "decay.sections",
    "decay.reconstruct",
    "register.predictions",
    "register.plots",
    "register.material",
    "register.sections",
    "sequences.checks",
    "sequences.plots",
    "sequences.material",
    "sequences.sections",
    "share.methods",
    "register.methods",
    "decay.methods",
    "sequences.methods",
    "plots",
    "report",
    "paper.words",
    "paper.tables",
    "paper.bibtex",
    "paper.methods",
    "paper.manifest",
    "paper.writing",
    "paper",
    "api",
    "terminal",
    "clifit",
    "clitrust",
    "cli",
    "__main__",
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
    assert users <= {
        *("models.share", "models.decay", "models.register", "models.sequences", "models.drawing"),
        *("models.registercells", "models.celldensity"),
        *("share.likelihoods", "compilation", "fit", "refit"),
    }


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
        assert set(vocabulary.tables["fit"]) <= set(settings.Settings.__dataclass_fields__)


@pytest.mark.parametrize("model", layout.LAYOUTS)
def test_what_a_layout_names_is_there(model):
    known = layout.layout_of(model)
    assert issubclass(layout.load(known.material), Material)
    for place in known.sections.values():
        assert layout.load(place).__doc__
    assert set(known.second_half) < set(known.sections)


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
