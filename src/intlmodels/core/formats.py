"""How numbers are written for people: no more digits than their uncertainty bears."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

#: Between a number and its unit: a line does not break there.
SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
#: Probabilities of a direction from which it is clear, and from which it is leaning.
CLEAR_AND_LEANING = (0.975, 0.9)
#: Unit of numbers that are dates: written without a separator and without their unit.
YEAR = "year"


def number(value: float, decimals: int = 1) -> str:
    """A number with fixed decimals and a true minus sign; never "-0".

    >>> number(-0.04), number(2.346, 2)
    ('0.0', '2.35')
    """
    if not math.isfinite(value):
        return DASH
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = f"{0:.{decimals}f}"
    return text.replace("-", MINUS)


def decimals_for(width: float) -> int:
    """Decimals that suit numbers known to within an interval of this width.

    The last digit is a fifth to a fiftieth of the width. The ends of a 95% interval from some
    thousand draws are known to about a seventieth of it: finer digits would change with the seed.

    >>> [decimals_for(width) for width in (30, 4, 0.5, 0.0)]
    [0, 1, 1, 3]
    """
    if not math.isfinite(width) or width <= 0:
        return 3
    return min(3, max(0, math.ceil(math.log10(5 / width) - 1e-9)))


def rounded(value: float, digits: int = 3) -> float:
    """A number cut down to a few significant digits."""
    return float(f"{value:.{digits}g}")


def significant(value: float, digits: int = 3) -> str:
    """A number with a few significant digits, as parameters are written.

    >>> significant(0.012345), significant(-1234.5), significant(0.0)
    ('0.0123', '−1234', '0')
    """
    if not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return number(value, decimals)


def amount(value: float, unit: str = "") -> str:
    """A number with its unit, as in a sentence: at most six digits, thousands separated.

    >>> amount(10000, "dollars"), amount(-0.25), amount(1, "years"), amount(1998, "year")
    ('10,000 dollars', '−0.25', '1 year', '1998')
    """
    if unit == YEAR:
        return f"{value:.6g}"
    if value != 0 and not 1e-6 <= abs(value) < 1e15:
        text = f"{value:.6g}"
    else:
        digits = 0 if value == 0 else max(0, 5 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return with_unit(text.replace("-", MINUS), unit)


def about(value: float, unit: str = "") -> str:
    """An amount cut down to three significant digits, a date to the year.

    >>> about(1234.5, "dollars"), about(1965.3, "year")
    ('1,230 dollars', '1965')
    """
    return amount(rounded(value, 4 if unit == YEAR else 3), unit)


def unit_of_differences(unit: str) -> str:
    """The unit of differences between amounts: ten percent more of a percentage is another thing.

    >>> unit_of_differences("percent"), unit_of_differences("year"), unit_of_differences("pupils")
    ('percentage points', 'years', 'pupils')
    """
    return {"percent": "percentage points", YEAR: "years"}.get(unit, unit)


def bare(unit: str) -> str:
    """The unit of numbers that are written without their unit: dates remain dates."""
    return YEAR if unit == YEAR else ""


def in_brackets(unit: str) -> str:
    """A unit behind what it is the unit of; that dates are years goes without saying."""
    return f" ({unit})" if unit not in ("", YEAR) else ""


def in_unit(unit: str) -> str:
    """The same in words."""
    return f" in {unit}" if unit not in ("", YEAR) else ""


#: The noun that is counted: the first word before a preposition or at the end.
_NOUN = re.compile(r"[^\W\d]+(?= (?:per|of|in|at|with|since|for|from|to|a)\b| \(|$)")
#: Nouns that do not follow the rules, and those that have the same form for one and many.
_ONE = {"people": "person", "series": "series", "species": "species"}


def with_unit(text: str, unit: str) -> str:
    """A number as it is written, with its unit; of one thing the unit is in the singular.

    >>> with_unit("1", "percentage points"), with_unit("1", "million euros")
    ('1 percentage point', '1 million euros')
    >>> with_unit("6,260", "1997 dollars")
    '6,260 (1997 dollars)'
    """
    if not unit:
        return text
    if unit[0].isdigit():
        return f"{text} ({unit})"
    several = unit.startswith(("thousand ", "million ", "billion ", "hundred "))
    if text.lstrip(MINUS) == "1" and not several:
        unit = _NOUN.sub(lambda noun: _singular(noun[0]), unit, count=1)
    return f"{text} {unit}"


def _singular(noun: str) -> str:
    if noun in _ONE:
        return _ONE[noun]
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    if noun.endswith(("sses", "xes", "ches", "shes")):
        return noun[:-2]
    return noun if noun.endswith(("ss", "us", "is")) else noun.removesuffix("s")


def percent(value: float, decimals: int = 0) -> str:
    """A share in percent."""
    return f"{number(value, decimals)}%"


def probability(value: float) -> str:
    """A probability from draws: never quite 0 or 1, and never rounded across a limit of verdicts.

    >>> probability(1.0), probability(0.98765), probability(0.5), probability(0.897)
    ('> 0.999', '0.99', '0.50', '0.897')
    """
    if not math.isfinite(value):
        return DASH
    if value > 0.999:
        return "> 0.999"
    if value < 0.001:
        return "< 0.001"
    texts = [f"{value:.{n}f}" for n in range(3 if value > 0.99 or value < 0.01 else 2, 7)]
    return next((text for text in texts if _passed(float(text)) == _passed(value)), texts[-1])


def _passed(value: float) -> list[bool]:
    """Which limits a probability passes, in either direction."""
    return [p >= limit for p in (value, 1 - value) for limit in CLEAR_AND_LEANING]


def span(low: float, high: float, decimals: int | None = None) -> str:
    """The two ends of an interval in words: ``−3 to 12``."""
    decimals = decimals_for(high - low) if decimals is None else decimals
    return f"{number(low, decimals)}{SPACE}to{SPACE}{number(high, decimals)}"


def significant_span(low: float, high: float, digits: int = 3) -> str:
    """The two ends of an interval of a parameter, on its own scale."""
    return f"{significant(low, digits)}{SPACE}to{SPACE}{significant(high, digits)}"


def interval_name(prob: float, kind: str = "eti") -> str:
    """Kind and probability of an interval in words: ``95% equal-tailed interval``."""
    kinds = {"eti": "equal-tailed interval", "hdi": "highest-density interval"}
    return f"{100 * prob:g}% {kinds[kind]}"


def listed(words: list[str], last: str = "and") -> str:
    """Words as a sentence lists them: a, b and c."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def lowered(text: str) -> str:
    """A label within a sentence; one that begins with an abbreviation stays as it is.

    >>> lowered("Product line"), lowered("FDI abroad")
    ('product line', 'FDI abroad')
    """
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def capital(text: str) -> str:
    """A text at the start of a sentence or as a title."""
    return text[:1].upper() + text[1:]


def label_for(column: str) -> str:
    """A label for a column where the study gives none; the unit of shares is told elsewhere.

    >>> label_for("export_share"), label_for("Export share (%)"), label_for("iPhone sales")
    ('Export share', 'Export share', 'iPhone sales')
    """
    words = re.sub(r"_+|(?<=\w)\.(?=\w)", " ", column).strip()
    words = re.sub(r"\s*(\(%\)|%|\bpct|\b(in )?percent)$", "", words) or words
    return capital(words) if words[1:2].islower() else words


def plural(noun: str) -> str:
    """The plural of an English noun, by the common rules.

    >>> plural("firm"), plural("company"), plural("business")
    ('firms', 'companies', 'businesses')
    """
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def a(noun: str) -> str:
    """A noun with its indefinite article, by the common rule.

    >>> a("decision"), a("acquisition")
    ('a decision', 'an acquisition')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 firm, 2 firms."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def some(items: Iterable[str], most: int = 6) -> str:
    """Items as a sentence lists them, the last of many as a number.

    >>> some("abcd", 2), some(["a, b", "c"])
    ('a, b and 2 more', 'a, b; c')
    """
    every = list(items)
    shown = every[:most] + [f"{len(every) - most} more"] * (len(every) > most)
    return "; ".join(shown) if any("," in item for item in every) else listed(shown)


def in_words(name: str) -> str:
    """A parameter as a reader sees it, which a line can break at blanks.

    >>> in_words("product[Precision Optics]"), in_words("phi")
    ('product: Precision Optics', 'phi')
    """
    return name.replace("[", ": ", 1).removesuffix("]") if "[" in name else name
