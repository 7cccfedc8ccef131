"""The share model in mathematics, written from its design."""

from __future__ import annotations

from intlmodels.formats import MINUS, number
from intlmodels.models.sharedesign import VARYING, Block, Design
from intlmodels.report.blocks import Formula
from intlmodels.report.formula import (
    DRAWN,
    EQ,
    LESS,
    PLUS,
    TIMES,
    Term,
    formula_of,
    named,
    num,
    of,
    op,
    sub,
    var,
    words,
)

_I, _K = var("i"), var("k")
_Y = sub(var("y"), _I)
_R, _MU = sub(var("r"), _I), sub(var("μ", "\\mu"), _I)
_ETA = sub(var("η", "\\eta"), _I)
_PHI = var("φ", "\\varphi")
_F = var("F")
_PR = of(named("Pr"), _R)


def _slash(a: Term, b: Term) -> Term:
    return a + op("/") + b


def _interval(width: float, index: str = "") -> list[Term]:
    """Ends of the interval that a printed share stands for."""
    half = num(f"{width / 2:g}")
    low, high = sub(var("l" + index), _I), sub(var("u" + index), _I)
    hundred = num("100")
    return [
        low
        + EQ
        + _slash(of(named("max"), num("0"), _R + LESS + half), hundred)
        + op(",", ",\\quad")
        + high
        + EQ
        + _slash(of(named("min"), hundred, _R + PLUS + half), hundred)
    ]


def _beta(mean: Term = _MU) -> Term:
    one_less = op("(") + num("1") + LESS + mean + op(")")
    return of(named("Beta"), mean + TIMES + _PHI, one_less + TIMES + _PHI)


def _mass() -> Term:
    return of(_F, sub(var("u"), _I)) + LESS + of(_F, sub(var("l"), _I))


def _outcome(design: Design, width: float) -> list[Term]:
    law = _F + words(" is the CDF of ")
    if design.family == "density":
        return [_Y + DRAWN + _beta()]
    if design.family == "binary":
        return [of(named("Pr"), _Y + EQ + num("1")) + EQ + _MU]
    if design.family == "ordered":
        chance = of(named("Pr"), _Y + op("≤", "\\le ") + _K)
        return [of(named("logit"), chance) + EQ + sub(var("c"), _K) + LESS + _ETA]
    lines = _interval(width)
    if design.family == "logit-normal":
        normal = of(named("Normal"), _ETA, named("sigma"))
        wrapped = words("the inverse logit of ")
        return [_PR + EQ + _mass(), law + wrapped + normal, *lines]
    if design.family == "hurdle":
        never = named("never")
        zero = never + TIMES + op("[") + _R + EQ + num("0") + op("]")
        rest = op("(") + num("1") + LESS + never + op(")") + op("[") + _mass() + op("]")
        return [_PR + EQ + zero + PLUS + rest, law + _beta(), *lines]
    if design.family == "heaped":
        heaping = named("heaping")
        rest = op("(") + num("1") + LESS + heaping + op(")") + op("[") + _mass() + op("]")
        coarse = heaping + TIMES + sub(named("Pr"), num(f"{2 * width:g}")) + op("(")
        return [_PR + EQ + rest + PLUS + coarse + _R + op(")"), law + _beta(), *lines]
    return [_PR + EQ + _mass(), law + _beta(), *lines]


def _term(block: Block) -> Term:
    """What a block adds to the linear predictor of firm i."""
    name = named(block.name)
    if block.kind == "membership":
        weight = sub(var("w"), _I + _K)
        total = Term("<munder><mo>∑</mo><mi>k</mi></munder>", "\\sum_k")
        return total + weight + sub(name, _K)
    if block.kind in VARYING:
        return sub(name, of(var("k"), _I))
    if block.kind == "monotonic":
        return name + TIMES + sub(named("climb"), of(var("k"), _I))
    return name + TIMES + sub(var("x" if block.kind == "contrast" else "z"), _I)


def formula(design: Design, width: float) -> Formula:
    """The model of one design.

    Parameters
    ----------
    design : Design
    width : float
        Rounding width in percentage points.
    """
    terms = [named(design.intercept)] if design.intercept else []
    terms += [_term(block) for block in design.blocks] or ([] if terms else [num("0")])
    total = terms[0]
    for term in terms[1:]:
        total = total + PLUS + term
    latent = design.family in ("logit-normal", "ordered")
    left = _ETA if latent else of(named("logit"), _MU)
    lines = [*_outcome(design, width), left + EQ + total]
    for block in design.blocks:
        if block.kind in VARYING:
            spread = of(named("Normal"), num("0"), named(f"sigma_{block.name}"))
            lines.append(sub(named(block.name), _K) + DRAWN + spread)
    return formula_of(lines)


def symbols(design: Design, width: float, firm: str, outcome: str) -> list[tuple[str, str]]:
    """What the symbols of :func:`formula` stand for, as (symbol, meaning)."""
    rows = [
        ("i", f"a {firm}"),
        ("rᵢ", f"{outcome} as printed, in percent, rounded to {width:g} percentage points"),
        ("lᵢ, uᵢ", "lower and upper end of the shares that round to rᵢ"),
        ("μᵢ", f"expected share of a {firm} like i"),
        ("φ", "phi in the tables: precision of the shares around their expectation"),
        ("k(i)", f"the level of a predictor that {firm} i has"),
    ]
    if design.family == "logit-normal":
        rows[3:5] = [("ηᵢ", "centre of the share on the logit scale")]
    if design.family == "density":
        rows[1:3] = [("yᵢ", "printed share, squeezed into (0, 1)")]
    if not any(block.kind in (*VARYING, "monotonic") for block in design.blocks):
        rows.pop()
    return rows + [(_symbol(block), _meaning(block)) for block in design.blocks]


def _symbol(block: Block) -> str:
    if block.kind == "contrast":
        return f"xᵢ (for {block.name})"
    if block.kind == "numeric":
        return f"zᵢ (for {block.name})"
    if block.kind == "membership":
        return f"w, {block.name}"
    return block.name


def _meaning(block: Block) -> str:
    what = block.label
    if block.kind == "contrast":
        low, high = block.settings
        return f"{what}: +1/2 for {high}, {MINUS}1/2 for {low}"
    if block.kind == "numeric":
        log = "log of " if block.transform == "log" else ""
        unit = f" in {block.unit}" if block.unit else ""
        gone = block.missing.size
        return (
            f"({log}{what}{unit} {MINUS} {number(block.center, 2)}) / {number(block.scale, 2)}"
            + (f"; {gone} missing values are parameters" if gone else "")
        )
    if block.kind == "membership":
        return f"weight of each level of {what} for firm i, and the effect of the level"
    if block.kind == "monotonic":
        return f"{what}: how much of the whole effect is reached at its level (0 to 1)"
    shown = ", ".join(block.levels[:8])
    more = f" and {len(block.levels) - 8} more" if len(block.levels) > 8 else ""
    return f"effect of each of the {len(block.levels)} levels of {what}: {shown}{more}"
