"""The ledger: every claim of a study, how it is checked, and what that gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.audit.attributes import audit_attribute, cell_of, cost_of
from intlmodels.audit.consequences import ALL, cheapest, suspects
from intlmodels.core import formats as f
from intlmodels.core.errors import StudyError
from intlmodels.fitting.diagnostics import probability_error
from intlmodels.models import model_named, require_names
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.estimands import FALL_AFTER
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.results import attributes, decay, interpret, share
from intlmodels.results.intervals import CI_PROB, converged, interval
from intlmodels.results.wording import LEANING, LEAST, VERDICTS, claim_verdict, edge
from intlmodels.studies import DecayStudy, Study, twogroups
from intlmodels.studies.claims import (
    CANNOT,
    CONTRADICTED,
    HOLDS,
    ORIGINS,
    OURS,
    PAPER,
    POINTS,
    Array,
    Bools,
    Claim,
    Ends,
    Evidence,
    Finding,
    Ints,
    Part,
    plain,
)
from intlmodels.studies.counts import rows as rows_of

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


COLUMNS = (
    *("id", "claim", "origin", "where", "kind", "rule", "how", "verdict", "in_model", "open"),
    *("finding", "probability", "probability_error", "prior_probability", "pooled"),
    *("p_relevant", "p_negligible", "p_opposite", "effect_median", "effect_low", "effect_high"),
    *("effect_unit", "numbers", "reading", "note", "fit", "converged", "stands", "main"),
)
FAILED = "did not converge"
NOT_FITTED = "not fitted yet"
#: Where a text is silent, and that decides.
OPEN = "depends on what the text leaves out"
#: Before what was found under one reading of that.
IF_ABSENT = "if what is left out is absent: "
#: Claims that the first page names.
MOST_TOLD = 6
#: After a verdict that hangs on how words of the publication are read.
ON_ONE_READING = ", on one reading"
_HOLDS, _CONTRADICTED = (text.removesuffix(" {}") for text in (HOLDS, CONTRADICTED))
#: Facts, whatever it was that was printed.
_IN_PRINT = (_HOLDS, _CONTRADICTED)
#: Verdicts that another reading of the words may turn.
_DECIDED = (*_IN_PRINT, VERDICTS[0], VERDICTS[-1])
#: Verdicts in the order in which they are listed, as they begin.
_ORDER = (
    *_IN_PRINT,
    *VERDICTS,
    OPEN,
    NOT_FITTED,
    FAILED,
    CANNOT,
)
UNTESTABLE = "untestable"
#: What verdicts say of a claim, by how they begin.
_STANDINGS = {
    **dict.fromkeys((_CONTRADICTED, VERDICTS[-1]), "differs"),
    **dict.fromkeys((FAILED, NOT_FITTED), "missing"),
    **dict.fromkeys((*VERDICTS[1:-1], OPEN), "undecided"),
    **dict.fromkeys((_HOLDS, VERDICTS[0]), "agrees"),
    CANNOT: UNTESTABLE,
}
#: The same of a main finding, which stands as the first of these that one of its claims has.
STANDINGS = tuple(dict.fromkeys(_STANDINGS.values()))
#: The same of several claims.
_OF_SEVERAL = dict(
    zip(
        STANDINGS,
        ("differ", "have no verdict yet", "are undecided", "agree", "cannot be tested"),
        strict=True,
    )
)
#: Model -> the estimands of a fit: those stored with it, or computed now.
_ESTIMANDS: dict[str, Callable[[DataTree], Dataset]] = {
    "share": share.estimands_with_rows,
    "decay": decay.estimands,
}


def evaluate(study: Study, fits: Mapping[str, DataTree], prob: float = CI_PROB) -> pd.DataFrame:
    """Hold every claim of a study against its tables and fits.

    Parameters
    ----------
    study : Study
    fits : mapping of str to DataTree
        Fits by variant, the default among them; light ones will do
        (:func:`intlmodels.fitting.store.read_summary`) but for rules on coefficients.
    prob : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        ``id``, ``claim``, ``origin`` (``paper`` or ``ours``), ``where``, ``kind``, ``rule``,
        ``how`` (the rule in words), ``verdict``, ``in_model`` (what the posterior allows to say
        where the verdict is a fact), ``open`` (what follows under either, where a text is silent),
        ``finding`` (which counts do not fit, if the claim falls with them), ``probability``,
        ``probability_error`` (its Monte Carlo error; missing where it is exact),
        ``prior_probability`` (of the same before seeing data), ``pooled`` (the probability with all
        comparisons of frequencies partially pooled), ``p_relevant``, ``p_negligible``,
        ``p_opposite`` (of an effect above the ``least`` of the claim, of one within it, and of one
        above it the other way), ``effect_median``, ``effect_low``, ``effect_high``,
        ``effect_unit``, ``numbers`` (what was found, in words), ``reading`` (of the words, on which
        the verdict hangs), ``note``, ``fit`` (which was asked; empty if none), ``converged`` (true
        as well where no fit is needed), ``stands`` (in how many combinations of a multiverse; empty
        here), ``main`` (the main finding that it belongs to; empty if none).

    Raises
    ------
    StudyError
        If a claim names a variant, predictor, level or parameter that is not there.
    """
    import pandas as pd

    require_names(study)
    draws = {name: _Draws(name, fit, study.model, prob) for name, fit in fits.items()}
    evidence = Evidence(study, draws, prob)
    rows, pairs = [], {}
    for claim in study.claims:
        found, passed = _find(claim, evidence, fits)
        in_model, open_text = "", ""
        if claim.open and found.verdict == CANNOT:
            found, open_text = _under_either(claim, found, evidence, fits)
        elif found.verdict.startswith(_IN_PRINT) and not math.isnan(found.probability):
            in_model = verdict_of(found.probability)
        if claim.reading and found.verdict.startswith(_DECIDED):
            found = replace(found, verdict=f"{found.verdict}{ON_ONE_READING}")
        if found.pair is not None:
            pairs[claim.id] = found.pair
        found = replace(found, prior=_prior(claim, found, evidence, draws))
        rows.append(
            (
                *(claim.id, claim.text, claim.origin, claim.where, claim.kind, claim.rule.name),
                *(claim.rule.describe(claim, study), found.verdict, in_model, open_text, ""),
                *(found.probability, found.error, found.prior, math.nan),
                *(*found.sizes, found.median, found.low, found.high),
                *(found.unit, found.numbers, claim.reading, claim.note, found.fit, passed, ""),
                claim.main,
            )
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if len(pairs) > 1:
        together = dict(zip(pairs, twogroups.pooled(list(pairs.values())), strict=True))
        table["pooled"] = [together.get(name, math.nan) for name in table["id"]]
    fallen = _findings(study, table)
    table["finding"] = [fallen.get(name, "") for name in table["id"]]
    return table


def _findings(study: Study, table: pd.DataFrame) -> dict[str, str]:
    """Which counts do not fit, for the claims that are contradicted only since they do not.

    A claim on printed counts falls with them if every cheapest repair changes one that it names.
    """
    if not isinstance(study, DecayStudy):
        return {}
    texts = {count.id: count.text for count in study.counts}
    contradicted = set(table["id"][table["verdict"].str.startswith(_CONTRADICTED)])
    named = {
        claim.id: {name for _, name in claim.names("number")}
        for claim in study.claims
        if claim.id in contradicted
    }
    named = {claim: names for claim, names in named.items() if names and names <= set(texts)}
    if len(named) < 2:
        return {}
    repairs, _ = cheapest(rows_of(study.counts, study.firms, study.periods))
    either = suspects(repairs)
    said = ", and ".join(" or ".join(f"{texts[name]} ({name})" for name in one) for one in either)
    fallen = [
        claim
        for claim, names in named.items()
        if said and all(names & set(repair.changes) for repair in repairs)
    ]
    return dict.fromkeys(fallen, said) if len(fallen) > 1 else {}


def _find(claim: Claim, evidence: Evidence, fits: Mapping[str, DataTree]) -> tuple[Finding, bool]:
    """What the rule of a claim finds, and whether the fit that it asked converged."""
    if claim.rule.needs_fit and claim.fit not in fits:
        said = f"run intlmodels fit with --variants all, or {claim.fit}"
        return Finding(NOT_FITTED, numbers=said, fit=claim.fit), True
    found = claim.rule.evaluate(claim, evidence)
    passed = not found.fit or converged(fits[found.fit])
    verdict = found.verdict or verdict_of(found.probability, found.error)
    return replace(found, verdict=verdict if passed else FAILED), passed


def _prior(claim: Claim, found: Finding, evidence: Evidence, draws: Mapping[str, _Draws]) -> float:
    """Probability of a claim before seeing data; missing where the fit was read without its prior.

    Two groups with a model of their own are exchangeable.
    """
    if math.isnan(found.probability) or not math.isnan(found.prior):
        return found.prior
    if not found.fit:
        return 0.5
    own = draws[found.fit].prior
    if own is None:
        return math.nan
    return claim.rule.evaluate(claim, replace(evidence, fits={found.fit: own})).probability


def _under_either(
    claim: Claim, found: Finding, evidence: Evidence, fits: Mapping[str, DataTree]
) -> tuple[Finding, str]:
    """What follows of a claim if that of which texts are silent is absent, and if it is not."""
    absent, present = (
        _find(claim.taken_as(silent), evidence, fits)[0] for silent in ("absent", "present")
    )
    ends = claim.rule.extremes(claim, evidence)
    said = f"{_with_probability(absent)} if what the text leaves out is absent, "
    said += (
        f"otherwise {ends} is possible"
        if ends
        else f"{_with_probability(present)} if it is present"
    )
    if ends:
        found = replace(found, numbers=f"{IF_ABSENT}{absent.numbers}")
    return replace(found, verdict=OPEN, pair=absent.pair), said


def _with_probability(found: Finding) -> str:
    """A verdict with its probability, or with the one beside a fact."""
    if math.isnan(found.probability):
        return found.verdict
    said, probability = found.verdict, f.probability(found.probability)
    if said.startswith(_IN_PRINT):
        return f"{said} (model: {verdict_of(found.probability)}, {probability})"
    return f"{said} ({probability})"


def verdict_of(probability: float, error: float = math.nan) -> str:
    """What the posterior probability of a claim allows to say of it, and whether draws decide."""
    return claim_verdict(probability) + edge(probability, error)


# -- draws of a fit ------------------------------------------------------------------------


class _Draws:
    """Draws of a stored fit, see :class:`intlmodels.studies.claims.FitDraws`."""

    fall_after = FALL_AFTER

    def __init__(self, name: str, fit: DataTree, model: str, prob: float) -> None:
        self.name, self.fit, self.model, self.prob = name, fit, model, prob

    @cached_property
    def prior(self) -> _Draws | None:
        """Draws from the prior in place of those of the posterior; None where they are not read."""
        import xarray as xr

        if "prior" not in self.fit.children:
            return None
        groups = {"posterior": "prior", "constant_data": "constant_data"}
        found = {name: self.fit[own].to_dataset() for name, own in groups.items()}
        tree = xr.DataTree.from_dict(found)
        tree.attrs = dict(self.fit.attrs)
        tree["estimands"] = xr.DataTree(model_named(self.model).estimate(tree))
        return _Draws(self.name, tree, self.model, self.prob)

    @cached_property
    def estimands(self) -> Dataset:
        return _ESTIMANDS[self.model](self.fit)

    def __contains__(self, name: str) -> bool:
        return name in self.estimands

    def values(self, name: str, **labels: Any) -> Array:
        return flat(self.estimands[name].sel(labels))

    def labels(self, name: str) -> list[str]:
        return texts(self.estimands[name])

    def unit(self, name: str) -> str:
        return str(self.estimands[name].attrs["units"])

    def parameter(self, name: str) -> Array:
        return flat(self.fit["posterior"].to_dataset()[name])

    def membership(self, predictor: str) -> NDArray[np.bool_]:
        (block,) = (block for block in share.blocks(self.fit) if block["name"] == predictor)
        return share.membership(self.fit, block)

    def effect(
        self, predictor: str, levels: tuple[str, ...], at: Mapping[str, Any]
    ) -> tuple[Array, str]:
        (block,) = (block for block in share.blocks(self.fit) if block["name"] == predictor)
        if block["kind"] in share.NUMBERS:
            found = interpret.slopes(self.fit, predictor, at)
            unit = f"{found.draws.attrs['units']} per unit of {predictor}"
        else:
            high, low = levels or (block["settings"][-1], block["settings"][0])
            found = interpret.comparisons(self.fit, {predictor: [low, high]}, at)
            unit = str(found.draws.attrs["units"])
        draws = flat(found.draws)
        return draws.reshape(len(draws)), unit

    def curve(self, predictor: str) -> tuple[Array, Bools, Bools, str]:
        curves = interpret.quadratics(Coefficients(self.fit))
        (own,) = (own for own in curves if own.block["name"] == predictor)
        return own.turning, own.u, own.inverted, own.block["unit"]

    def with_level(self, claim: Claim, study: DecayStudy) -> tuple[Ends, Ints, Ints, str]:
        (attribute,), terms = claim.attributes.values(), claim.terms
        part = terms.get("of", Part("", study.periods))
        kind, name = ("group", part.size) if part.size else ("all", ALL)
        who = kind, name, study.groups[part.size] if part.size else study.firms
        cell = cell_of(study, attribute, terms["level"], who, part.periods, attribute.flags)
        found = audit_attribute(study, attribute, cost_of(study), [cell])
        bound = found.bounds[0] if found.bounds else (None, None)
        try:
            draws, before, _ = attributes.attribute_draws(study, found, self.fit)
        except StudyError as error:
            return bound, np.zeros(0, int), np.zeros(0, int), str(error)
        said = attributes.verdict_of(bound, draws[:, 0], before[:, 0], self.prob)
        why = "the totals alone leave it about as open" * (said == attributes.NOT_IDENTIFIED)
        return bound, draws[:, 0], before[:, 0], why

    def interval(self, draws: Array) -> tuple[float, float]:
        return interval(draws, self.prob)

    def judge(
        self,
        holds: NDArray[np.bool_],
        effect: Array,
        unit: str,
        numbers: str,
        kept: NDArray[np.bool_] | None = None,
        claim: Claim | None = None,
        sign: int = 1,
    ) -> Finding:
        kept = np.ones(len(holds), bool) if kept is None else kept
        least = None if claim is None else claim.terms.get("least")
        sizes: tuple[float, ...] = (math.nan,) * 3
        if claim is not None and (least is not None or unit == POINTS):
            margin = LEAST if least is None else least
            parts = (sign * effect > margin, np.abs(effect) <= margin, sign * effect < -margin)
            sizes = tuple(float(part[kept].mean()) for part in parts)
            holds = holds if least is None else parts[0]
            relevant, negligible, opposite = map(f.probability, sizes)
            numbers += (
                f"; more than {plain(margin)} {unit} as claimed: {relevant}, the other way: "
                f"{opposite}, neither: {negligible}"
            )
        probability = float(holds[kept].mean())
        # Of a ratio where draws are left out: how many hold over how many are kept.
        part = kept * (holds - probability)
        error = float(probability_error(part, self.estimands.sizes["chain"])) / float(kept.mean())
        median, (low, high) = float(np.median(effect[kept])), self.interval(effect[kept])
        return Finding(
            *("", probability, median, low, high, unit, numbers, self.name),
            error=error,
            sizes=sizes,
        )


# -- the ledger in words -------------------------------------------------------------------


def verdict_lines(ledger: pd.DataFrame) -> list[str]:
    """The claims that have each verdict, in words: those of the publication, then our own.

    Facts come first, then posteriors, then the rest. Claims that fall with the same counts are one.
    """
    lines = []
    for origin in ORIGINS:
        units = _units(ledger[ledger["origin"] == origin])
        by_verdict = {str(verdict): list(ids) for verdict, ids in units.groupby("verdict")["id"]}
        own = "our own: " if origin == OURS else ""
        lines += [
            f"{own}{verdict}: {len(by_verdict[verdict])} of {len(units)} "
            f"({', '.join(by_verdict[verdict])})"
            for verdict in sorted(by_verdict, key=_place)
        ]
    return lines


def _units(ledger: pd.DataFrame) -> pd.DataFrame:
    """Claims and their verdicts, with one row for all those that fall with the same counts."""
    together = [own or name for own, name in zip(ledger["finding"], ledger["id"], strict=True)]
    return ledger.groupby(together, sort=False).agg({"id": " + ".join, "verdict": "first"})


def finding_sentences(ledger: pd.DataFrame) -> list[str]:
    """Which claims fall with the same printed numbers."""
    return [
        "The published counts contradict each other, and the cheapest repairs change "
        f"{counts}. {f.listed(list(rows['id']))} rest on this contradiction and are counted once."
        for counts, rows in ledger[ledger["finding"] != ""].groupby("finding", sort=False)
    ]


def expected_wrong(ledger: pd.DataFrame) -> str:
    """How many of the verdicts on a probability are expected to be wrong; empty without any."""
    verdicts = zip(ledger["in_model"], ledger["verdict"], strict=True)
    none = (VERDICTS[2], FAILED)  # the third is uncertain
    undecided = np.array([(own or verdict).startswith(none) for own, verdict in verdicts], bool)
    decided = ledger[ledger["probability"].notna() & ~undecided]
    said = []
    for origin, whose in ((PAPER, "the paper's claims"), (OURS, "our own")):
        p = decided["probability"][decided["origin"] == origin]
        if len(p):
            wrong = f.significant(float(np.minimum(p, 1 - p).sum()), 2)
            said.append(f"{wrong} of {len(p)} ({whose})")
    if not said:
        return ""
    return (
        "Among verdicts that rest on a probability, the expected number of wrong ones is "
        f"{f.listed(said)}."
    )


def counts(ledger: pd.DataFrame) -> dict[str, int]:
    """How many claims stand how; those that fall with the same counts are one."""
    found = _units(ledger)["verdict"].map(standing).value_counts()
    return {own: int(found[own]) for own in STANDINGS if own in found}


def summary(ledger: pd.DataFrame) -> str:
    """How many claims of the publication and of our own stand how, in sentences."""
    said = []
    for origin, whose in ((PAPER, "the publication"), (OURS, "our own")):
        own = counts(ledger[ledger["origin"] == origin])
        if own:
            parts = f.listed([f"{number} {_OF_SEVERAL[name]}" for name, number in own.items()])
            said.append(f"Of {f.counted(sum(own.values()), 'claim')} of {whose}, {parts}.")
    return " ".join(said)


def told_by_fits(ledger: pd.DataFrame) -> list[str]:
    """Claims that the posterior decides or leans to, a line each, the most certain first."""
    probability = ledger["probability"].where(ledger["fit"] != "")
    far = (probability - 0.5).abs()
    shown = ledger[(far >= LEANING - 0.5) & ledger["verdict"].str.startswith(VERDICTS)]
    ordered = shown.loc[far[shown.index].sort_values(ascending=False, kind="stable").index]
    said = []
    for row in ordered.head(MOST_TOLD).itertuples(index=False):
        of = f"{row.id}, ours" if row.origin == OURS else row.id
        text = (
            f"{row.claim} ({of}): {verdict_text(row)}; probability {f.probability(row.probability)}"
        )
        if math.isfinite(row.effect_low + row.effect_high):
            decimals = f.decimals_for(row.effect_high - row.effect_low)
            span = f.span(row.effect_low, row.effect_high, decimals)
            text += f"; {f.number(row.effect_median, decimals)} ({span}) {row.effect_unit}"
        said.append(f"{text}.")
    return said


def _place(verdict: str) -> tuple[int, str]:
    """Where a verdict stands among the others."""
    start = max((text for text in _ORDER if verdict.startswith(text)), key=len)
    return _ORDER.index(start), verdict


def details(row: Any) -> str:
    """What belongs to the verdict on a claim, a row of the ledger: the model, either reading."""
    parts = (f"model: {row.in_model}" if row.in_model else "", row.stands, row.open)
    return "; ".join(filter(None, parts))


def verdict_text(row: Any) -> str:
    """The verdict on a claim, a row of the ledger, with its details."""
    return "; ".join(filter(None, (row.verdict, details(row))))


def standing(verdict: str) -> str:
    """What a verdict says of its claim: one of ``STANDINGS``."""
    return _STANDINGS[max((own for own in _STANDINGS if verdict.startswith(own)), key=len)]


def main_findings(ledger: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """The main findings of a publication, as the verdicts on their claims have them.

    One claim that differs is enough for a finding to differ, and it agrees only if every claim that
    can be tested does. It hangs on one reading if the claims that decide it do.

    Parameters
    ----------
    ledger : pandas.DataFrame

    Returns
    -------
    list of tuple
        Of every finding its text, how it stands (one of ``STANDINGS``, and whether on one reading),
        and its claims, rows of the ledger, those that decide first.
    """
    found = []
    for text, claims in ledger[ledger["main"] != ""].groupby("main", sort=False):
        places = claims["verdict"].map(lambda verdict: STANDINGS.index(standing(verdict)))
        stands = STANDINGS[places.min()]
        deciding = claims["verdict"][places == places.min()]
        on_one = [verdict.endswith(ON_ONE_READING) for verdict in deciding]
        if all(on_one) if stands == STANDINGS[0] else any(on_one):
            stands += ON_ONE_READING
        found.append((str(text), stands, claims.loc[places.sort_values(kind="stable").index]))
    return found


def finding_text(row: Any) -> str:
    """What was found for a claim, a row of the ledger: probability, numbers, reading and note."""
    together = "" if math.isnan(row.pooled) else f"pooled: {f.probability(row.pooled)}"
    parts = [together, f"read as: {row.reading}" if row.reading else "", row.note]
    numbers = str(row.numbers)
    for part in filter(None, parts):
        numbers = f"{numbers.rstrip('.')}. {part[0].upper()}{part[1:]}"
    if math.isnan(row.probability):
        return numbers
    name = "probability (no posterior)" if row.verdict == FAILED else "probability"
    prior = "" if math.isnan(row.prior_probability) else f.probability(row.prior_probability)
    said = f"{name} {f.probability(row.probability)}{f' (prior {prior})' * bool(prior)}"
    return f"{said}; {numbers}"
