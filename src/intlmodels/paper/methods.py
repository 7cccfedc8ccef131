"""The methods of a paper, written from what was done: design, priors, settings, checks.

What a study, a prior or a setting changes, changes here; what was not done is said not to have
been done, and a fit that did not converge is said not to have. The sentences are in ``templates``,
where a line ends in a blank and an empty line ends a paragraph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.models.decay.sampler import STEPS
from intlmodels.models.share.design import CLUSTER, FIRM, Block
from intlmodels.paper.markup import DATA, Cite, Passage, cite
from intlmodels.report import decay, provenance
from intlmodels.report.data import DecayReportData, ReportData, ShareReportData
from intlmodels.report.provenance import OWN, Reference
from intlmodels.report.render import sentences
from intlmodels.report.rows import check_value, prior_rows
from intlmodels.results import share
from intlmodels.results.share import effective_rows
from intlmodels.results.wording import CLEAR, LEANING
from intlmodels.studies import Outcome

if TYPE_CHECKING:
    from jinja2 import Environment

#: Year of this version, as in CITATION.cff.
RELEASED = "2026"
#: Kinds of the checks that a sentence on convergence tells, in its order.
_CHECKS = {
    "rhat": "the largest R-hat was {}",
    "ess_bulk": "the smallest bulk effective sample size {}",
    "ess_tail": "the smallest tail effective sample size {}",
    "divergences": "divergent transitions {}",
    "ebfmi": "the smallest E-BFMI {}",
    "treedepth": "trajectories cut at the largest tree depth {}",
}
#: Where a prior comes from -> what is added to it; of another the study.
_ORIGINS = {"default": "", "command line": " (set on the command line)"}
#: What sets citations and paragraphs apart in rendered text; removed from what a study says.
_CITATION, _PARAGRAPH = "\x00", "\x02"


def passages(m: ReportData, data_key: str) -> list[Passage]:
    """Paragraphs, with the keys of the BibTeX file as citations, ``data_key`` for the data."""
    model = _MODELS[type(m)](m)
    text = _environment().get_template("methods.j2").render(_of_the_fit(m) | model)
    return [
        _with_keys(
            tuple(
                cite(*piece.split(",")) if i % 2 else piece
                for i, piece in enumerate(paragraph.split(_CITATION))
            ),
            data_key,
        )
        for paragraph in text.split(_PARAGRAPH)
    ]


def bibliography(m: ReportData) -> dict[str, Reference]:
    """Key -> what the package and the methods in use are cited by; without the data."""
    own = provenance.own(m.attribute("versions")["intlmodels"])
    own = replace(own, fields={**own.fields, "year": RELEASED})
    used = provenance.keys(provenance.methods(m))
    return {OWN: own, **{key: provenance.REFERENCES[key] for key in used}}


def _with_keys(passage: Passage, data_key: str) -> Passage:
    own = {DATA: (data_key,), OWN: (OWN,)}
    return tuple(
        Cite(tuple(k for name in p.names for k in own.get(name) or provenance.keys([name])))
        if isinstance(p, Cite)
        else p
        for p in passage
        if p
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=False,  # a passage is plain text; each format escapes it
        finalize=_finalize,
        undefined=StrictUndefined,
    )
    environment.globals.update(
        cite=cite,
        counted=f.counted,
        listed=f.listed,
        plural=f.plural,
        a=f.a,
        thousands="{:,}".format,
        were=lambda items: "was" if len(items) == 1 else "were",
    )
    return environment


def _source(name: str) -> str:
    text = (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
    return text.strip().replace("\n\n", _PARAGRAPH).replace("\n", " ")


def _finalize(value: object) -> str:
    if isinstance(value, Cite):
        return f"{_CITATION}{','.join(value.names)}{_CITATION}"
    return str(value).replace(_CITATION, "").replace(_PARAGRAPH, "")


def _of_the_fit(m: ReportData) -> dict[str, Any]:
    gate = m.gates[DEFAULT]
    by_name = {result.name: result for result in gate.results}
    others = [name for name in m.variants if name != DEFAULT]
    asked = m.attribute("settings")
    versions = m.attribute("versions")
    checked = {
        "calibration on simulated studies": m.check_results.calibration,
        "exact leave-one-out": m.check_results.comparison,
        "sensitivity to priors and readings": m.check_results.sensitivity,
    }
    return {
        "m": m,
        "study": m.study,
        "firm": m.study.firm_label,
        "priors": [
            f"{name} ~ {text}{_ORIGINS.get(origin, ' (set by the study)')}"
            for name, text, origin, _ in prior_rows(m)
            if origin != "follows"
        ],
        "settings": asked,
        "used": m.attribute("settings_used") if "settings_used" in m.fit.attrs else asked,
        "hamiltonian": "ebfmi" in provenance.sampling(m),
        "checks": [
            words.format(check_value(by_name[name]))
            for name, words in _CHECKS.items()
            if by_name[name].outcome != "informational"
        ],
        "failures": [
            f"{r.label} must be {r.direction} {r.limit:g} and was {check_value(r)}"
            for r in gate.failures
        ],
        "interval": f.interval_name(m.prob),
        "clear": CLEAR,
        "leaning": LEANING,
        "variants": others,
        "failed": [name for name in others if not m.gates[name].passed],
        "undone": [name for name, item in checked.items() if item.value is None],
        "versions": versions,
        "packages": [f"{name} {text}" for name, text in versions.items() if name != OWN],
    }


def _of_shares(m: ShareReportData) -> dict[str, Any]:
    blocks = share.blocks(m.fit)
    weights = m.study.outcome.weights
    return {
        "template": "share.j2",
        "row": m.study.row_label,
        "outcome": f.lowered(m.study.outcome.label),
        "rounded": _rounded(m.study.outcome),
        "effects": [_effect(block) for block in blocks],
        "terms": _of_groups(m),
        "of_precision": _labels(m.design.precision),
        "of_zeros": _labels(m.design.never),
        "effective": "" if weights is None else f"{effective_rows(weights):,.0f}",
        "missing": int(np.isnan(m.fit["constant_data"]["design"].to_numpy()).any(axis=1).sum()),
    }


def _rounded(outcome: Outcome) -> str:
    """How the shares were reported, after a comma."""
    if outcome.bands:
        return f"reported in {f.counted(len(outcome.bands), 'band')}"
    if outcome.width:
        return f"reported in steps of {f.amount(outcome.width, 'percentage points')}"
    widths = [f"{width:g}" for width in np.unique(np.round(outcome.widths, 9))]
    return f"reported in steps of {f.listed(widths)} percentage points"


def _of_groups(m: ShareReportData) -> list[str]:
    """Sentences on the groups of rows that have effects of their own, clusters apart."""
    found = []
    for own in m.design.groupings:
        if own.name == CLUSTER:
            continue
        panel = own.name == FIRM
        who = f"Each {m.study.firm_label}" if panel else f"Each group by {own.label}"
        effects = [block.label for block in m.design.slopes(own)]
        more = f", and its own effects of {f.listed(effects)}" if effects else ""
        drawn = "correlated deviations" if own.correlated else "deviations"
        found.append(
            f"{who} ({len(own.labels):,}) has its own level{more}: {drawn} from normal "
            "distributions around zero with estimated standard deviations."
        )
    return found


def _labels(blocks: Iterable[Block]) -> list[str]:
    """What terms are called within a sentence, each once."""
    return list(dict.fromkeys(_within(block.label) for block in blocks))


def _within(label: str) -> str:
    return label.replace("Square of", "the square of")


def _effect(block: dict[str, Any]) -> str:
    label, settings = _within(block["label"]), block["settings"]
    match block["kind"]:
        case "product" if block["label"] != label:
            return label
        case "product" | "interaction":
            return f"{label} (products of their codes)"
        case "spline":
            return f"{label} (natural cubic spline with {len(block['knots'])} knots)"
        case "walk":
            return f"{label} (first-order random walk over {len(block['levels'])} periods)"
        case "contrast":
            return f"{label} ({settings[1]} against {settings[0]})"
        case "numeric":
            return f"{label} ({'logarithm, ' * (block['transform'] == 'log')}standardized)"
        case _:
            count = f.counted(len(block["levels"]), "level")
            return f"{label} ({count}, effects drawn from a common distribution)"


def _of_decisions(m: DecayReportData) -> dict[str, Any]:
    found = decay.contradiction(m.audit) if m.latent else {}
    return {
        "template": "decay.j2",
        "conflicts": " ".join(sentences("decay/conflict.md.j2", found)) if found else "",
        "table_steps": STEPS * m.design.total,
    }


#: Report data of a model -> what the template of its paragraph needs.
_MODELS: dict[type[ReportData], Callable[[Any], dict[str, Any]]] = {
    ShareReportData: _of_shares,
    DecayReportData: _of_decisions,
}
