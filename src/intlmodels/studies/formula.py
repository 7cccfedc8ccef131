"""Formulas in the dialect of lme4, as tables of study.toml.

``formulae``, the parser of bambi, turns the text into a tree; here the tree becomes what the
share model has: predictors and their curves, interactions of two of them, and groupings. What
else the dialect allows is refused, one line each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise, product
from typing import Any

from intlmodels.core.csvtable import MISSING, Files, clean_label, parse_number, read_table
from intlmodels.core.errors import StudyError, did_you_mean, listed, shown
from intlmodels.studies.schema import Key, check_keys, check_text, wrong

#: Longest formula in characters.
LONGEST = 2000
#: What messages say of functions.
_FUNCTIONS = (
    "log(x), I(x ** 2) beside x, poly(x, 2), ns(x), within(x), mo(x), walk(x) and C(x); compute "
    "other columns beforehand"
)
_KNOTS = (
    "expected ns(x), with knots at the quantiles 0, 1/3, 2/3 and 1; other knots are keys of a "
    'predictor without a formula: curve = "spline" and knots = [10, 50, 200]'
)
_LOGARITHMS = ("log", "np.log", "numpy.log")
#: Parts of a tree that are the name of a column.
_NAMES = ("Variable", "QuotedName")


@dataclass(frozen=True)
class Formula:
    """What a formula says, as keys of study.toml; kinds of predictors only where it says them."""

    #: Column of the shares, or two columns with the ends of bands.
    outcome: tuple[str, ...]
    predictors: dict[str, dict[str, Any]] = field(default_factory=dict)
    interactions: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """All columns that it names."""
        tables = [*self.predictors.values(), *self.groups.values()]
        named = [table[key] for table in tables for key in ("column", "within") if key in table]
        return list(dict.fromkeys([*self.outcome, *named]))


def variable_name(column: str) -> str:
    """The name nearest to that of a column that a model variable can have."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", clean_label(column)).strip("_")
    return name if name[:1].isalpha() else f"x{name}"


# -- terms ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Factor:
    """A column as a formula writes it."""

    column: str
    #: As keys of [predictors.NAME]: pairs of key and value.
    keys: tuple[tuple[str, str], ...] = ()
    #: 2 for the square of ``I(x ** 2)``.
    power: int = 1
    #: As written.
    text: str = field(default="", compare=False)


#: One factor, or the two of an interaction; none of the intercept.
_Term = tuple[_Factor, ...]
#: The intercept taken out.
_NO_INTERCEPT: _Term = (_Factor(""),)


def parse_formula(text: str) -> Formula:
    """Read a formula; StudyError says what of it this model does not have."""
    tree = _tree(text)
    if type(tree).__name__ != "Binary" or tree.operator.kind != "TILDE":
        raise _error("expected the outcome, ~ and terms, as in share ~ owner + log(size)", text)
    bars: list[Any] = []
    common = _without_bars(tree.right, bars)
    terms = _terms(common) if common is not None else {}
    if _NO_INTERCEPT in terms:
        raise _error("expected a formula with an intercept: delete 0 + or - 1", text)
    terms.pop((), None)
    predictors = _predictors([term[0] for term in terms if len(term) == 1])
    pairs = [term for term in terms if len(term) == 2]
    if not predictors and not pairs:
        raise _error("expected at least one predictor", text)
    outcome = _outcome(tree.left)
    for factor in predictors.values():
        if factor.column in outcome:
            raise _error("this is the outcome; expected another column", factor.column)
    interactions = {"_".join(names): {"of": list(names)} for names in _folded(pairs, predictors)}
    groups: dict[str, dict[str, Any]] = {}
    for bar in bars:
        _add_bar(bar, predictors, interactions, groups)
    for name, group in groups.items():
        if not group.pop("level"):
            raise _error("expected groups that differ in level as well: add (1 | ...)", name)
    return Formula(
        outcome,
        {name: {"column": own.column, **dict(own.keys)} for name, own in predictors.items()},
        interactions,
        groups,
    )


def _error(message: str, value: str) -> StudyError:
    return StudyError(message, file="formula", value=value)


def _tree(text: str) -> Any:
    """The syntax tree; ``||`` is one bar with this mark."""
    from formulae.parser import ParseError, Parser
    from formulae.scanner import ScanError, Scanner

    if len(text) > LONGEST or text.count("`") % 2:
        raise _error(f"expected at most {LONGEST} characters and backquotes in pairs", text)
    # Powers as in R; no character has two meanings outside of backquotes.
    plain = re.sub(r"(`[^`]*`)|\^", lambda match: match[1] or "**", text)
    if re.search(r"\bns\([^)]*\bknots\b", plain):
        raise _error(_KNOTS, text)
    try:
        tokens = Scanner(plain).scan(add_intercept=False)
        for first, second in pairwise(tokens):
            if first.kind == second.kind == "PIPE":
                first.kind, second.lexeme = "", "||"
        parser = Parser([token for token in tokens if token.kind])
        tree = parser.parse()
    except (ScanError, ParseError, RecursionError, AttributeError, IndexError) as error:
        why = str(error).rstrip(".") or "it cannot be read"
        why = "a term is missing" if why.endswith("parse ''") else why
        said = f"not a formula ({why}); expected one such as y ~ x + (1 | g)"
        raise _error(said, text) from error
    if not parser.at_end():
        said = f"not a formula from {shown(parser.peek().lexeme)} on; expected + between terms, "
        raise _error(f"{said}and parentheses around each (... | group)", text)
    return tree


def _without_bars(tree: Any, bars: list[Any]) -> Any:
    """The terms beside the groupings, None if there are none; groupings go to ``bars``."""
    from formulae.expr import Binary, Unary

    match type(tree).__name__:
        case "Grouping" if _is(tree.expression, "PIPE"):
            bars.append(tree.expression)
            return None
        case "Binary" if tree.operator.kind == "PLUS":
            left, right = (_without_bars(side, bars) for side in (tree.left, tree.right))
            if left is None or right is None:
                return right if left is None else left
            return Binary(left, tree.operator, right)
        case "Binary" if tree.operator.kind == "MINUS":
            left = _without_bars(tree.left, bars)
            if left is None:
                return Unary(tree.operator, tree.right)
            return Binary(left, tree.operator, tree.right)
    return tree


def _is(tree: Any, *kinds: str) -> bool:
    return type(tree).__name__ == "Binary" and tree.operator.kind in kinds


def _terms(tree: Any) -> dict[_Term, None]:
    """The terms of an expression, in their order."""
    match type(tree).__name__:
        case "Grouping":
            return _terms(tree.expression)
        case "Literal" if tree.value in (0, 1) and not isinstance(tree.value, (bool, str)):
            return {() if tree.value else _NO_INTERCEPT: None}
        case "Unary" if tree.operator.kind == "PLUS":
            return _terms(tree.right)
        case "Unary" if _text(tree.right) == "1":
            return {_NO_INTERCEPT: None}
        case "Variable" | "QuotedName" | "Call":
            return {(_factor(tree),): None}
    if _is(tree, "STAR_STAR"):
        left = _terms(tree.left)
        if len(left) < 2:
            inside = _text(tree.left)
            said = f"expected I({inside} ** 2) beside {inside}, or poly({inside}, 2)"
            raise _error(said, _text(tree))
        if _text(tree.right) != "2":
            raise _error("expected interactions of two predictors: (a + b + c) ** 2", _text(tree))
        return left | _products(combinations(left, 2), tree)
    if not _is(tree, "PLUS", "MINUS", "STAR", "COLON", "SLASH"):
        raise _error("expected a term such as x, x:z, x * z or log(x)", _text(tree))
    left, right = _terms(tree.left), _terms(tree.right)
    match tree.operator.kind:
        case "PLUS":
            return left | right
        case "MINUS":
            return _without(left, right, tree)
        case "STAR":
            return left | right | _products(product(left, right), tree)
        case "SLASH":
            return left | _products(product(left, right), tree)
    return _products(product(left, right), tree)


def _without(left: dict[_Term, None], right: dict[_Term, None], tree: Any) -> dict[_Term, None]:
    if () in right:
        right.pop(())
        left = left | {_NO_INTERCEPT: None}
    for term in right:
        if term not in left:
            raise _error("expected a term that is there, to be taken out", _text(tree.right))
    return {term: None for term in left if term not in right}


def _products(pairs: Iterable[tuple[_Term, _Term]], tree: Any) -> dict[_Term, None]:
    found: dict[_Term, None] = {}
    for one, other in pairs:
        columns = [factor.column for factor in (*one, *other)]
        if len(columns) != 2 or "" in columns:
            raise _error("expected interactions of two predictors, as in a:b", _text(tree))
        if len(set(columns)) < 2:
            said = "an interaction of a predictor with itself; expected two predictors, or for a "
            raise _error(f"{said}curve poly(x, 2)", _text(tree))
        if (*other, *one) not in found:
            found[(*one, *other)] = None
    return found


# -- factors -------------------------------------------------------------------------------


def _factor(tree: Any) -> _Factor:
    """A column, or a function of one that this model has."""
    text = _text(tree)
    if type(tree).__name__ != "Call":
        return _Factor(_column(tree), text=text)
    name, arguments = _text(tree.callee), list(tree.args)
    if name == "offset":
        raise _error("this model has no offsets; expected terms with effects of their own", text)
    if name in ("scale", "standardize", "center"):
        raise _error("numbers are standardized by the model; expected the column alone", text)
    if name in ("bs", "cr", "s"):
        raise _error("the splines of this model are natural cubic ones; expected ns(x)", text)
    if name == "I":
        base = _square(arguments)
        if base is None:
            raise _error(f"expected I(x ** 2); a formula can have {_FUNCTIONS}", text)
        return replace(_numeric(base, text), power=2, text=text)
    if name in _LOGARITHMS and len(arguments) == 1:
        if type(arguments[0]).__name__ not in _NAMES:
            raise _error("expected the log of a column, as in log(size)", text)
        return _Factor(_column(arguments[0]), (("transform", "log"),), text=text)
    second = _text(arguments[1]) if len(arguments) == 2 else ""
    if name == "poly":
        if second not in ("2", "degree=2"):
            raise _error("expected poly(x, 2): the curves of this model are quadratic", text)
        return _with_key(_numeric(arguments[0], text), "curve", "quadratic", text)
    if name == "ns" and second in ("df=3", ""):
        return _with_key(_numeric(arguments[0], text), "curve", "spline", text)
    if name == "ns":
        raise _error(_KNOTS, text)
    if name == "within" and len(arguments) == 1:
        return _with_key(_numeric(arguments[0], text), "split", "within", text)
    kinds = {"mo": "ordered", "walk": "walk", "C": "labels"}
    if name in kinds and len(arguments) == 1:
        return _Factor(_column(arguments[0]), (("kind", kinds[name]),), text=text)
    if name in (*kinds, *_LOGARITHMS, "within"):
        raise _error(f"expected {name} of one column and nothing else, as in {name}(x)", text)
    raise _error(f"this model does not have the function {name}; expected {_FUNCTIONS}", text)


def _square(arguments: Sequence[Any]) -> Any:
    """What ``x ** 2`` or ``x * x`` is the square of; None if it is no square."""
    if len(arguments) != 1 or not _is(arguments[0], "STAR_STAR", "STAR"):
        return None
    inner = arguments[0]
    doubled = "2" if inner.operator.kind == "STAR_STAR" else _text(inner.left)
    return inner.left if _text(inner.right) == doubled else None


def _numeric(tree: Any, text: str) -> _Factor:
    """A column of numbers, perhaps its log."""
    if type(tree).__name__ not in (*_NAMES, "Call"):
        raise _error("expected a column, or its log", text)
    factor = _factor(tree)
    if factor.power > 1 or any(key == "kind" for key, _ in factor.keys):
        raise _error("expected a column of numbers, or its log", text)
    return factor


def _with_key(factor: _Factor, key: str, value: str, text: str) -> _Factor:
    return replace(factor, keys=(*factor.keys, (key, value)), text=text)


def _column(tree: Any) -> str:
    """The column that a name stands for."""
    match type(tree).__name__:
        case "QuotedName":
            return clean_label(tree.expression.lexeme[1:-1])
        case "Variable" if tree.level is None:
            return str(tree.name.lexeme)
    raise _error("expected the name of a column; in backquotes if it has blanks", _text(tree))


def _text(tree: Any) -> str:
    """An expression as text, much as it was written."""
    match type(tree).__name__:
        case "Grouping":
            return f"({_text(tree.expression)})"
        case "Binary":
            sign = tree.operator.lexeme
            between = sign if sign == ":" else f" {sign} "
            return f"{_text(tree.left)}{between}{_text(tree.right)}"
        case "Unary":
            return f"{tree.operator.lexeme}{_text(tree.right)}"
        case "Call":
            return f"{_text(tree.callee)}({', '.join(map(_text, tree.args))})"
        case "Assign":
            return f"{_text(tree.name)}={_text(tree.value)}"
        case "Variable":
            level = f"[{_text(tree.level)}]" if tree.level is not None else ""
            return f"{tree.name.lexeme}{level}"
        case "QuotedName":
            return str(tree.expression.lexeme)
    return f'"{tree.value}"' if isinstance(tree.value, str) else str(tree.value)


def _outcome(tree: Any) -> tuple[str, ...]:
    if type(tree).__name__ == "Call" and _text(tree.callee) == "bands" and len(tree.args) == 2:
        return tuple(_column(argument) for argument in tree.args)
    if type(tree).__name__ not in _NAMES:
        said = "expected the column of the shares left of ~, or bands(lower, upper) for two "
        raise _error(f"{said}columns with the ends of bands", _text(tree))
    return (_column(tree),)


# -- from terms to tables ------------------------------------------------------------------


def _predictors(factors: Sequence[_Factor]) -> dict[str, _Factor]:
    """Predictors by name; a column and its square are one with a curve."""
    found: dict[str, _Factor] = {}
    for factor in factors:
        if factor.power > 1:
            continue
        name = variable_name(factor.column)
        if name in found:
            raise _error(f"expected one of both: {found[name].text} is a term as well", factor.text)
        found[name] = factor
    for factor in factors:
        if factor.power == 1:
            continue
        name = variable_name(factor.column)
        base = replace(factor, power=1)
        if found.get(name) != base:
            linear = factor.text.removeprefix("I(").partition(" *")[0]
            raise _error(f"expected {linear} beside it: a curve has both parts", factor.text)
        found[name] = replace(_with_key(base, "curve", "quadratic", found[name].text), power=2)
    return found


def _folded(terms: Sequence[_Term], predictors: Mapping[str, _Factor]) -> Iterator[tuple[str, ...]]:
    """Names of the predictors of terms; of a column and its square both have to be there."""
    found: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
    for term in terms:
        names = tuple(variable_name(factor.column) for factor in term)
        for name, factor in zip(names, term, strict=True):
            own = predictors.get(name)
            keys = own.keys[: len(own.keys) - (own.power > 1)] if own else ()
            written = ":".join(factor.text for factor in term)
            if own is None or factor.power > own.power:
                raise _error(f"expected {factor.text} among the predictors as well", written)
            if factor.keys != keys:
                raise _error(f"expected {own.text}, as the predictor is written elsewhere", written)
        powers = tuple(factor.power for factor in term)
        if names[::-1] in found:
            names, powers = names[::-1], powers[::-1]
        found.setdefault(names, []).append(powers)
    for names, present in found.items():
        wanted = [range(1, predictors[name].power + 1) for name in names]
        if sorted(present) != sorted(product(*wanted)):
            said = "expected the whole curve here, x and I(x ** 2), or poly(x, 2)"
            raise _error(said, ":".join(names))
        yield names


def _add_bar(
    bar: Any,
    predictors: Mapping[str, _Factor],
    interactions: Mapping[str, Mapping[str, Any]],
    groups: dict[str, dict[str, Any]],
) -> None:
    """Add what one ``(terms | groups)`` says to the groupings."""
    text = f"({_text(bar)})"
    if _is(bar.left, "PIPE"):
        raise _error("expected one | or || in parentheses", text)
    terms = _terms(bar.left)
    level = _NO_INTERCEPT not in terms
    pairs = {frozenset(own["of"]): name for name, own in interactions.items()}
    plain = [term for term in terms if term not in ((), _NO_INTERCEPT)]
    slopes = [
        names[0] if len(names) == 1 else pairs.get(frozenset(names), "")
        for names in _folded(plain, predictors)
    ]
    if "" in slopes:
        raise _error("expected the interaction among the terms as well", text)
    correlated = level and bool(slopes) and bar.operator.lexeme == "|"
    for column, within in _group_columns(bar.right, text):
        name = variable_name(column)
        known = groups.setdefault(name, {"column": column, "level": False})
        apart = {"level": level and known["level"], "slopes": bool(slopes) and "slopes" in known}
        if any(apart.values()) or known.get("correlated"):
            raise _error("expected the terms of a group in one pair of parentheses", text)
        known["level"] = known["level"] or level
        known |= {"slopes": slopes} if slopes else {}
        known |= {"correlated": True} if correlated else {}
        known |= {"within": within} if within else {}


def _group_columns(tree: Any, text: str) -> Iterator[tuple[str, str]]:
    """Columns of groups, each with the one that it is nested in, or nothing."""
    if type(tree).__name__ == "Grouping":
        yield from _group_columns(tree.expression, text)
    elif type(tree).__name__ in _NAMES:
        yield _column(tree), ""
    elif _is(tree, "PLUS"):
        yield from _group_columns(tree.left, text)
        yield from _group_columns(tree.right, text)
    elif _is(tree, "SLASH", "COLON") and all(
        type(side).__name__ in _NAMES for side in (tree.left, tree.right)
    ):
        if tree.operator.kind == "SLASH":
            yield _column(tree.left), ""
        yield _column(tree.right), _column(tree.left)
    else:
        raise _error("expected a column of groups, as in (1 | g), or two in (1 | a/b)", text)


# -- kinds of predictors -------------------------------------------------------------------


def completed(
    spec: Mapping[str, Any], texts: Sequence[str], numbers: bool, order: Sequence[str] = ()
) -> dict[str, Any]:
    """Keys of a predictor, with those that follow from its cells.

    ``numbers``: whether the cells are numbers; ``order``: their labels, if they have an order.
    """
    labels = dict.fromkeys(clean_label(text) for text in texts)
    known = sorted(label for label in labels if label not in MISSING)
    kind = spec.get("kind", "")
    if not kind and any(key in spec for key in ("transform", "curve", "split", "at")):
        kind = "numeric"
    if not kind and (order or numbers):
        kind = "ordered" if order else "numeric"
    if kind in ("", "labels"):
        kind = "contrast" if len(known) == 2 else "category"
    first = {key: spec[key] for key in ("file", "column", "label", "key") if key in spec}
    found = {"kind": kind} | first | {**spec, "kind": kind}
    if kind == "contrast" and len(known) == 2 and not {"low", "high"} & set(spec):
        found |= dict(zip(("low", "high"), known, strict=True))
    if kind == "ordered" and "levels" not in spec:
        if not (order or numbers):
            raise StudyError(
                "expected levels in an order: numbers, an ordered categorical of pandas, or a "
                "predictor without a formula, with levels = [...], lowest first",
                file="predictors",
                column=spec["column"],
                value=known[0] if known else "",
            )
        found["levels"] = list(order) or sorted(known, key=parse_number)
    return found


def no_column(column: str, columns: Sequence[str]) -> str:
    """What to say of a column that is not there."""
    return f"no such column{did_you_mean(column, columns)}; expected one of {listed(columns)}"


def all_numbers(texts: Iterable[str]) -> bool:
    """Whether all known cells of a column are numbers."""
    try:
        return bool([parse_number(text) for text in texts if clean_label(text) not in MISSING])
    except ValueError:
        return False


#: What to say of a predictor that is the column of the firms.
UNIT_AS_PREDICTOR = "firms that repeat differ in level anyway; expected other predictors"

# -- a formula in study.toml ---------------------------------------------------------------

_WHERE = "[model] formula"


def with_formula(document: dict[str, Any], files: Files) -> dict[str, Any]:
    """The document with the tables that its formula stands for."""
    model = document["model"]
    if not isinstance(model, dict):
        raise wrong("expected a table: a line [model] and its key below it", "[model]", model)
    check_keys(model, ["formula"], "[model]")
    text = check_text(model.get("formula", ""), Key("text"), _WHERE)
    places = [document.get(name) for name in ("rows", "firms")]
    home = next((own for own in places if isinstance(own, dict)), {})
    for name in ("predictors", "interactions", "register"):
        if name in document:
            raise wrong("a formula takes its place; expected one of both", f"[{name}]")
    try:
        formula = parse_formula(text)
    except StudyError as error:
        raise wrong(error.message, _WHERE, error.value) from error
    found = {name: table for name, table in document.items() if name != "model"}
    found["predictors"] = {}
    if formula.interactions:
        found["interactions"] = formula.interactions
    outcome = document.get("outcome", {})
    if isinstance(outcome, dict):
        keys = ("column",) if len(formula.outcome) == 1 else ("lower", "upper")
        given = dict(zip(keys, formula.outcome, strict=True))
        for key, column in given.items():
            if outcome.get(key, column) != column:
                raise wrong(f"the formula has {shown(column)}; expected one", f"[outcome] {key}")
        found["outcome"] = {**outcome, **given}
    unit = home.get("unit", home.get("column"))
    if unit in (own["column"] for own in formula.predictors.values()):
        raise wrong(UNIT_AS_PREDICTOR, _WHERE, unit)
    groups = {name: own for name, own in formula.groups.items() if own["column"] != unit}
    for name, own in formula.groups.items():
        if name not in groups and "slopes" in own:
            raise wrong("firms differ in level only; expected (1 | firm)", _WHERE, text)
    if groups:
        others = document.get("groups", {})
        found["groups"] = {**groups, **others} if isinstance(others, dict) else others
    if isinstance(home.get("file"), str):
        table = read_table(files, home["file"])
        for column in formula.columns:
            if column not in table.header:
                raise wrong(no_column(column, table.header), _WHERE, column)
        for name, spec in formula.predictors.items():
            texts = table.column(spec["column"])
            found["predictors"][name] = completed(spec, texts, all_numbers(texts))
    return found
