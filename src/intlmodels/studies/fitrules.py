"""Rules that ask draws of a fit; and all rules, in the order in which they are listed.

Where every decision of a study is known, what a rule asks of the decisions is a fact, and no
probability is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats as f
from intlmodels.core.errors import did_you_mean, listed
from intlmodels.studies.claimrules import (
    CANNOT_RULE,
    GROUP,
    NO_FIRM,
    NOT_OF_EVERY,
    OTHER_GROUP,
    PERCENT,
    PRINTED_RULES,
    Numbered,
    OfRows,
    fact,
)
from intlmodels.studies.claims import (
    CANNOT,
    DEFAULT,
    POINTS,
    POSTERIOR,
    Array,
    Claim,
    Evidence,
    Finding,
    FitDraws,
    Naming,
    Part,
    Rule,
    required,
)
from intlmodels.studies.counts import FLAGS
from intlmodels.studies.schema import Key, Keys, wrong

if TYPE_CHECKING:
    from intlmodels.studies.base import Study
    from intlmodels.studies.decay import DecayStudy
    from intlmodels.studies.share import ShareStudy


def _middle(
    draws: Array, fit: FitDraws, decimals: int | None = None, significant: bool = False
) -> str:
    """Median and interval: ``23 (−3 to 45)``; digits as the spread of the draws allows."""
    if significant:  # in units that may be large or small
        with np.errstate(invalid="ignore"):
            median, ends = float(np.median(draws)), fit.interval(draws)
        return f"{f.significant(median, 2)} ({f.significant_span(*ends, 2)})"
    if decimals is None:
        decimals = min(f.decimals_for(float(np.ptp(np.quantile(draws, [0.025, 0.975])))), 2)
    low, high = fit.interval(draws)
    return f"{f.number(float(np.median(draws)), decimals)} ({f.span(low, high, decimals)})"


# -- of share models: levels of a predictor, groups of firms, parameters -------------------------

_FIT: Keys = {"fit": Naming("text", kind="variant")}
#: From which size on an effect counts, in the unit of the outcome: percentage points of shares.
_LEAST: Keys = {"least": Key("number", within=(0.0, 100.0))}
_BY_LEAST = ", by more than `least` points if that is given"
_PREDICTOR: Keys = {**_FIT, "predictor": Naming("text", True, kind="predictor")}


_SIGN = Key("text", True, ("positive", "negative"))
_VALUES = Naming("tables", kind="values")
#: Kinds of predictors that are numbers, and of those whose first and last level say enough.
_NUMBERS, _ORDERED = ("numeric", "spline"), ("contrast", "monotonic")


class _OfFit(Rule):
    needs_fit = True

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        return self.find(claim, evidence.study, evidence.fits[claim.fit])

    def find(self, claim: Claim, study: Any, fit: FitDraws) -> Finding:
        """What the draws of the fit that a claim asks say, of a study of the rule's model."""
        raise NotImplementedError


class _OfShares(_OfFit):
    kind = "comparison"
    models = ("share",)

    def printed(self, sides: Sequence[NDArray[np.bool_]], claim: Claim, study: ShareStudy) -> str:
        """What the tables print on average of two sets of firms, where shares are compared."""
        if claim.fit in study.outcomes:
            return ""
        shares = study.outcome.printed
        means = [f.percent(float(shares[which].mean()), 1) for which in sides if which.any()]
        return f"; reported on average {f.listed(means, 'against')}" if len(means) > 1 else ""

    def levels(self, claim: Claim, fit: FitDraws) -> tuple[list[str], Array]:
        """Levels of the predictor, and draws of their average expected outcomes, (draw, level)."""
        owners, levels = fit.labels("setting_predictor"), fit.labels("setting_level")
        places = [i for i, own in enumerate(owners) if own == claim.terms["predictor"]]
        return [levels[i] for i in places], fit.values("expected_share")[:, places]


class _HigherLevel(_OfShares):
    name = "higher level"
    means = (
        "the average expected outcome at some `levels` of a `predictor` is higher than at "
        f"those it is `against` (the others), the other predictors as observed{_BY_LEAST}"
    )
    words = (
        f"{POSTERIOR} the expected {{outcome}} is higher on average for {{levels}} than for "
        "{against}{margin} ({predictor}; other predictors as observed{variant})"
    )
    keys: ClassVar[Keys] = {
        **_PREDICTOR,
        **_LEAST,
        "levels": Naming("texts", True, kind="level"),
        "against": Naming("texts", kind="level"),
    }

    def find(self, claim: Claim, study: ShareStudy, fit: FitDraws) -> Finding:
        levels, shares = self.levels(claim, fit)
        first = list(claim.terms["levels"])
        second = list(claim.terms.get("against", [name for name in levels if name not in first]))
        stands = fit.membership(claim.terms["predictor"])
        weights = np.maximum(stands.sum(axis=0).astype(float), 1e-9)
        averages, firms = [], []
        for names in (first, second):
            at = [levels.index(name) for name in names]
            averages.append(np.average(shares[:, at], axis=1, weights=weights[at]))
            firms.append(stands[:, at].any(axis=1))
        off, unit = averages[0] - averages[1], fit.unit("difference")
        said = f"{f.listed(first)} against {f.listed(second)}: {_middle(off, fit)} {unit}"
        said += self.printed(firms, claim, study)
        return fit.judge(off > 0, off, unit, said, claim=claim)


class _ExtremeLevel(_OfShares):
    name = "extreme level"
    means = (
        "a `level` of a `predictor` has the lowest or highest (`end`) average expected outcome"
        f"{_BY_LEAST}"
    )
    words = (
        f"{POSTERIOR} {{level}} has the {{end}} expected {{outcome}} of all levels of {{predictor}}"
        "{margin}{variant}"
    )
    keys: ClassVar[Keys] = {
        **_PREDICTOR,
        **_LEAST,
        "level": Naming("text", True, kind="level"),
        "end": Key("text", True, ("lowest", "highest")),
    }

    def find(self, claim: Claim, study: ShareStudy, fit: FitDraws) -> Finding:
        level, end = claim.terms["level"], claim.terms["end"]
        levels, shares = self.levels(claim, fit)
        place = levels.index(level)
        others = np.delete(shares, place, axis=1)
        off = shares[:, place] - (others.min if end == "lowest" else others.max)(axis=1)
        unit = fit.unit("difference")
        said = f"{level} against the {end} of the others: {_middle(off, fit)} {unit}"
        sign = -1 if end == "lowest" else 1
        return fit.judge(sign * off > 0, off, unit, said, claim=claim, sign=sign)


class _HigherExpected(_OfShares, OfRows):
    name = "higher expected"
    means = (
        "firms of group `a` have a higher expected outcome on average than those of `b` (the "
        f"others){_BY_LEAST}"
    )
    words = f"{POSTERIOR} {{a}} have a higher expected {{outcome}} on average than {{b}}"
    words += "{margin}{variant}"
    keys: ClassVar[Keys] = {**_FIT, **_LEAST, "a": GROUP, "b": OTHER_GROUP}

    def find(self, claim: Claim, study: ShareStudy, fit: FitDraws) -> Finding:
        a = claim.group("a")
        b = claim.group("b", a.rest())
        if a.unknown or b.unknown:
            return Finding(CANNOT, numbers=NOT_OF_EVERY)
        one = "row" if "row_share" in fit else "firm"
        first, second = (np.isin(fit.labels(one), group.sure) for group in (a, b))
        if not first.any() or not second.any():
            return Finding(CANNOT, numbers=NO_FIRM)
        shares = fit.values(f"{one}_share")
        off = shares[:, first].mean(axis=1) - shares[:, second].mean(axis=1)
        unit = fit.unit("difference")
        said = f"{a.label} ({first.sum()}) against {b.label} ({second.sum()}): "
        said += f"{_middle(off, fit)} {unit}{self.printed((first, second), claim, study)}"
        return fit.judge(off > 0, off, unit, said, claim=claim)


class _Explains(_OfShares):
    name, kind = "explains", "association"
    means = "a `predictor` explains at `least` this percentage of the variation between firms"
    words = (
        f"{POSTERIOR} {{predictor}} explains at least {{least%}} of the variation between "
        "firms{variant}"
    )
    keys: ClassVar[Keys] = {**_PREDICTOR, "least": Key("number", True, within=PERCENT.within)}

    def find(self, claim: Claim, study: ShareStudy, fit: FitDraws) -> Finding:
        name, least = claim.terms["predictor"], claim.terms["least"]
        sources = fit.labels("source")
        if name not in sources:
            return Finding(CANNOT, numbers="with this many predictors it is not split")
        part = fit.values("variation")[:, sources.index(name)]
        said = f"{self.in_words('predictor', name, claim, study)}: {_middle(part, fit)}% of the "
        said += f"variation{required(claim.terms)}"
        return fit.judge(part >= least, part, "percent", said)


class _Effect(_OfShares):
    name, kind = "effect", "association"
    means = "a `parameter` of the fit is positive or negative (`sign`)"
    words = f"{POSTERIOR} the effect of {{parameter}} is {{sign}}{{variant}}"
    keys: ClassVar[Keys] = {
        **_FIT,
        "parameter": Naming("text", True, kind="parameter"),
        "sign": _SIGN,
    }

    def find(self, claim: Claim, study: ShareStudy, fit: FitDraws) -> Finding:
        name = claim.terms["parameter"]
        values = fit.parameter(name)
        holds = values > 0 if claim.terms["sign"] == "positive" else values < 0
        said = f"{name} {_middle(values, fit)}"
        # Where its predictor has an order, the difference between the ends says what it means.
        settings = zip(fit.labels("setting_predictor"), fit.labels("setting_level"), strict=True)
        levels = [level for own, level in settings if own == name]
        names = (fit.labels(f"comparison_{part}") for part in ("predictor", "level", "against"))
        compared = list(zip(*names, strict=True))
        ends = (name, levels[-1], levels[0]) if levels else ()
        if ends not in compared:
            return fit.judge(holds, values, "scale of the parameter", said)
        off, unit = fit.values("difference")[:, compared.index(ends)], fit.unit("difference")
        said += f" on the logit scale; {levels[-1]} against {levels[0]}: {_middle(off, fit)} {unit}"
        sign = 1 if claim.terms["sign"] == "positive" else -1
        return fit.judge(holds, off, unit, said, claim=claim, sign=sign)


class _AverageEffect(_OfShares):
    needs_coefficients = True
    name, kind = "average effect", "association"
    means = (
        "the average effect of a `predictor` on the expected outcome is positive or negative "
        "(`sign`): of a number the slope, else the difference of two `levels` (the last and the "
        "first), with all rows `at` some values (as observed); with `than`, this effect less the "
        "one at these other values"
    )
    words = f"{POSTERIOR} the average effect of {{predictor}}{{levels}}{{at}}{{than}} is "
    words += "{sign}{variant}"
    keys: ClassVar[Keys] = {
        **_PREDICTOR,
        "levels": Naming("texts", kind="level"),
        "sign": _SIGN,
        "at": _VALUES,
        "than": _VALUES,
    }
    #: What stands before these keys in the words.
    before: ClassVar = {"at": ", at ", "than": ", less that at "}
    stand_ins: ClassVar = dict.fromkeys(("levels", *before), "")

    def in_words(self, key: str, value: Any, claim: Claim, study: Study) -> str:
        if key == "levels":
            return f", {' against '.join(value)}"
        said = super().in_words(key, value, claim, study)
        return self.before.get(key, "") + said

    def check(self, claim: Claim, where: str) -> None:
        terms = claim.terms
        if "than" in terms and terms["than"] == terms.get("at"):
            raise wrong("expected other values than those of at", f"{where} than")
        if "levels" in terms and (len(terms["levels"]), len(set(terms["levels"]))) != (2, 2):
            raise wrong("expected two levels", f"{where} levels", list(terms["levels"]))

    def check_design(self, claim: Claim, where: str, design: Any) -> None:
        blocks = {block.name: block for block in design.blocks if block.settings}
        groups = {own.name: own.labels for own in design.groupings}
        name = claim.terms["predictor"]
        if name not in blocks:
            said = "this is a product, which follows from its predictors; expected one of "
            raise wrong(said + listed(blocks), f"{where} predictor", name)
        block = blocks[name]
        if block.kind in _NUMBERS and "levels" in claim.terms:
            raise wrong(f"{name} is a number; delete the key", f"{where} levels")
        few = block.kind in (*_NUMBERS, *_ORDERED) or len(block.settings) == 2
        if not few and "levels" not in claim.terms:
            said = f"key is missing; expected it, two of the levels of {name}: "
            raise wrong(said + listed(block.settings), f"{where} levels")
        for key, own in claim.names("values"):
            _check_value(own, claim.terms[key][own], f"{where} {key}", blocks, groups)
            if own == name and block.kind not in _NUMBERS:
                said = "expected other predictors than the one compared"
                raise wrong(said, f"{where} {key}", own)

    def find(self, claim: Claim, study: ShareStudy, fit: FitDraws) -> Finding:
        terms = claim.terms
        levels = terms.get("levels", ())
        effect, unit = fit.effect(terms["predictor"], levels, terms.get("at", {}))
        said = _middle(effect, fit, significant=True)
        if "than" in terms:
            other, _ = fit.effect(terms["predictor"], levels, terms["than"])
            effect = effect - other
            said += f" against {_middle(other, fit, significant=True)}"
            said += f"; difference {_middle(effect, fit, significant=True)}"
        sign = 1 if terms["sign"] == "positive" else -1
        return fit.judge(sign * effect > 0, effect, unit, f"{said} {unit}", claim=claim, sign=sign)


def _check_value(
    name: str, value: Any, where: str, blocks: Mapping[str, Any], groups: Mapping[str, Any]
) -> None:
    """Check that a predictor or grouping is there, and can have a value."""
    known = [*blocks, *groups]
    if name not in known:
        said = f"expected a predictor or grouping, one of {listed(known)}"
        raise wrong(said + did_you_mean(name, known), where, name)
    levels = groups[name] if name in groups else blocks[name].settings
    if name not in groups and blocks[name].kind in _NUMBERS:
        log = blocks[name].transform == "log"
        if not isinstance(value, float) or not math.isfinite(value) or (log and value <= 0):
            said = f"expected a number{' above 0' if log else ''}, without quotes"
            raise wrong(said, f"{where} {name}", value)
    elif value not in levels:
        near = did_you_mean(str(value), levels)
        raise wrong(f"expected one of {listed(levels)}{near}", f"{where} {name}", value)


class _Shape(_OfShares):
    needs_coefficients = True
    name, kind = "shape", "association"
    means = (
        "the quadratic curve of a `predictor` is a U or an inverted U (`shape`) within the "
        "observed range: its slopes at both ends have these signs"
    )
    words = f"{POSTERIOR} the curve of {{predictor}} is {{shape}} within the observed range"
    words += "{variant}"
    keys: ClassVar[Keys] = {**_PREDICTOR, "shape": Key("text", True, ("U", "inverted U"))}

    def check_design(self, claim: Claim, where: str, design: Any) -> None:
        name = claim.terms["predictor"]
        products = [product for block in design.blocks for product in block.of]
        if not any(one == other == (name, 0) for one, other in products):
            said = 'expected a predictor with curve = "quadratic"'
            raise wrong(said, f"{where} predictor", name)

    def in_words(self, key: str, value: Any, claim: Claim, study: Study) -> str:
        said = super().in_words(key, value, claim, study)
        return f"{'a' if value == 'U' else 'an'} {said}" if key == "shape" else said

    def find(self, claim: Claim, study: ShareStudy, fit: FitDraws) -> Finding:
        turning, u, inverted, unit = fit.curve(claim.terms["predictor"])
        inside = f.probability(float((u | inverted).mean()))
        said = f"it turns at {_middle(turning, fit, significant=True)} {unit}".rstrip()
        said += f", within the observed range with probability {inside}"
        with np.errstate(invalid="ignore"):  # where the square hardly counts, infinitely far away
            return fit.judge(u if claim.terms["shape"] == "U" else inverted, turning, unit, said)


# -- of decay models: known decisions, or those reconstructed from counts, draw by draw ------------

_PART = Key("tables", True)


class _OfDecisions(_OfFit):
    kind = "trend"
    models = ("decay",)

    def decisions(self, part: Part, study: DecayStudy, fit: FitDraws) -> Array:
        """Decisions in a part, (draw, flag); one row where all are known."""
        if "group_cell" in fit:
            labels = {"period_level": list(part.periods), "flag": list(FLAGS)}
            sizes = {"size": [part.size]} if part.size else {}
            return fit.values("group_cell", **labels, **sizes).sum(axis=(1, 2))
        if study.decisions is None:
            raise ValueError("a fit without a table of decisions, and no decisions in the study")
        firms = [i for i, own in enumerate(study.sizes) if part.size in ("", own)]
        periods = [study.periods.index(name) for name in part.periods]
        table = study.decisions.table(study.firms, study.periods)[np.ix_(firms, periods)]
        return table.sum(axis=(0, 1))[None].astype(float)


class _Falls(_OfDecisions):
    name = "falls"
    means = (
        "the flag becomes rarer with prior decisions, among firms of a `size` (of every size), or "
        'with `sizes = "average"` on average over the firms of all sizes'
        f"{_BY_LEAST}, after the number of decisions that is stated"
    )
    words = (
        f"{POSTERIOR} {{event}} {{flag}} become rarer with experience{{margin}}: {{size}} {{firms}}"
    )
    stand_ins: ClassVar = {"size": "every size of"}
    keys: ClassVar[Keys] = {
        "size": Key("text"),
        "sizes": Key("text", options=("every", "average")),
        **_LEAST,
    }

    def check(self, claim: Claim, where: str) -> None:
        if {"size", "sizes"} <= set(claim.terms):
            raise wrong("cannot be combined with size", f"{where} sizes", claim.terms["sizes"])

    def describe(self, claim: Claim, study: Study) -> str:
        said = super().describe(claim, study)
        return said.replace("every size of", "average of all") if _is_average(claim) else said

    def find(self, claim: Claim, study: DecayStudy, fit: FitDraws) -> Finding:
        sizes = [claim.terms["size"]] if "size" in claim.terms else fit.labels("size")
        decay, fall = (fit.values(name, size=sizes) for name in ("halvings", "fall"))
        after = f"fall after {f.counted(fit.fall_after, f'earlier {study.event}')}"
        if _is_average(claim):
            number = [study.sizes.count(size) if size != "all" else 1 for size in sizes]
            decay, fall = (np.average(one, axis=1, weights=number) for one in (decay, fall))
            said = f"{_middle(fall, fit, 0)} {POINTS} on average over "
            said += f.counted(len(study.firms), study.firm_label)
            return fit.judge(decay > 0, fall, POINTS, f"{after}: {said}", claim=claim)
        firms = f.plural(study.firm_label)
        whose = [firms if size == "all" else f"{size} {firms}" for size in sizes]
        each = [f"{_middle(fall[:, i], fit, 0)} {POINTS} for {own}" for i, own in enumerate(whose)]
        # Of several sizes the one that falls least decides.
        falls = (decay > 0).all(axis=1)
        said = f"{after}: {f.listed(each)}"
        return fit.judge(falls, fall.min(axis=1), POINTS, said, claim=claim)


def _is_average(claim: Claim) -> bool:
    return claim.terms.get("sizes") == "average"


class _FallsMore(_OfDecisions):
    name = "falls more"
    means = "and more so among firms of this `size` than among those of any other"
    words = f"{POSTERIOR} this decline is steeper among {{size}} {{firms}} than among any others"
    keys: ClassVar[Keys] = {"size": Key("text", True)}

    def find(self, claim: Claim, study: DecayStudy, fit: FitDraws) -> Finding:
        size = claim.terms["size"]
        others = [name for name in fit.labels("size") if name != size]
        more = fit.values("halvings", size=size) * math.log(2)
        # Of several others the one whose decay is largest decides.
        less = fit.values("halvings", size=others).max(axis=1) * math.log(2)
        unit = f"log odds {f.a(study.event)}"
        said = f"difference of the decays {_middle(more - less, fit, 2)} {unit}"
        return fit.judge(more > less, more - less, unit, said)


class _HigherShare(_OfDecisions):
    name, kind = "higher share", "comparison"
    means = (
        "among the decisions in `a` a higher share carries the flag than among those in `b`; "
        f"each names a `size`, `periods`, or both{_BY_LEAST}"
    )
    words = f"{POSTERIOR} {{a}} are more often {{flag}} than {{b}}{{margin}}"
    keys: ClassVar[Keys] = {"a": _PART, "b": _PART, **_LEAST}

    def check(self, claim: Claim, where: str) -> None:
        if claim.terms["a"] == claim.terms["b"]:
            raise wrong("expected other decisions than in a, to compare the two", f"{where} b")

    def find(self, claim: Claim, study: DecayStudy, fit: FitDraws) -> Finding:
        latent = "group_cell" in fit
        a, b = (self.decisions(claim.terms[key], study, fit) for key in ("a", "b"))
        kept = (a.sum(axis=1) > 0) & (b.sum(axis=1) > 0)
        without = f"no {study.event} in one of the two"
        if not kept.any():
            return Finding(CANNOT, numbers=without, fit=DEFAULT if latent else "")
        with np.errstate(invalid="ignore"):
            first, second = (100 * part[:, 1] / part.sum(axis=1) for part in (a, b))
        off = first - second
        if not latent:
            sides = [
                f"{flagged:.0f} of {no + flagged:.0f} ({f.percent(share[0])})"
                for (no, flagged), share in ((a[0], first), (b[0], second))
            ]
            holds = off[0] > claim.terms.get("least", 0)
            said = " against ".join(sides)
            return fact(holds, f.plural(study.event), float(off[0]), said, POINTS)
        medians = [f.percent(float(np.median(share[kept]))) for share in (first, second)]
        said = f"difference of the shares {_middle(off[kept], fit, 0)} {POINTS}; "
        said += f"medians {' against '.join(medians)}"
        if not kept.all():
            left_out = f.percent(100 * float(1 - kept.mean()), 1)
            said += f"; left out: {left_out} of the draws, with {without}"
        return fit.judge(off > 0, off, POINTS, said, kept, claim)


class _None(_OfDecisions):
    name = "none"
    means = "no decision in `a` carries the flag"
    words = f"{POSTERIOR} none of the {{a}} is {{flag}}"
    keys: ClassVar[Keys] = {"a": _PART}

    def find(self, claim: Claim, study: DecayStudy, fit: FitDraws) -> Finding:
        flagged = self.decisions(claim.terms["a"], study, fit)[:, 1]
        unit = f.plural(study.event)
        if "group_cell" not in fit:
            number = float(flagged[0])
            said = f"{f.counted(int(number), study.event)} {study.flag_label}"
            return fact(number == 0, unit, number, said, unit)
        said = f"{f.number(float(flagged.mean()), 1)} {unit} {study.flag_label} expected "
        said += f"({f.span(*fit.interval(flagged), 0)})"
        return fit.judge(flagged == 0, flagged, unit, said)


class _NumberOfDecisions(_OfDecisions, Numbered):
    needs_coefficients = True  # rather the tables, which only the whole fit has as well
    name, kind = "number of decisions", "arithmetic"
    means = (
        "the decisions with a `level` of an `attribute`, all or those `of` a size, of periods, "
        "or both, are `least` to `most`, or `equal` to a number: a fact where the counts "
        "decide, a probability where they say more than the totals alone"
    )
    words = "number of {of} with {level} ({attribute}): {limits}"
    stand_ins: ClassVar = {"of": "all decisions"}
    keys: ClassVar[Keys] = {
        "attribute": Naming("text", True, kind="attribute"),
        "level": Key("text", True),
        "of": Key("tables"),
        **Numbered.keys,
    }

    def check(self, claim: Claim, where: str) -> None:
        super().check(claim, where)
        own, level = claim.attributes[claim.terms["attribute"]], claim.terms["level"]
        if level not in own.answers:
            near = did_you_mean(level, own.answers)
            said = f"expected what is counted of {own.name}, one of {listed(own.answers)}{near}"
            raise wrong(said, f"{where} level", level)
        if "of" in claim.terms and level not in own.levels:
            said = f"expected none, as {level!r} is of all {own.label} together: delete the key"
            raise wrong(said, f"{where} of")

    def find(self, claim: Claim, study: DecayStudy, fit: FitDraws) -> Finding:
        (low, high), draws, before, why = fit.with_level(claim, study)
        low, high = low or 0, study.total if high is None else high
        unit = f.plural(study.event)
        said = f"{low} to {high}" if low < high else f"{low}"
        said += f" {unit} by the counts alone{required(claim.terms, '')}"
        decided = self.holds(claim, low, high)
        if decided is not None or why:
            said += f"; {why}" * (decided is None)
            return fact(decided, "counts", float(low), said, unit)
        holds, prior = (
            np.array([self.holds(claim, n, n) for n in one.tolist()], bool)
            for one in (draws, before)
        )
        said += f"; {_middle(draws.astype(float), fit, 0)} by the fit"
        found = fit.judge(holds, draws.astype(float), unit, said)
        return replace(found, prior=float(prior.mean()))


#: All rules by name.
RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        *PRINTED_RULES,
        *(_HigherLevel(), _ExtremeLevel(), _HigherExpected(), _Explains(), _Effect()),
        *(_AverageEffect(), _Shape()),
        *(_Falls(), _FallsMore(), _HigherShare(), _None(), _NumberOfDecisions()),
        CANNOT_RULE,
    )
}


def rules_of(model: str) -> dict[str, Rule]:
    """Rules that studies of a model may use."""
    return {name: rule for name, rule in RULES.items() if model in rule.models}
