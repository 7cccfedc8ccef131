"""Write the pages that follow from the code: the keys of study.toml, the command line, the API.

``python docs/generate.py`` writes them; a test fails while what is stored differs.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

import intlmodels
from intlmodels import cli, plots
from intlmodels.plots import public
from intlmodels.studies import schema
from intlmodels.studies.schema import Key, TableType, TomlTable, Vocabulary, vocabulary_of

DOCS = Path(__file__).parent
GENERATED = "<!-- Written by docs/generate.py; do not edit. -->\n"

# -- study.toml ----------------------------------------------------------------------------

FILES: Mapping[str, type] = {
    'Shares: `model = "share"`': schema.ShareFile,
    'Decisions and counts: `model = "decay"`': schema.DecayFile,
    'Registers of shares: `[register]`, `model = "share"`': schema.ShareRegisterFile,
    'Registers of decisions: `[register]`, `model = "decay"`': schema.DecisionRegisterFile,
}
HOLDS = {
    "label": "text",
    "prose": "text",
    "truth": "`true` or `false`",
    "texts": "list of texts",
    "numbers": "list of numbers",
    "integer": "whole number",
    "integers": "list of whole numbers",
}
#: Tables whose keys are not fields of a class.
ELSEWHERE = {
    "model": "`formula`: terms in [the dialect of lme4](from-a-dataframe.md#formulas)",
    "priors": '`parameter = "Distribution(arguments)"`; `intlmodels priors STUDY` lists the names',
    "profiles": "`[[profiles]]`: a level or number for every predictor",
    "silence": "`[[silence]]`: see [claims](claims.md#silence)",
    "groups": "`[groups.NAME]`: groups with effects have the keys below; for groups of firms that "
    "claims speak of, see [claims](claims.md#groups)",
    "claims": "`[[claims]]`: see [claims](claims.md#rules)",
}


def comments() -> dict[tuple[str, str], str]:
    """The comment above each field of a class: (class, field) -> text."""
    source = inspect.getsource(schema)
    lines, found = source.splitlines(), {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                above, place = [], item.lineno - 2
                while lines[place].strip().startswith("#:"):
                    above.insert(0, lines[place].strip().removeprefix("#:").strip())
                    place -= 1
                found[node.name, item.target.id] = " ".join(above)
    return found


COMMENTS = comments()


def meaning(table: type[TomlTable], key: str) -> str:
    """What a key means, said by the class or by one that it derives from."""
    texts = (COMMENTS.get((one.__name__, key), "") for one in table.__mro__)
    return next((text for text in texts if text), "")


def holds(key: Key) -> str:
    """What a key may hold, in words."""
    if key.options:
        return ", ".join(f'`"{option}"`' for option in key.options)
    return HOLDS.get(key.holds, key.holds)


def default(table: type[TomlTable], name: str, key: Key) -> str:
    """The default of a key as it would be written."""
    if key.required:
        return "required"
    value = next(own.default for own in dataclasses.fields(table) if own.name == name)
    if value in (None, "", ()):
        return ""
    written = str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
    return f"`{written}`"


def rows(own: TableType) -> Iterator[str]:
    """Rows of the table of keys of a table."""
    yield "| key | holds | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, key in own.keys.items():
        if name != "kind":
            cells = f"`{name}`", holds(key), default(own.make, name, key), meaning(own.make, name)
            yield "| " + " | ".join(cells).replace("  ", " ") + " |"


def about(table: type[TomlTable]) -> str:
    """The docstring of a table in one line."""
    return " ".join((table.__doc__ or "").split())


def of_file(vocabulary: Vocabulary) -> Iterator[str]:
    """The tables that a kind of study knows."""
    for name in vocabulary.top:
        if name in vocabulary.tables:
            own = vocabulary.tables[name]
            needed = " Required." if name in vocabulary.required else ""
            yield f"\n### `[{name}]`\n\n{about(own.make)}{needed}\n"
            yield from rows(own)
        elif name in vocabulary.named:
            own = vocabulary.named[name]
            yield f"\n### `[{name}.NAME]`\n\n{about(own.make)}\n"
            yield from rows(own)
        elif name in vocabulary.kinds:
            yield f"\n### `[{name}.NAME]`\n\nThe keys depend on `kind`.\n"
            for kind, own in vocabulary.kinds[name].items():
                yield f'\n**`kind = "{kind}"`**: {about(own.make)}\n'
                yield from rows(own)
        elif name in ELSEWHERE:
            yield f"\n### `{name}`\n\n{ELSEWHERE[name]}."
        if name == "groups":
            yield ""
            yield from rows(TableType(schema.GroupingTable, schema.keys_of(schema.GroupingTable)))


def study_toml() -> str:
    """The page on the keys of study.toml."""
    lines = [
        GENERATED,
        "# Keys of study.toml\n",
        "Every table and key that `study.toml` may have, by kind of study. [study.toml](study-toml"
        ".md) explains the most common ones. An unknown key is an error that names the valid ones.",
    ]
    for title, file in FILES.items():
        lines += [f"\n## {title}", *of_file(vocabulary_of(file))]
    return "\n".join(lines) + "\n"


# -- the command line ------------------------------------------------------------------------


def plain(text: str) -> str:
    """Help as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


#: Words for what an option takes, where it does not say so itself.
TAKES = {int: "NUMBER", float: "NUMBER", str: "TEXT"}


def name_of(own: Any) -> str:
    """An argument or option as it is typed."""
    if own.param_type_name == "argument":
        return str(own.metavar)
    takes = own.metavar or TAKES.get(own.type_descriptor.annotation, "")
    return f"{max(own.opts, key=len)} {takes}".strip()


def options_of(command: Any) -> Iterator[str]:
    """Rows of the table of a command's arguments and options."""
    yield "| option | meaning |"
    yield "| --- | --- |"
    for own in command.params:
        said = own.help or ""
        if own.default not in (None, "", False) and "[default" not in said:
            said += f" [default: {own.default}]"
        yield f"| `{name_of(own)}` | {plain(said)} |"


def command_line() -> str:
    """The page on the command line."""
    app = typer.main.get_command(cli.app)
    lines = [
        GENERATED,
        "# Command line\n",
        "`STUDY` is `rochester`, `norway`, `michigan` or the path of a folder. Output goes to "
        "`reports/NAME` unless `--out DIR` says otherwise. Every command has `--help`.\n",
        "| exit code | meaning |\n| --- | --- |",
        "| 0 | done |",
        "| 1 | a fit did not converge, ranks are not uniform, or `report --check` found a stale "
        "report |",
        "| 2 | unusable input or output, such as a mistyped cell, a full disk or a closed pipe; "
        "one line says where, what was found and how to fix it; existing files are unchanged |",
        "| 70 | an error in this program, with its traceback: please report it |",
        "| 130 | interrupted; finished work is saved |\n",
        "Where the home folder cannot be written, compilers use a temporary cache, and one line "
        "says so.",
    ]
    for name, command in app.commands.items():  # type: ignore[attr-defined]
        arguments = [name_of(own) for own in command.params if own.param_type_name == "argument"]
        lines += [
            f"\n## `intlmodels {name}`\n",
            f"{plain(command.help or '')}\n",
            f"```console\nintlmodels {' '.join([name, *arguments])} [OPTIONS]\n```\n",
            *options_of(command),
            "",
            re.sub(r"^Example: (.*)$", r"Example: `\1`", command.epilog or ""),
        ]
    return "\n".join(lines) + "\n"


# -- the API -----------------------------------------------------------------------------------

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Studies": ("load_study", "list_studies", "study", "new_study", "reduce"),
    "Before and during a fit": (
        "prior_predictive",
        "prior_table",
        "variant_table",
        "fit_study",
        "read_fit",
    ),
    "Asking a fit": (
        "estimates",
        "differences",
        "parameter_table",
        "gate_table",
        "predictions",
        "comparisons",
        "slopes",
        "slopes_in_units",
        "turning_points",
        "predict",
    ),
    "Published counts and claims": (
        "audit_tables",
        "attribute_table",
        "reconstruct",
        "claim_table",
    ),
    "Checks": (
        "calibrate",
        "compare",
        "sensitivity",
        "influence",
        "multiverse",
        "design",
        "read_trust",
        "trust_tables",
    ),
    "Reports and papers": ("write_report", "export", "regression_table"),
    "Errors": ("StudyError", "NotConverged"),
}
#: What functions return and take, without the signature of its class; and what is shown of it.
CLASSES = (
    "studies.base.Study()\n   :members: lines, save",
    "results.interpret.Interpretation()\n   :members: table, contrast",
    "checks.stored.CheckResults()",
)


def api() -> str:
    """The page with all public names, and the classes of what they return."""
    lines = [
        GENERATED,
        "# API\n",
        "Everything public is in `intlmodels`, usually imported as `im`; the figures are in "
        "`intlmodels.plots`. [In Python](python.md) is a shorter table.",
    ]
    for title, names in GROUPS.items():
        lines.append(f"\n## {title}\n")
        for name in names:
            kind = "autoexception" if inspect.isclass(getattr(intlmodels, name)) else "autofunction"
            lines.append(f"```{{eval-rst}}\n.. {kind}:: intlmodels.{name}\n```")
    lines.append("\n## Classes\n")
    lines += [f"```{{eval-rst}}\n.. autoclass:: intlmodels.{own}\n```" for own in CLASSES]
    lines.append("\n## Figures\n")
    lines += [
        f"```{{eval-rst}}\n.. autofunction:: intlmodels.plots.{name}\n```"
        for name in (*dir(plots), "svg")
    ]
    return "\n".join(lines) + "\n"


# -- the gallery -------------------------------------------------------------------------------

#: Title -> pictures, each with the figure of a report that shows it.
GALLERY: Mapping[str, Mapping[str, str]] = {
    "Shares": {
        "data": "rochester/figures/data.svg",
        "prior_predictive": "rochester/figures/prior-predictive.svg",
        "prior_posterior": "rochester/figures/prior-posterior.svg",
        "estimates": "rochester/figures/levels.svg",
        "differences": "rochester/figures/differences.svg",
        "ranks": "rochester/figures/ranks.svg",
        "variation": "rochester/figures/variation.svg",
        "opportunity": "rochester/figures/opportunity.svg",
        "new_firms": "rochester/figures/new-firms.svg",
        "posterior_predictive": "rochester/figures/predictions.svg",
        "zeros": "",
        "variants": "rochester/figures/variants.svg",
    },
    "Panels, curves and interactions": {
        "curve": "michigan/figures/curve-enrolment.svg",
        "interaction": "",
        "predictions": "",
    },
    "Several clusters": {"clusters": "", "cluster_differences": ""},
    "Decisions and counts": {
        "curves": "norway/figures/curves.svg",
        "decisions": "norway/figures/data.svg",
        "experience_and_time": "norway/figures/experience-and-time.svg",
        "conflicts": "norway/figures/conflicts.svg",
        "cells": "norway/figures/cells.svg",
        "true_counts": "norway/figures/true-counts.svg",
    },
    "Checks": {
        "chains": "rochester/figures/chains.svg",
        "rank_differences": "rochester/figures/calibration-ranks.svg",
        "coverage": "rochester/figures/calibration-coverage.svg",
        "elpds": "rochester/figures/comparison-elpd.svg",
        "power_scaling": "rochester/figures/sensitivity-scaling.svg",
    },
    "To a file": {"svg": ""},
}


def gallery() -> str:
    """The page with every figure and the call that draws it."""
    lines = [
        GENERATED,
        "# Gallery\n",
        "Every function takes a fit (`im.fit_study`, `im.read_fit`) unless the call shows "
        "otherwise, and returns a matplotlib figure; `found` is the result of a check, and "
        "`tables` is `im.trust_tables(found)`. The figures below are those of the reports. "
        "Of a fit that did not converge every figure says so across its top.",
    ]
    for title, figures in GALLERY.items():
        lines.append(f"\n## {title}")
        for name, file in figures.items():
            said = (inspect.getdoc(getattr(plots, name)) or "").split("\n\n")[0]
            said = re.sub(r":\w+:`intlmodels\.(\w+)`|``(\w+)``", r"`\1\2`", said)
            call = public.EXAMPLES[name]
            lines += [f"\n### {name}\n", f"{plain(said)}\n", f"```python\n{call}\n```"]
            if file and (DOCS.parent / "reports" / file).is_file():
                lines.append(f"\n![{name}](../reports/{file})")
    return "\n".join(lines) + "\n"


PAGES = {
    "study-toml-keys.md": study_toml,
    "command-line.md": command_line,
    "api.md": api,
    "gallery.md": gallery,
}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (DOCS / page).write_text(text(), encoding="utf-8")
