"""The share model in mathematics, written from its design."""

from __future__ import annotations

from intlmodels.core.formats import MINUS, number
from intlmodels.models.share.design import CLUSTER, VARYING, Block, Design
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

_I, _K, _C = var("i"), var("k"), var("c")
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


def _term(block: Block, clustered: bool) -> Term:
    """What a block adds to the linear predictor of firm i."""
    level = of(var("k"), _I)
    if block.kind == "membership":
        weight = sub(var("w"), _I + _K)
        total = Term("<munder><mo>∑</mo><mi>k</mi></munder>", "\\sum_k")
        return total + weight + _coefficient(block, clustered, _K)
    if block.kind in VARYING:
        return _coefficient(block, clustered, level)
    name = _coefficient(block, clustered)
    if block.kind == "monotonic":
        return name + TIMES + sub(named("climb"), level)
    return name + TIMES + sub(var("x" if block.kind == "contrast" else "z"), _I)


def _coefficient(block: Block, clustered: bool, level: Term | None = None) -> Term:
    """A coefficient, and what the firm's cluster adds to it; of a level where there are levels."""
    name = named(block.name)
    common = name if level is None else sub(name, level)
    if not clustered:
        return common
    index = of(_C, _I)
    own = sub(named(block.by_cluster), index if level is None else index + op(",") + level)
    both = op("(") + common + PLUS + own + op(")")
    # A level takes its coefficient as it is; nothing is multiplied.
    return both if level is None or block.kind == "membership" else common + PLUS + own


def formula(design: Design, width: float) -> Formula:
    """The model of one design.

    Parameters
    ----------
    design : Design
    width : float
        Rounding width in percentage points.
    """
    clustered = design.clusters is not None
    terms = [named(design.intercept)] if design.intercept else []
    terms += [sub(named(CLUSTER), of(_C, _I))] if clustered else []
    effects = [_term(block, clustered) for block in design.blocks]
    # With clusters each effect has a line of its own: together they are wider than a page.
    below = effects if clustered else []
    terms += [] if clustered else effects
    total = terms[0] if terms else num("0")
    for term in terms[1:]:
        total = total + PLUS + term
    latent = design.family in ("logit-normal", "ordered")
    left = _ETA if latent else of(named("logit"), _MU)
    lines = [*_outcome(design, width), left + EQ + total, *(PLUS + term for term in below)]
    for block in design.blocks:
        if block.kind in VARYING:
            lines.append(sub(named(block.name), _K) + DRAWN + _around_zero(block.name))
    if clustered:
        lines.append(sub(named(CLUSTER), _C) + DRAWN + _around_zero(CLUSTER))
        for block in design.blocks:
            index = _C + op(",") + _K if block.kind in VARYING else _C
            drawn = sub(named(block.by_cluster), index)
            lines.append(drawn + DRAWN + _around_zero(block.by_cluster))
    return formula_of(lines)


def _around_zero(name: str) -> Term:
    return of(named("Normal"), num("0"), named(f"sigma_{name}"))


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
    rows += [(_symbol(block), _meaning(block)) for block in design.blocks]
    if design.clusters is None:
        return rows
    return [
        *rows,
        ("c(i)", f"the cluster of {firm} i ({design.clusters.label})"),
        (CLUSTER, f"what each of the {len(design.clusters.labels)} clusters adds to the level"),
        (f"…_by_{CLUSTER}", "what each cluster adds to the effect of that name"),
    ]


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
