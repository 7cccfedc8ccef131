"""The decay model in mathematics, written from its design."""

from __future__ import annotations

from intlmodels.core.formats import a, plural
from intlmodels.models.decay.design import Design
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

_D, _F, _G, _T, _C = var("d"), var("f"), var("g"), var("t"), var("c")
_K = sub(var("k"), _D)


def _at(name: str, index: Term) -> Term:
    """An effect at the firm, size or period of decision d."""
    return sub(named(name), of(index, _D))


def _normal(mean: Term, spread: str) -> Term:
    return of(named("Normal"), mean, named(spread))


def formula(design: Design) -> Formula:
    """The model of one design: flags, effects, and how the counts weigh a table."""
    total = named("intercept")
    if design.two_sizes:
        total = total + PLUS + named("large") + TIMES + sub(var("x"), _D)
    total = total + PLUS + _at("firm", _F)
    if design.by_period:
        total = total + PLUS + _at("period", _T)
    step = {
        "linear": _K,
        "power": of(named("log"), num("1") + PLUS + _K),
        "step": op("[") + _K + op(">", "\\gt") + num("0") + op("]"),
    }[design.family]
    slope = named("decay_mean") if design.common else _at("decay", _G)
    flag = sub(var("y"), _D) + EQ + num("1")
    lines = [
        of(named("logit"), of(named("Pr"), flag)) + EQ + total + LESS + slope + TIMES + step,
        sub(named("firm"), _F) + DRAWN + _normal(num("0"), "sigma_firm"),
    ]
    if not design.common:
        mean = named("decay_mean")
        lines.append(sub(named("decay"), _G) + DRAWN + _normal(mean, "sigma_decay"))
    if design.by_period:
        lines.append(sub(named("period"), _T) + DRAWN + _normal(num("0"), "sigma_period"))
    if design.counts:
        off = op("|") + sub(var("r"), _C) + LESS + sub(var("m"), _C) + op("|")
        rho = var("ρ", "\\rho")
        power = Term(
            f"<msup><mrow>{rho.ml}</mrow><mrow>{off.ml}</mrow></msup>",
            f"{{{rho.tex}}}^{{{off.tex}}}",
        )
        product = Term("<munder><mo>∏</mo><mi>c</mi></munder>", "\\prod_c")
        weight = words("weight of a table") + EQ + words("its prior") + TIMES + product + power
        lines.append(weight)
    return formula_of(lines)


def symbols(design: Design, firm: str, event: str, flag: str) -> list[tuple[str, str]]:
    """What the symbols of :func:`formula` stand for, as (symbol, meaning)."""
    rows = [
        ("d", a(event)),
        ("y", f"1 if the {event} is {flag}, else 0"),
        ("f(d)", f"the {firm} that made it"),
        ("k", f"prior entries: earlier {plural(event)} of the same {firm}"),
    ]
    if design.two_sizes:
        rows += [
            ("x", f"1 for large {plural(firm)}, 0 for the others"),
            ("g(d)", "size, large or other"),
        ]
    if design.by_period:
        rows.append(("t(d)", "period"))
    if design.counts:
        rows += [
            ("r", "a published count"),
            ("m", "the same count in the table"),
            ("ρ", f"{design.rho:g}; for a count that is certain 0, so that it must hold"),
        ]
    return rows
