"""The models as formulas in TeX, written from their designs, with what the symbols mean."""

from __future__ import annotations

from intlmodels.core.formats import MINUS, a, number, plural
from intlmodels.models.decay.design import Design as DecayDesign
from intlmodels.models.share.design import CLUSTER, VARYING, Block
from intlmodels.models.share.design import Design as ShareDesign
from intlmodels.report.blocks import Formula


def _name(text: str) -> str:
    """A name upright; names consist of letters, digits and underscores."""
    return rf"\mathrm{{{text.replace('_', r'\_')}}}"


def _sub(base: str, index: str) -> str:
    return f"{{{base}}}_{{{index}}}"


def _normal(indexed: str, mean: str, sd: str) -> str:
    return rf"{indexed} \sim \mathrm{{Normal}} ( {mean} , {_name(sd)} )"


# -- the share model ---------------------------------------------------------------------

_BETA = r"\mathrm{Beta} ( {\mu}_{i} \cdot \varphi , ( 1 - {\mu}_{i} ) \cdot \varphi )"
_MASS = "F ( {u}_{i} ) - F ( {l}_{i} )"
#: Family -> likelihood of a share known up to rounding, and the distribution that F belongs to.
_ROUNDED = {
    "beta": (_MASS, _BETA),
    "logit-normal": (
        _MASS,
        r"\text{the inverse logit of } \mathrm{Normal} ( {\eta}_{i} , \mathrm{sigma} )",
    ),
    "hurdle": (
        rf"\mathrm{{never}} \cdot [ {{r}}_{{i}} = 0 ] + ( 1 - \mathrm{{never}} ) [ {_MASS} ]",
        _BETA,
    ),
    "heaped": (
        rf"( 1 - \mathrm{{heaping}} ) [ {_MASS} ] + "
        r"\mathrm{heaping} \cdot {\mathrm{Pr}}_{COARSE} ( {r}_{i} )",
        _BETA,
    ),
}
#: Family -> likelihood of an outcome that is taken as it is.
_EXACT = {
    "density": rf"{{y}}_{{i}} \sim {_BETA}",
    "binary": r"\mathrm{Pr} ( {y}_{i} = 1 ) = {\mu}_{i}",
    "ordered": r"\mathrm{logit} ( \mathrm{Pr} ( {y}_{i} \le  k ) ) = {c}_{k} - {\eta}_{i}",
}


def _likelihood(family: str, width: float) -> list[str]:
    if family in _EXACT:
        return [_EXACT[family]]
    chance, law = _ROUNDED[family]
    half = f"{width / 2:g}"
    return [
        rf"\mathrm{{Pr}} ( {{r}}_{{i}} ) = {chance.replace('COARSE', f'{2 * width:g}')}",
        rf"F \text{{ is the CDF of }} {law}",
        rf"{{l}}_{{i}} = \mathrm{{max}} ( 0 , {{r}}_{{i}} - {half} ) / 100 ,\quad "
        rf"{{u}}_{{i}} = \mathrm{{min}} ( 100 , {{r}}_{{i}} + {half} ) / 100",
    ]


def _effect(block: Block, clustered: bool) -> str:
    """What a block adds to the linear predictor of firm i."""
    if block.kind == "membership":
        return rf"\sum_k {{w}}_{{i k}} {_coefficient(block, clustered, 'k')}"
    if block.kind in VARYING:
        return _coefficient(block, clustered, "k ( i )")
    factor = {"monotonic": r"{\mathrm{climb}}_{k ( i )}", "contrast": "{x}_{i}"}
    return rf"{_coefficient(block, clustered)} \cdot {factor.get(block.kind, '{z}_{i}')}"


def _coefficient(block: Block, clustered: bool, level: str = "") -> str:
    """A coefficient, of a level where there are levels, and what the firm's cluster adds to it."""
    common = _sub(_name(block.name), level) if level else _name(block.name)
    if not clustered:
        return common
    index = f"c ( i ) , {level}" if level else "c ( i )"
    both = f"{common} + {_sub(_name(block.by_cluster), index)}"
    # A level takes its coefficient as it is; nothing is multiplied.
    return both if level and block.kind != "membership" else f"( {both} )"


def share_formula(design: ShareDesign, width: float) -> Formula:
    """The share model of one design, for shares rounded to ``width`` percentage points."""
    clustered = design.clusters is not None
    terms = [_name(design.intercept)] if design.intercept else []
    terms += [_sub(_name(CLUSTER), "c ( i )")] if clustered else []
    effects = [_effect(block, clustered) for block in design.blocks]
    # With clusters each effect has a line of its own: together they are wider than a page.
    below = effects if clustered else []
    total = " + ".join(terms if clustered else terms + effects) or "0"
    latent = design.family in ("logit-normal", "ordered")
    left = r"{\eta}_{i}" if latent else r"\mathrm{logit} ( {\mu}_{i} )"
    lines = [*_likelihood(design.family, width), f"{left} = {total}", *(f"+ {e}" for e in below)]
    drawn = [(block.name, "k") for block in design.blocks if block.kind in VARYING]
    if clustered:
        drawn.append((CLUSTER, "c"))
        drawn += [(b.by_cluster, "c , k" if b.kind in VARYING else "c") for b in design.blocks]
    lines += [_normal(_sub(_name(name), index), "0", f"sigma_{name}") for name, index in drawn]
    return Formula(tuple(lines))


def share_symbols(
    design: ShareDesign, width: float, firm: str, outcome: str
) -> list[tuple[str, str]]:
    """What the symbols of :func:`share_formula` stand for, as (symbol, meaning)."""
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
    forms = {"contrast": "xᵢ (for {})", "numeric": "zᵢ (for {})", "membership": "w, {}"}
    return forms.get(block.kind, "{}").format(block.name)


def _meaning(block: Block) -> str:
    what = block.label
    match block.kind:
        case "contrast":
            low, high = block.settings
            return f"{what}: +1/2 for {high}, {MINUS}1/2 for {low}"
        case "numeric":
            log = "log of " if block.transform == "log" else ""
            unit = f" in {block.unit}" if block.unit else ""
            gone = block.missing.size
            missing = f"; {gone} missing values are parameters" if gone else ""
            center, scale = number(block.center, 2), number(block.scale, 2)
            return f"({log}{what}{unit} {MINUS} {center}) / {scale}{missing}"
        case "membership":
            return f"weight of each level of {what} for firm i, and the effect of the level"
        case "monotonic":
            return f"{what}: how much of the whole effect is reached at its level (0 to 1)"
    levels = ", ".join(block.levels[:8])
    more = f" and {len(block.levels) - 8} more" if len(block.levels) > 8 else ""
    return f"effect of each of the {len(block.levels)} levels of {what}: {levels}{more}"


# -- the decay model ---------------------------------------------------------------------

#: Family -> what the decay is multiplied by.
_STEPS = {
    "linear": "{k}_{d}",
    "power": r"\mathrm{log} ( 1 + {k}_{d} )",
    "step": r"[ {k}_{d} \gt 0 ]",
}


def decay_formula(design: DecayDesign) -> Formula:
    """The decay model of one design: flags, effects, and how the counts weigh a table."""
    large = r" + \mathrm{large} \cdot {x}_{d}" * design.two_sizes
    period = r" + {\mathrm{period}}_{t ( d )}" * design.by_period
    terms = "".join(
        rf" + {{{_name(term.name)}}}_{{j ( d )}}"
        if term.varying
        else rf" + {_name(term.name)} \cdot {{{_name(f'x_{term.name}')}}}_{{d}}"
        for term in design.terms
    )
    slope = _name("decay_mean") if design.common else r"{\mathrm{decay}}_{g ( d )}"
    lines = [
        rf"\mathrm{{logit}} ( \mathrm{{Pr}} ( {{y}}_{{d}} = 1 ) ) = \mathrm{{intercept}}{large} + "
        rf"{{\mathrm{{firm}}}}_{{f ( d )}}{period}{terms} - {slope} \cdot "
        f"{_STEPS[design.family]}",
        _normal(r"{\mathrm{firm}}_{f}", "0", "sigma_firm"),
    ]
    if not design.common:
        lines.append(_normal(r"{\mathrm{decay}}_{g}", _name("decay_mean"), "sigma_decay"))
    if design.by_period:
        lines.append(_normal(r"{\mathrm{period}}_{t}", "0", "sigma_period"))
    lines += [
        _normal(rf"{{{_name(term.name)}}}_{{j}}", "0", f"sigma_{term.name}")
        for term in design.terms
        if term.varying
    ]
    if design.counts:
        lines.append(
            r"\text{weight of a table} = \text{its prior} \cdot \prod_c "
            r"{\rho}^{| {r}_{c} - {m}_{c} |}"
        )
    return Formula(tuple(lines))


def decay_symbols(design: DecayDesign, firm: str, event: str, flag: str) -> list[tuple[str, str]]:
    """What the symbols of :func:`decay_formula` stand for, as (symbol, meaning)."""
    rows = [
        ("d", a(event)),
        ("y", f"1 if the {event} is {flag}, else 0"),
        ("f(d)", f"the {firm} that made it"),
        ("k", f"prior entries: earlier {plural(event)} of the same {firm}"),
    ]
    if design.two_sizes:
        rows += [
            ("x", f"1 for {design.sizes[0]} {plural(firm)}, 0 for the others"),
            ("g(d)", f"size, {design.sizes[0]} or {design.sizes[1]}"),
        ]
    if design.by_period:
        rows.append(("t(d)", "period"))
    for term in design.terms:
        if term.varying:
            what = "group" if term.kind == "groups" else "level"
            rows.append((f"{term.name}[j(d)]", f"effect of the {what} of {term.label}"))
        elif term.kind == "contrast":
            high, low = reversed(term.levels)
            said = f"{term.label}: 1/2 for {high}, {MINUS}1/2 for {low}"
            rows.append((f"x_{term.name}", said))
        else:
            log, unit = "log of " * (term.transform == "log"), f" in {term.unit}" * bool(term.unit)
            center, scale = number(term.center, 2), number(term.scale, 2)
            said = f"({log}{term.label}{unit} {MINUS} {center}) / {scale}"
            rows.append((f"x_{term.name}", said))
    if design.counts:
        rows += [
            ("r", "a published count"),
            ("m", "the same count in the table"),
            ("ρ", f"{design.rho:g}; for a count that is certain 0, so that it must hold"),
        ]
    return rows
