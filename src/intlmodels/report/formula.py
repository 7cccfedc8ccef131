"""Pieces of mathematics, in MathML and TeX side by side, of which models write their formulas."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from intlmodels.core.formats import MINUS
from intlmodels.report.blocks import Formula


@dataclass(frozen=True)
class Term:
    """A piece of a formula in both languages."""

    ml: str
    tex: str

    def __add__(self, other: Term) -> Term:
        return Term(self.ml + other.ml, f"{self.tex} {other.tex}")


def op(symbol: str, tex: str = "") -> Term:
    """An operator."""
    return Term(f"<mo>{escape(symbol)}</mo>", tex or symbol)


def var(symbol: str, tex: str = "") -> Term:
    """A name of one letter, in italics."""
    return Term(f"<mi>{escape(symbol)}</mi>", tex or symbol)


def num(text: str) -> Term:
    """A number."""
    return Term(f"<mn>{escape(text)}</mn>", text.replace(MINUS, "-"))


def named(text: str) -> Term:
    """A name of more than one letter, upright."""
    safe = "".join(f"\\{c}" if c in "_&%$#{}" else c for c in text)
    return Term(f"<mtext>{escape(text)}</mtext>", f"\\mathrm{{{safe}}}")


def sub(base: Term, index: Term) -> Term:
    """``base`` with an index."""
    return Term(
        f"<msub><mrow>{base.ml}</mrow><mrow>{index.ml}</mrow></msub>",
        f"{{{base.tex}}}_{{{index.tex}}}",
    )


def of(head: Term, *arguments: Term) -> Term:
    """``head`` of its arguments, in brackets."""
    inside = arguments[0]
    for argument in arguments[1:]:
        inside = inside + op(",") + argument
    return head + op("(") + inside + op(")")


def words(text: str) -> Term:
    """Words between symbols; blanks at the ends are kept."""
    inside = escape(text.strip())
    before, after = ("&#160;" * text.startswith(" "), "&#160;" * text.endswith(" "))
    return Term(f"<mtext>{before}{inside}{after}</mtext>", f"\\text{{{text}}}")


#: Equals, plus, minus, times, and "is drawn from".
EQ, PLUS, LESS, TIMES, DRAWN = (
    op("="),
    op("+"),
    op(MINUS, "-"),
    op("·", "\\cdot"),
    op("∼", "\\sim"),
)


def formula_of(lines: list[Term]) -> Formula:
    """Lines of mathematics, one below the other."""
    return Formula(tuple(line.ml for line in lines), tuple(line.tex for line in lines))
