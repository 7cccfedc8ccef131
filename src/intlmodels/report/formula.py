"""A model in mathematics, written from its design: MathML and TeX side by side."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from intlmodels.formats import MINUS, number
from intlmodels.models.design import VARYING, Block, Design
from intlmodels.report.blocks import Formula


@dataclass(frozen=True)
class Term:
    """A piece of a formula in both languages."""

    ml: str
    tex: str

    def __add__(self, other: Term) -> Term:
        return Term(self.ml + other.ml, f"{self.tex} {other.tex}")


def _op(symbol: str, tex: str = "") -> Term:
    return Term(f"<mo>{escape(symbol)}</mo>", tex or symbol)


def _var(symbol: str, tex: str = "") -> Term:
    return Term(f"<mi>{escape(symbol)}</mi>", tex or symbol)


def _num(text: str) -> Term:
    return Term(f"<mn>{escape(text)}</mn>", text.replace(MINUS, "-"))


def _name(text: str) -> Term:
    """A name of more than one letter, upright."""
    safe = "".join(f"\\{c}" if c in "_&%$#{}" else c for c in text)
    return Term(f"<mtext>{escape(text)}</mtext>", f"\\mathrm{{{safe}}}")


def _sub(base: Term, index: Term) -> Term:
    return Term(
        f"<msub><mrow>{base.ml}</mrow><mrow>{index.ml}</mrow></msub>",
        f"{{{base.tex}}}_{{{index.tex}}}",
    )


def _of(head: Term, *arguments: Term) -> Term:
    inside = arguments[0]
    for argument in arguments[1:]:
        inside = inside + _op(",") + argument
    return head + _op("(") + inside + _op(")")


_I, _K = _var("i"), _var("k")
_EQ, _PLUS, _MINUS, _TIMES, _DIST = (
    _op("="),
    _op("+"),
    _op(MINUS, "-"),
    _op("·", "\\cdot"),
    _op("∼", "\\sim"),
)
_R, _MU = _sub(_var("r"), _I), _sub(_var("μ", "\\mu"), _I)
_ETA = _sub(_var("η", "\\eta"), _I)
_PHI = _var("φ", "\\varphi")
_F = _var("F")
_PR = _of(_name("Pr"), _R)


def _slash(a: Term, b: Term) -> Term:
    return a + _op("/") + b


def _interval(width: float, index: str = "") -> list[Term]:
    """Ends of the interval that a printed share stands for."""
    half = _num(f"{width / 2:g}")
    low, high = _sub(_var("l" + index), _I), _sub(_var("u" + index), _I)
    hundred = _num("100")
    return [
        low
        + _EQ
        + _slash(_of(_name("max"), _num("0"), _R + _MINUS + half), hundred)
        + _op(",", ",\\quad")
        + high
        + _EQ
        + _slash(_of(_name("min"), hundred, _R + _PLUS + half), hundred)
    ]


def _beta(mean: Term = _MU) -> Term:
    one_less = _op("(") + _num("1") + _MINUS + mean + _op(")")
    return _of(_name("Beta"), mean + _TIMES + _PHI, one_less + _TIMES + _PHI)


def _mass() -> Term:
    return _of(_F, _sub(_var("u"), _I)) + _MINUS + _of(_F, _sub(_var("l"), _I))


def _outcome(design: Design, width: float) -> list[Term]:
    law = _F + Term("<mtext>&#160;is the CDF of&#160;</mtext>", "\\text{ is the CDF of }")
    if design.family == "density":
        y = _sub(_var("y"), _I)
        return [y + _DIST + _beta()]
    lines = _interval(width)
    if design.family == "logit-normal":
        normal = _of(_name("Normal"), _ETA, _name("sigma"))
        wrapped = Term("<mtext>the inverse logit of&#160;</mtext>", "\\text{the inverse logit of }")
        return [_PR + _EQ + _mass(), law + wrapped + normal, *lines]
    if design.family == "hurdle":
        never = _name("never")
        zero = never + _TIMES + _op("[") + _R + _EQ + _num("0") + _op("]")
        rest = _op("(") + _num("1") + _MINUS + never + _op(")") + _op("[") + _mass() + _op("]")
        return [_PR + _EQ + zero + _PLUS + rest, law + _beta(), *lines]
    if design.family == "heaped":
        heaping = _name("heaping")
        rest = _op("(") + _num("1") + _MINUS + heaping + _op(")") + _op("[") + _mass() + _op("]")
        coarse = heaping + _TIMES + _sub(_name("Pr"), _num(f"{2 * width:g}")) + _op("(")
        return [_PR + _EQ + rest + _PLUS + coarse + _R + _op(")"), law + _beta(), *lines]
    return [_PR + _EQ + _mass(), law + _beta(), *lines]


def _term(block: Block) -> Term:
    """What a block adds to the linear predictor of firm i."""
    name = _name(block.name)
    if block.kind == "membership":
        weight = _sub(_var("w"), _I + _K)
        total = Term("<munder><mo>∑</mo><mi>k</mi></munder>", "\\sum_k")
        return total + weight + _sub(name, _K)
    if block.kind in VARYING:
        return _sub(name, _of(_var("k"), _I))
    if block.kind == "monotonic":
        return name + _TIMES + _sub(_name("climb"), _of(_var("k"), _I))
    return name + _TIMES + _sub(_var("x" if block.kind == "contrast" else "z"), _I)


def formula(design: Design, width: float) -> Formula:
    """The model of one design.

    Parameters
    ----------
    design : Design
    width : float
        Rounding width in percentage points.
    """
    total = _name("intercept")
    for block in design.blocks:
        total = total + _PLUS + _term(block)
    left = _ETA if design.family == "logit-normal" else _of(_name("logit"), _MU)
    lines = [*_outcome(design, width), left + _EQ + total]
    for block in design.blocks:
        if block.kind in VARYING:
            spread = _of(_name("Normal"), _num("0"), _name(f"sigma_{block.name}"))
            lines.append(_sub(_name(block.name), _K) + _DIST + spread)
    return Formula(tuple(line.ml for line in lines), tuple(line.tex for line in lines))


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
