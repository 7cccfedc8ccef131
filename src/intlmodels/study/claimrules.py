"""The rules by which claims are looked at, as data: what each takes, and what its keys name.

What a rule finds is worked out in :mod:`intlmodels.claims` and in the modules ``claims`` of the
models' packages; here is only what a study may write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from intlmodels.study.keys import NEEDED, PROSE, TEXT, Key, Keys

#: What sort of claim it is: what the ledger tells beside the rule.
KINDS = ("arithmetic", "share", "range", "comparison", "association", "trend", "proposition")


@dataclass(frozen=True)
class Rule:
    """A rule of the vocabulary.

    Attributes
    ----------
    keys : mapping of str to Key
        Its keys beside those of every claim.
    kind : str
        One of :data:`KINDS`, unless the claim says another.
    means : str
        When the claim holds, with the keys in backquotes; in brackets what stands in for a key
        that is left out.
    names : mapping of str to str
        Key to what its text names: ``number`` (an id of a printed number or count, or
        ``file: column`` for the sum of a column), ``group`` or ``column``.
    models : tuple of str
        Models whose studies may use it.
    """

    keys: Keys
    kind: str
    means: str
    names: Mapping[str, str]
    models: tuple[str, ...] = ("share", "decay")


_PERCENT = Key("number", within=(0, 100))
_NUMBER = Key("number")
_ABOVE_0 = Key("number", within=(1e-9, 1e9))
_WHOLE = Key("integer", within=(0, 10**9))
_NUMBERS = Key("texts", required=True)
_SIZE = Key("text", options=("large", "other"))
_PART = Key("tables", required=True)
#: Limits of a share, in percent: ``least`` and ``most`` may be reached, the others not.
_SHARE = dict.fromkeys(("least", "most", "above", "below"), _PERCENT)
_FIT = {"fit": TEXT}

#: Keys of every claim.
CLAIM = {
    "id": NEEDED,
    "text": Key("prose", required=True),
    "where": PROSE,
    "kind": Key("text", options=KINDS),
    "note": PROSE,
    "rule": NEEDED,
}
#: Some of the decisions: what ``a`` and ``b`` of the decay model hold.
CLAIM_PART = {"size": _SIZE, "periods": Key("texts")}

RULES: Mapping[str, Rule] = {
    # -- printed numbers
    "sum": Rule(
        {"counts": _NUMBERS, "total": _NUMBERS},
        "arithmetic",
        "the printed `counts` add up to the `total` (one or several on either side)",
        {"counts": "number", "total": "number"},
    ),
    "at most": Rule(
        {"counts": _NUMBERS, "total": _NUMBERS},
        "arithmetic",
        "the `counts` add up to no more than the `total`",
        {"counts": "number", "total": "number"},
    ),
    "more than": Rule(
        {"counts": _NUMBERS, "total": _NUMBERS},
        "arithmetic",
        "the `counts` add up to more than the `total`",
        {"counts": "number", "total": "number"},
    ),
    "share": Rule(
        {"part": _NUMBERS, "whole": _NUMBERS, **_SHARE},
        "share",
        "`part` is `least` to `most`, or `above` or `below`, so many percent of `whole`",
        {"part": "number", "whole": "number"},
    ),
    "largest": Rule(
        {"number": NEEDED, "among": _NUMBERS},
        "comparison",
        "a `number` is larger than each of those it is `among`",
        {"number": "number", "among": "number"},
    ),
    "growth": Rule(
        {
            "start": NEEDED,
            "end": NEEDED,
            "percent": replace(_NUMBER, required=True),
            "rounding_width": _ABOVE_0,
        },
        "arithmetic",
        "from `start` to `end` a number grew by `percent`, rounded to `rounding_width` (1)",
        {"start": "number", "end": "number"},
    ),
    "ratio": Rule(
        {"number": NEEDED, "over": NEEDED, "times": _NUMBER, "least": _NUMBER, "most": _NUMBER},
        "arithmetic",
        "a `number` (some `times` it) `over` another lies from `least` to `most`",
        {"number": "number", "over": "number"},
    ),
    "faster": Rule(
        {
            "number": NEEDED,
            "years": replace(_ABOVE_0, required=True),
            "against": NEEDED,
            "against_years": replace(_ABOVE_0, required=True),
        },
        "trend",
        "a `number` in so many `years` is more a year than another, `against`, in `against_years`",
        {"number": "number", "against": "number"},
    ),
    "higher proportion": Rule(
        {"part": NEEDED, "whole": NEEDED, "against": NEEDED, "against_whole": NEEDED},
        "association",
        "`part` of `whole` comes from a higher proportion than `against` of `against_whole`: "
        "posterior probability for the two proportions, with uniform priors",
        {
            "part": "number",
            "whole": "number",
            "against": "number",
            "against_whole": "number",
        },
    ),
    "row sums": Rule(
        {"parts": _NUMBERS, "total": NEEDED},
        "arithmetic",
        "in every row of a table the columns `parts` add up to the column `total`",
        {"parts": "column", "total": "column"},
    ),
    # -- rows of the printed tables
    "number of firms": Rule(
        {"of": NEEDED, "least": _WHOLE, "most": _WHOLE, "equal": _WHOLE},
        "arithmetic",
        "the group `of` has `least` to `most`, or `equal`, so many firms",
        {"of": "group"},
    ),
    "share of firms": Rule(
        {"part": NEEDED, "of": TEXT, **_SHARE},
        "share",
        "`part` of a group makes up so many percent `of` another (of all firms)",
        {"part": "group", "of": "group"},
    ),
    "every": Rule(
        {"of": TEXT, "is": NEEDED},
        "comparison",
        "all of the group `of` (all firms) belong to the group `is`",
        {"of": "group", "is": "group"},
    ),
    "present": Rule(
        {"groups": _NUMBERS},
        "comparison",
        "each of several `groups` has a firm at least",
        {"groups": "group"},
    ),
    "column sum": Rule(
        {"column": NEEDED, "of": NEEDED, "total": _NUMBERS},
        "arithmetic",
        "the numbers of a `column` add up, over the group `of`, to the `total`",
        {"column": "column", "of": "group", "total": "number"},
    ),
    "range": Rule(
        {
            "column": NEEDED,
            "smallest": replace(_NUMBER, required=True),
            "largest": replace(_NUMBER, required=True),
        },
        "range",
        "the numbers of a `column` run from `smallest` to `largest`",
        {"column": "column"},
    ),
    "labels": Rule(
        {"columns": _NUMBERS, "number": replace(_WHOLE, required=True)},
        "arithmetic",
        "in some `columns` a `number` of different labels are printed",
        {"columns": "column"},
    ),
    "higher average": Rule(
        {
            "column": NEEDED,
            "a": NEEDED,
            "b": TEXT,
            "average": Key("text", options=("mean", "median")),
        },
        "comparison",
        "the `average` (mean or median) of a `column` is higher in group `a` than in `b` (the "
        "others)",
        {"column": "column", "a": "group", "b": "group"},
    ),
    "more often": Rule(
        {"what": NEEDED, "among": NEEDED, "than": TEXT},
        "association",
        "the group `what` is more frequent `among` one group `than` in another (the others): "
        "posterior probability for the two proportions, with uniform priors",
        {"what": "group", "among": "group", "than": "group"},
    ),
    # -- the posterior of a share model
    "higher level": Rule(
        {**_FIT, "predictor": NEEDED, "levels": _NUMBERS, "against": Key("texts")},
        "comparison",
        "the average expected outcome at some `levels` of a `predictor` is higher than at "
        "those it is `against` (the others), the other predictors as observed",
        {},
        ("share",),
    ),
    "extreme level": Rule(
        {
            **_FIT,
            "predictor": NEEDED,
            "level": NEEDED,
            "end": Key("text", required=True, options=("lowest", "highest")),
        },
        "comparison",
        "a `level` of a `predictor` has the lowest or highest (`end`) average expected outcome",
        {},
        ("share",),
    ),
    "higher expected": Rule(
        {**_FIT, "a": NEEDED, "b": TEXT},
        "comparison",
        "firms of group `a` have a higher expected outcome on average than those of `b` (the "
        "others)",
        {"a": "group", "b": "group"},
        ("share",),
    ),
    "explains": Rule(
        {**_FIT, "predictor": NEEDED, "least": replace(_PERCENT, required=True)},
        "association",
        "a `predictor` explains at `least` so many percent of the variation between firms",
        {},
        ("share",),
    ),
    "effect": Rule(
        {
            **_FIT,
            "parameter": NEEDED,
            "sign": Key("text", required=True, options=("positive", "negative")),
        },
        "association",
        "a `parameter` of the fit is positive or negative (`sign`)",
        {},
        ("share",),
    ),
    # -- the posterior of a decay model
    "falls": Rule(
        {"size": _SIZE},
        "trend",
        "the flag becomes rarer with prior decisions, among firms of a `size` (of every size)",
        {},
        ("decay",),
    ),
    "falls more": Rule(
        {"size": replace(_SIZE, required=True)},
        "trend",
        "and more so among firms of this `size` than among the others",
        {},
        ("decay",),
    ),
    "higher share": Rule(
        {"a": _PART, "b": _PART},
        "comparison",
        "among the decisions in `a` a higher share carries the flag than among those in `b`; "
        "each names a `size`, `periods`, or both",
        {},
        ("decay",),
    ),
    "none": Rule({"a": _PART}, "trend", "no decision in `a` carries the flag", {}, ("decay",)),
    # -- neither
    "cannot": Rule(
        {"why": Key("prose", required=True)},
        "proposition",
        "what was published does not tell; `why` says what is missing",
        {},
    ),
}


def rules_of(model: str) -> dict[str, Rule]:
    """Rules that studies of a model may use."""
    return {name: rule for name, rule in RULES.items() if model in rule.models}
