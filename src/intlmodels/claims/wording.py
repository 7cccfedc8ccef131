"""The ledger in words: how a claim is checked, and what that gave."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from intlmodels.claims.facts import limits, plain
from intlmodels.claims.verdicts import CONTRADICTED, FAILED, HOLDS, WORDS
from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.study import DecayStudy, Study
from intlmodels.study.claims import Claim, Part

if TYPE_CHECKING:
    import pandas as pd


#: In whose name the probability is.
_POSTERIOR = "posterior probability"
#: Facts, whatever it was that was printed.
_IN_PRINT = {
    text.split(" the printed")[0]: told
    for text, told in ((HOLDS, "holds in print"), (CONTRADICTED, "contradicted in print"))
}


def verdict_lines(ledger: pd.DataFrame) -> list[str]:
    """The claims that have each verdict, in words: facts first, then posteriors, then the rest."""
    total = len(ledger)
    by_verdict = {str(verdict): list(ids) for verdict, ids in ledger.groupby("verdict")["id"]}
    order = sorted(by_verdict, key=lambda verdict: (_place(verdict), verdict))
    return [
        f"{verdict}: {len(by_verdict[verdict])} of {total} ({', '.join(by_verdict[verdict])})"
        for verdict in order
    ]


def summary(ledger: pd.DataFrame) -> str:
    """How many claims have each verdict, in a sentence; facts of all sources together."""
    words = ledger["verdict"].map(lambda text: str(text).split(" the printed")[0])
    counts = words.value_counts()
    order = sorted(counts.index, key=lambda verdict: (_place(verdict), verdict))
    said = [f"{_IN_PRINT.get(verdict, verdict)} {counts[verdict]}" for verdict in order]
    return (
        f"Of the publication, {f.counted(len(ledger), 'claim')} are held against what it printed "
        f"and against the fits, each by a rule of its own: {f.listed(said)}. All of them stand "
        "under claims of the study."
    )


def _place(verdict: str) -> int:
    """Where a verdict stands among the others."""
    return next(i for i, text in enumerate([*_IN_PRINT, *WORDS]) if verdict.startswith(text))


def printed_numbers(study: Study) -> list[tuple[str, str, str, str]]:
    """Counts and further numbers of a study: id, what it is, value with unit, and where."""
    counts = study.counts if isinstance(study, DecayStudy) else ()
    rows = [(count.id, count.text, str(count.value), count.where) for count in counts]
    rows += [
        (number.id, number.text, f"{plain(number.value)} {number.unit}".strip(), number.where)
        for number in study.numbers.values()
    ]
    return sorted(rows)


def found(row: Any) -> str:
    """What was found for a claim, a row of the ledger: probability, numbers and note."""
    numbers = f"{str(row.numbers).rstrip('.')}. {row.note}" if row.note else str(row.numbers)
    if math.isnan(row.probability):
        return numbers
    name = "probability (no posterior)" if row.verdict == FAILED else "probability"
    return f"{name} {f.probability(row.probability)}; {numbers}"


def how(claim: Claim, study: Study) -> str:
    """How a claim is checked.

    Parameters
    ----------
    claim : Claim
    study : Study

    Returns
    -------
    str
        One sentence without its stop.
    """
    return _HOW[claim.rule](claim.asked, study)


def _group(name: str | None, study: Study, without: str = "the others") -> str:
    return study.row_groups[name].label if name else without


def _sides(asked: dict[str, Any], relation: str) -> str:
    return f"{_plus(asked['counts'])} {relation} {_plus(asked['total'])}"


def _plus(names: Sequence[str]) -> str:
    return " + ".join(names)


def _in_fit(asked: dict[str, Any]) -> str:
    name = asked.get("fit", DEFAULT)
    return "" if name == DEFAULT else f", variant {name}"


def _part(part: Part, study: Study) -> str:
    who = f"of {part.size} firms" if part.size else "of all firms"
    return f"{f.plural(getattr(study, 'event', 'decision'))} {who}, {', '.join(part.periods)}"


def _averages(asked: dict[str, Any], study: Study) -> str:
    average = asked.get("average", "mean")
    a, b = _group(asked["a"], study), _group(asked.get("b"), study)
    return f"{average} of {asked['column']}: {a} above {b}"


def _levels(asked: dict[str, Any], study: Study) -> str:
    against = f.listed(list(asked["against"])) if "against" in asked else "the others"
    return (
        f"{_POSTERIOR} that the average expected value at {f.listed(list(asked['levels']))} is "
        f"above that at {against} ({asked['predictor']}, other predictors as observed"
        f"{_in_fit(asked)})"
    )


def _expected(asked: dict[str, Any], study: Study) -> str:
    return (
        f"{_POSTERIOR} that {_group(asked['a'], study)} have a higher expected value on average "
        f"than {_group(asked.get('b'), study)}{_in_fit(asked)}"
    )


def _often(asked: dict[str, Any], study: Study) -> str:
    return (
        f"{_POSTERIOR} that {_group(asked['what'], study)} are more frequent among "
        f"{_group(asked['among'], study)} than among {_group(asked.get('than'), study)} "
        "(two proportions, uniform priors)"
    )


_HOW: dict[str, Callable[[dict[str, Any], Study], str]] = {
    "sum": lambda a, s: _sides(a, "="),
    "at most": lambda a, s: _sides(a, "at most"),
    "more than": lambda a, s: _sides(a, "more than"),
    "share": lambda a, s: f"{_plus(a['part'])} of {_plus(a['whole'])}: {limits(a)}",
    "largest": lambda a, s: f"{a['number']} above {f.listed(list(a['among']))}",
    "growth": lambda a, s: f"from {a['start']} to {a['end']}: {f.percent(a['percent'])}",
    "ratio": lambda a, s: f"{a['number']} / {a['over']}: {limits(a, '')}",
    "faster": lambda a, s: (
        f"{a['number']} in {plain(a['years'])} years, above {a['against']} in "
        f"{plain(a['against_years'])}, a year"
    ),
    "higher proportion": lambda a, s: (
        f"{_POSTERIOR} that {a['part']} of {a['whole']} comes from a higher proportion than "
        f"{a['against']} of {a['against_whole']} (two proportions, uniform priors)"
    ),
    "row sums": lambda a, s: f"in every row, {_plus(a['parts'])} = {a['total']}",
    "number of firms": lambda a, s: f"number of {_group(a['of'], s)}: {limits(a, '')}",
    "share of firms": lambda a, s: (
        f"{_group(a['part'], s)} among {_group(a.get('of'), s, 'all')}: {limits(a)}"
    ),
    "every": lambda a, s: (
        f"{_group(a.get('of'), s, 'all firms')}: each of them among {_group(a['is'], s)}"
    ),
    "present": lambda a, s: f"at least one each: {f.listed([_group(g, s) for g in a['groups']])}",
    "column sum": lambda a, s: (
        f"sum of {a['column']} over {_group(a['of'], s)} = {_plus(a['total'])}"
    ),
    "range": lambda a, s: (
        f"{a['column']} runs from {plain(a['smallest'])} to {plain(a['largest'])}"
    ),
    "labels": lambda a, s: (
        f"different labels in {f.listed(list(a['columns']))}: {plain(a['number'])}"
    ),
    "higher average": _averages,
    "more often": _often,
    "higher level": _levels,
    "extreme level": lambda a, s: (
        f"{_POSTERIOR} that {a['level']} has the {a['end']} average expected value of all levels "
        f"of {a['predictor']}{_in_fit(a)}"
    ),
    "higher expected": _expected,
    "explains": lambda a, s: (
        f"{_POSTERIOR} that {a['predictor']} explains at least {f.percent(a['least'])} of the "
        f"variation between firms{_in_fit(a)}"
    ),
    "effect": lambda a, s: (
        f"{_POSTERIOR} that the parameter {a['parameter']} is {a['sign']}{_in_fit(a)}"
    ),
    "falls": lambda a, s: (
        f"{_POSTERIOR} that the decay of {a.get('size') or 'every size'} is above zero"
    ),
    "falls more": lambda a, s: f"{_POSTERIOR} that the decay of {a['size']} is the larger one",
    "higher share": lambda a, s: (
        f"{_POSTERIOR} that {_part(a['a'], s)}, carry the flag more often than {_part(a['b'], s)}"
    ),
    "none": lambda a, s: f"{_POSTERIOR} that none of {_part(a['a'], s)}, carries the flag",
    "cannot": lambda a, s: "nothing to check it with",
}
