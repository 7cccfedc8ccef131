"""The notebooks: short, without output, of public names only, and they run from a clean state."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import pytest

import intlmodels as im

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
NAMES = ("rochester", "norway", "your-own-cluster")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
#: What a notebook imports, and under which name; of pathlib and tempfile what is named.
IMPORTS = {
    "import intlmodels as im",
    "import matplotlib.pyplot as plt",
    "import pandas as pd",
    "import tempfile",
    "from pathlib import Path",
}
#: Folders of somebody's machine.
LOCAL = re.compile(r"/(home|Users|tmp|root|work|var|mnt|opt)/|[A-Z]:\\\\|~/")

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the notebooks are in the checkout")
each = pytest.mark.parametrize("name", NAMES)


def text_of(name):
    return (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")


def cells(name, kind):
    """Sources of the cells of a kind."""
    found = json.loads(text_of(name))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def code(name):
    return ast.parse("\n".join(cells(name, "code")))


def test_these_are_all_notebooks():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NAMES)


@each
def test_a_notebook_is_stored_without_output(name):
    text = text_of(name)
    notebook = json.loads(text)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"] == METADATA
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert cell["source"]
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
        else:
            assert cell["cell_type"] == "markdown"
    assert not LOCAL.search(text)
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


@each
def test_a_notebook_uses_public_names_only_and_defines_nothing(name):
    tree = code(name)
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, defined)]
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert {ast.unparse(node) for node in imports} <= IMPORTS
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    names = {node.attr for node in used if ast.unparse(node.value) == "im"}
    assert {"load_study", "fit_study", "plots"} <= names <= set(im.__all__)
    plots = {node.attr for node in used if ast.unparse(node.value) == "im.plots"}
    assert len(plots) > 3
    assert plots <= set(im.plots.__all__)
    private = {node.attr for node in used if node.attr.startswith("_")}
    assert not private


@each
def test_no_result_is_typed_in(name):
    for text in cells(name, "markdown"):
        words = re.sub(r"`[^`]*`", "", text)  # code may hold numbers
        assert not re.search(r"\d", words), text


@each
def test_the_text_names_functions_that_there_are(name):
    for text in cells(name, "markdown"):
        assert set(re.findall(r"`im\.(\w+)\(", text)) <= set(im.__all__)


@each
@pytest.mark.notebooks
def test_a_notebook_runs_from_a_clean_state(name, tmp_path, monkeypatch):
    """As in a clone after the set-up: no fits are stored, what is committed of reports is there."""
    nbformat = pytest.importorskip("nbformat", reason="make test-notebooks installs Jupyter")
    nbclient = pytest.importorskip("nbclient", reason="make test-notebooks installs Jupyter")
    pytest.importorskip("ipykernel", reason="make test-notebooks installs Jupyter")
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for trust in (ROOT / "reports").glob("*/trust"):
        for path in trust.glob("*.json"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    notebook = nbformat.reads(text_of(name), 4)
    nbformat.validate(notebook)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=170, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    # Warnings are written to stderr; what is no picture, table or text was not meant to be shown.
    assert [output.text for output in outputs if output.output_type == "stream"] == []
    shown = [kind for output in outputs for kind in output.data]
    assert sum(kind.startswith("image/") for kind in shown) > 3
    assert shown.count("text/html") > 3
    assert (folder / "made" / name / "index.html").is_file() == (name != "your-own-cluster")
