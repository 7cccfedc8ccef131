"""How Sphinx builds the site: ``make docs``."""

import os
import re
import sys
import tomllib
from pathlib import Path
from shutil import copy2

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from pygments.lexers.special import TextLexer

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "src")]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = PROJECT["name"]
author = PROJECT["authors"][0]["name"]
version = release = PROJECT["version"]
copyright = f"{author}, BSD 3-Clause"  # noqa: A001 (Sphinx calls it so)

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["notebooks/made", "reports"]
root_doc = "index"
nitpicky = True  # every cross-reference of a docstring is found

# Markdown as GitHub reads it, and notebooks.
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4

# The notebooks are stored without output. NOTEBOOKS=off leaves them unexecuted.
nb_execution_mode = os.environ.get("NOTEBOOKS", "cache")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_merge_streams = True
nb_execution_show_tb = True

# Docstrings
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"
html_sidebars = {"**": ["pages"]}
html_title = f"intlmodels {version}"
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navbar_center": [],
    "navigation_with_keys": False,
    "icon_links": [
        {"name": name, "url": url, "icon": "fa-solid fa-link"}
        for name, url in PROJECT.get("urls", {}).items()
    ],
}


def setup(app):
    """Bring in the notebooks, and turn links to files of the repository into addresses."""
    folder = ROOT / "docs" / "notebooks"
    folder.mkdir(exist_ok=True)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        copy = folder / notebook.name
        if not copy.is_file() or copy.read_bytes() != notebook.read_bytes():
            copy2(notebook, copy)
    # Where they look for what is stored of the reports.
    if not (ROOT / "docs" / "reports").exists():
        (ROOT / "docs" / "reports").symlink_to("../reports", target_is_directory=True)
    app.add_lexer("csv", TextLexer)
    # Browsers show MathML without a script from elsewhere.
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("source-read", point_to_files)


def point_to_files(app, name, source):
    """Notebooks are pages; other files have an address where the repository has one."""
    home = next(iter(PROJECT.get("urls", {}).values()), "").rstrip("/")

    def address(match):
        text, file = match.groups()
        if file.startswith("notebooks/"):
            return f"[{text}]({file})"
        return f"[{text}]({home}/blob/main/{file})" if home else text

    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\(\.\./([^)]+)\)", address, source[0])


def mathml(self, node):
    """A formula as MathML."""
    block = node.tagname == "math_block"
    tex = node.astext().replace(r"\sim", r"\thicksim")
    shown = convert(tex, display="block" if block else "inline")
    # Room around the sign also where a distribution in plain text follows, and after a logarithm.
    shown = shown.replace("<mo>&#x0223C;", '<mo form="infix">&#x0223C;')
    shown = re.sub(r"(<mi>log</mi>)(?=<mi|<msub)", r'\1<mspace width="0.17em" />', shown)
    self.body.append(f'<div class="math">{shown}</div>' if block else shown)
    raise SkipNode
