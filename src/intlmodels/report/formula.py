"""The models as formulas in TeX, written from their designs, with what the symbols mean."""

from __future__ import annotations

from collections.abc import Sequence

from intlmodels.core.formats import (
    MINUS,
    a,
    amount,
    counted,
    in_unit,
    listed,
    lowered,
    number,
    plural,
)
from intlmodels.models.decay.design import Design as DecayDesign
from intlmodels.models.share.design import CLUSTER, FIRM, VARYING, Block
from intlmodels.models.share.design import Design as ShareDesign
from intlmodels.studies import Grouping, Outcome

#: Effects that stand in one line of the linear predictor.
MOST_EFFECTS = 6


def _name(text: str) -> str:
    """A name upright; names consist of letters, digits and underscores."""
    return rf"\mathrm{{{text.replace('_', r'\_')}}}"


def _sub(base: str, index: str) -> str:
    return f"{{{base}}}_{{{index}}}"


def _normal(indexed: str, mean: str, sd: str) -> str:
    return rf"{indexed} \sim \mathrm{{Normal}} ( {mean} , {_name(sd)} )"


# -- the share model ---------------------------------------------------------------------

_BETA = r"\mathrm{Beta} ( {\mu}_{i} \cdot PHI , ( 1 - {\mu}_{i} ) \cdot PHI )"
_MASS = "F ( {u}_{i} ) - F ( {l}_{i} )"
#: Family -> likelihood of a share known up to rounding, and the distribution that F belongs to.
_ROUNDED = {
    "beta": (_MASS, _BETA),
    "logit-normal": (
        _MASS,
        r"\text{the inverse logit of } \mathrm{Normal} ( {\eta}_{i} , \mathrm{sigma} )",
    ),
    "hurdle": (
        rf"NEVER \cdot [ {{r}}_{{i}} = 0 ] + ( 1 - NEVER ) [ {_MASS} ]",
        _BETA,
    ),
    "heaped": (
        rf"( 1 - \mathrm{{heaping}} ) [ {_MASS} ] + "
        r"\mathrm{heaping} \cdot {\mathrm{Pr}}_{COARSE} ( {r}_{i} )",
        _BETA,
    ),
    "ordered-beta": (
        rf"{{p}}_{{i}} \cdot [ {{l}}_{{i}} = 0 ] + {{q}}_{{i}} \cdot [ {{u}}_{{i}} = 1 ] + "
        rf"( 1 - {{p}}_{{i}} - {{q}}_{{i}} ) [ {_MASS} ]",
        _BETA,
    ),
}
#: Family -> likelihood of an outcome that is taken as it is.
_EXACT = {
    "density": rf"{{y}}_{{i}} \sim {_BETA}",
    "binary": r"\mathrm{Pr} ( {y}_{i} = 1 ) = {\mu}_{i}",
    "ordered": r"\mathrm{logit} ( \mathrm{Pr} ( {y}_{i} \le  k ) ) = {c}_{k} - {\eta}_{i}",
}
#: Chances of an exact 0 and an exact 100 of the family ``ordered-beta``.
_CUTS = (
    rf"\mathrm{{logit}} ( {{p}}_{{i}} ) = {_name('cut_zero')} - {{\eta}}_{{i}}",
    rf"\mathrm{{logit}} ( {{q}}_{{i}} ) = {{\eta}}_{{i}} - {_name('cut_zero')} - "
    + _name("cut_range"),
)


def _likelihood(design: ShareDesign, width: float) -> list[str]:
    own_phi, own_never = (
        _sub(symbol, "i") if terms else symbol
        for symbol, terms in ((r"\varphi", design.precision), (_name("never"), design.never))
    )

    def filled(text: str) -> str:
        return text.replace("PHI", own_phi).replace("NEVER", own_never)

    if design.family in _EXACT:
        return [filled(_EXACT[design.family])]
    chance, law = _ROUNDED[design.family]
    chance = filled(chance.replace("COARSE", f"{2 * width:g}"))
    lines = [
        rf"\mathrm{{Pr}} ( {{r}}_{{i}} ) = {chance}",
        rf"F \text{{ is the CDF of }} {filled(law)}",
        *(_CUTS if design.family == "ordered-beta" else ()),
    ]
    if width:
        half = f"{width / 2:g}"
        lines.append(
            rf"{{l}}_{{i}} = \mathrm{{max}} ( 0 , {{r}}_{{i}} - {half} ) / 100 ,\quad "
            rf"{{u}}_{{i}} = \mathrm{{min}} ( 100 , {{r}}_{{i}} + {half} ) / 100"
        )
    return lines


#: Kinds of blocks of which a row takes every coefficient by a weight of its own -> the weight.
_WEIGHTED = {"membership": "w", "spline": "b", "product": "p", "interaction": "p"}


def _effect(block: Block, groups: Sequence[Grouping] = ()) -> str:
    """What a block adds to the linear predictor of row i; ``groups``: those that it varies by."""
    if block.kind in _WEIGHTED:
        letter = _WEIGHTED[block.kind]
        if not block.levels:
            return rf"{_coefficient(block, groups)} \cdot {_sub(letter, 'i')}"
        return rf"\sum_k {_sub(letter, 'i k')} {_coefficient(block, groups, 'k')}"
    if block.kind in (*VARYING, "walk"):
        return _coefficient(block, groups, "k ( i )")
    factor = {"monotonic": r"{\mathrm{climb}}_{k ( i )}", "contrast": "{x}_{i}"}
    return rf"{_coefficient(block, groups)} \cdot {factor.get(block.kind, '{z}_{i}')}"


def _coefficient(block: Block, groups: Sequence[Grouping], level: str = "") -> str:
    """A coefficient, of a level where there are levels, and what groups add to it."""
    common = _sub(_name(block.name), level) if level else _name(block.name)
    if not groups:
        return common
    parts = [common]
    for grouping in groups:
        group = f"{_letter(grouping)} ( i )"
        index = f"{group} , {level}" if level else group
        parts.append(_sub(_name(block.by(grouping.name)), index))
    both = " + ".join(parts)
    # A level takes its coefficient as it is; nothing is multiplied.
    return both if level and block.kind not in _WEIGHTED else f"( {both} )"


def _letter(grouping: Grouping) -> str:
    """The function from rows to the groups of a grouping."""
    return {CLUSTER: "c", FIRM: "f"}.get(grouping.name, "g")


def _varying(design: ShareDesign, block: Block) -> list[Grouping]:
    """Groupings by which the effects of a block vary."""
    return [own for own in design.groupings if block in design.slopes(own)]


def share_formula(design: ShareDesign, width: float) -> tuple[str, ...]:
    """The share model of one design in lines of TeX.

    ``width``: of the rounding in percentage points; 0 where rows differ in it.
    """
    levels = [_sub(_name(own.name), f"{_letter(own)} ( i )") for own in design.groupings]
    effects = [_effect(block, _varying(design, block)) for block in design.blocks]
    terms = [*([_name(design.intercept)] if design.intercept else []), *levels]
    # With groups, or many effects, each has a line of its own: together they are wider than a page.
    below = effects if design.groupings or len(effects) > MOST_EFFECTS else []
    total = " + ".join(terms if below else terms + effects) or "0"
    latent = design.family in ("logit-normal", "ordered")
    left = r"{\eta}_{i}" if latent else r"\mathrm{logit} ( {\mu}_{i} )"
    if design.family == "ordered-beta":
        left += r" = {\eta}_{i}"
    lines = [*_likelihood(design, width), f"{left} = {total}", *(f"+ {e}" for e in below)]
    for symbol, start, further in (
        (r"\mathrm{log} ( {\varphi}_{i} )", r"\mathrm{log} ( \varphi )", design.precision),
        (
            r"\mathrm{logit} ( {\mathrm{never}}_{i} )",
            r"\mathrm{logit} ( \mathrm{never} )",
            design.never,
        ),
    ):
        if further:
            lines.append(f"{symbol} = {' + '.join([start, *map(_effect, further)])}")
    drawn: list[tuple[str, str]] = []
    for block in (*design.blocks, *design.precision, *design.never):
        if block.kind in VARYING:
            drawn.append((block.name, "k"))
        elif block.kind == "walk":
            name = _name(block.name)
            step = f"{_sub(name, 'k')} - {_sub(name, 'k - 1')}"
            lines.append(_normal(step, "0", f"sigma_{block.name}"))
    for own in design.groupings:
        letter = _letter(own)
        drawn.append((own.name, letter))
        drawn += [
            (b.by(own.name), f"{letter} , k" if b.levels and b.kind != "monotonic" else letter)
            for b in design.slopes(own)
        ]
    lines += [_normal(_sub(_name(name), index), "0", f"sigma_{name}") for name, index in drawn]
    return tuple(lines)


def share_symbols(design: ShareDesign, outcome: Outcome, row: str) -> list[tuple[str, str]]:
    """What the symbols of :func:`share_formula` stand for, as (symbol, meaning).

    ``row`` says what a row is called: firm, or row where firms repeat.
    """
    rows = [
        ("i", f"a {row}"),
        ("rᵢ", f"{outcome.label} as reported, in percent{_rounded(outcome)}"),
        ("lᵢ, uᵢ", "lower and upper end of the shares that round to rᵢ"),
        ("μᵢ", f"expected share of a {row} like i"),
        ("φ", "phi in the tables: precision of the shares around their expectation"),
        ("k(i)", f"the level of a predictor that {row} i has"),
    ]
    if outcome.bands:
        rows[2] = ("lᵢ, uᵢ", f"lower and upper end of what {row} i reports, from 0 to 1")
    if design.family == "logit-normal":
        rows[3:5] = [("ηᵢ", "centre of the share on the logit scale")]
    if design.family == "density":
        rows[1:3] = [("yᵢ", "reported share, squeezed into (0, 1)")]
    if not any(block.kind in (*VARYING, "monotonic", "walk") for block in design.blocks):
        rows.pop()
    if design.family == "ordered-beta":
        rows.append(("pᵢ, qᵢ", f"probability that {row} i has a share of exactly 0, or of 100%"))
    if outcome.weights is not None:
        rows.append(("vᵢ", f"weight of {row} i: the power to which its probability is raised"))
    rows += [(_symbol(block), _meaning(block, row)) for block in design.blocks]
    for block in (*design.precision, *design.never):
        rows.append((block.name, f"effect of {lowered(block.label)} on {block.name.split('_')[0]}"))
    for own in design.groupings:
        rows += _group_symbols(design, own, row)
    return rows


def _rounded(outcome: Outcome) -> str:
    """How shares were rounded, in words, after a comma."""
    if outcome.width:
        return f", rounded to {amount(outcome.width, 'percentage points')}"
    return ", in bands" if outcome.bands else ", each rounded as it is reported"


def _group_symbols(design: ShareDesign, own: Grouping, row: str) -> list[tuple[str, str]]:
    count, letter = f"{len(own.labels):,}", _letter(own)
    if own.name == CLUSTER:
        one, many = "cluster", "clusters"
        first = (f"{letter}(i)", f"the cluster of {row} i ({own.label})")
    else:
        one = lowered(own.label)
        many = f"groups by {one}" if own.name != FIRM else plural(one)
        first = (f"{letter}(i)", f"the {one} of {row} i")
    each = one if own.name in (CLUSTER, FIRM) else "group"
    found = [first, (own.name, f"what each of the {count} {many} adds to the level")]
    if design.slopes(own):
        found.append((f"…_by_{own.name}", f"what each {each} adds to the effect of that name"))
    if own.correlated:
        matrix = "level and effects of a group are correlated; their correlations are LKJ(2)"
        found.append((f"{own.name}_correlation", matrix))
    return found


def _symbol(block: Block) -> str:
    forms = {"contrast": "xᵢ (for {})", "numeric": "zᵢ (for {})", "membership": "w, {}"}
    forms |= {"spline": "b, {}", "product": "p, {}", "interaction": "p, {}"}
    return forms.get(block.kind, "{}").format(block.name)


def _meaning(block: Block, row: str = "firm") -> str:
    what = block.label
    match block.kind:
        case "contrast":
            low, high = block.settings
            return f"{what}: +1/2 for {high}, {MINUS}1/2 for {low}"
        case "numeric":
            log = "log of " if block.transform == "log" else ""
            unit = in_unit(block.unit)
            if block.name == f"{block.predictor}_within":
                what += " of the logarithms" if log else unit
                return f"({what}) / {number(block.scale, 2)}"
            gone = block.missing.size
            is_one = "is a parameter" if gone == 1 else "are parameters"
            missing = f"; {counted(gone, 'missing value')} {is_one}" if gone else ""
            center, scale = number(block.center, 2), number(block.scale, 2)
            return f"({log}{what}{unit} {MINUS} {center}) / {scale}{missing}"
        case "membership":
            return f"weight of each level of {what} for {row} i, and the effect of the level"
        case "monotonic":
            return f"{what}: how much of the whole effect is reached at its level (0 to 1)"
        case "spline":
            knots = ", ".join(number(knot, 2) for knot in block.knots)
            return f"{what}: a natural cubic spline, its basis at {row} i; knots at {knots}"
        case "product" | "interaction":
            factors = dict.fromkeys(
                " and ".join(dict.fromkeys(name for name, _ in pair)) for pair in block.of
            )
            return f"{what}: products of the codes of {'; '.join(factors)}"
        case "walk":
            return (
                f"{what}: a level for each of {len(block.levels)} periods, from "
                f"{block.levels[0]} to {block.levels[-1]}, their mean 0"
            )
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


def decay_formula(design: DecayDesign) -> tuple[str, ...]:
    """The decay model of one design: flags, effects, and how the counts weigh a table."""
    large = {
        "": "",
        "large": r" + \mathrm{large} \cdot {x}_{d}",
        "size_offset": rf" + {{{_name('size_offset')}}}_{{g ( d )}}",
    }[design.offset]
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
    return tuple(lines)


def decay_symbols(design: DecayDesign, firm: str, event: str, flag: str) -> list[tuple[str, str]]:
    """What the symbols of :func:`decay_formula` stand for, as (symbol, meaning)."""
    rows = [
        ("d", a(event)),
        ("y", f"1 if the {event} is {flag}, else 0"),
        ("f(d)", f"the {firm} that made it"),
        ("k", f"prior entries: earlier {plural(event)} of the same {firm}"),
    ]
    if design.offset == "large":
        rows.append(("x", f"1 for {design.sizes[0]} {plural(firm)}, 0 for the others"))
    elif design.by_size:
        said = f"what the size adds, 0 for {design.sizes[-1]} {plural(firm)}"
        rows.append(("size_offset[g(d)]", said))
    if design.by_size:
        rows.append(("g(d)", f"size, {listed([*design.sizes], 'or')}"))
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
            log, unit = "log of " * (term.transform == "log"), in_unit(term.unit)
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
