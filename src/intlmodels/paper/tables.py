"""Tables of a report for papers: LaTeX with booktabs, and HTML that Word takes as a table."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable

from intlmodels.paper.markup import BEYOND, latex
from intlmodels.report.pages import Table

#: Size of letters -> characters on a line of an article; the first that will do is used.
_LINES = {"footnotesize": 84.0, "scriptsize": 97.0}
#: Characters that part two columns, and those of a word and of a cell that count at most.
_GAP, _LONGEST, _WORTH = 2.5, 40, 80
#: A column whose longest cell is longer than this is broken into lines where room is short.
_SHORT = 14
#: Lines on one page; a longer table goes over several.
_MOST_LINES = 42


def named(tables: Iterable[Table]) -> dict[str, Table]:
    """The tables of a report in their order, each under a name for its files.

    That of its CSV file if the table is the first of it, else the first words of its caption.
    """
    found: dict[str, Table] = {}
    for table in tables:
        own = table.file.rpartition("/")[2].removesuffix(".csv")
        name = own if own and own not in found else _slug(table.caption)
        number = 2
        while name in found:
            name = f"{_slug(table.caption)}-{number}"
            number += 1
        found[name] = table
    return found


def _slug(caption: str) -> str:
    words = re.findall("[a-z0-9]+", re.split(r"[(:,]", caption)[0].lower())
    return "-".join(words[:5]) or "table"


def _caption(table: Table) -> str:
    return f"{table.caption}{'. DID NOT CONVERGE: these are not estimates' * table.failed}"


# -- LaTeX -------------------------------------------------------------------------------


def tex(table: Table, name: str) -> str:
    """A table environment, or a longtable where a page does not hold all rows."""
    size, widths = _fitted(table)
    columns = [
        f"p{{{part:.3f}\\linewidth}}" if part else "lr"[i in table.numeric]
        for i, part in enumerate(widths)
    ]
    spec = f"@{{}}{''.join(columns)}@{{}}"
    caption = rf"\caption{{{latex(_caption(table))}}}\label{{tab:{name}}}"
    head = _row(table.header, columns)
    body = [_row(row, columns) for row in table.rows]
    small = rf"\{size}\setlength{{\tabcolsep}}{{4pt}}"
    long = sum(_lines(row, widths) for row in table.rows) > _MOST_LINES
    if long:
        top = [r"\toprule", head, r"\midrule"]
        lines = [rf"\begingroup{small}", rf"\begin{{longtable}}{{{spec}}}"]
        lines += [rf"{caption}\tabularnewline", *top, r"\endfirsthead", *top, r"\endhead"]
        lines += [r"\bottomrule", r"\endfoot", *body, r"\end{longtable}"]
    else:
        lines = [r"\begin{table}[htbp]", rf"\centering{small}", caption]
        lines += [rf"\begin{{tabular}}{{{spec}}}", r"\toprule", head, r"\midrule", *body]
        lines += [r"\bottomrule", r"\end{tabular}"]
    if table.note:
        note = rf"\begin{{minipage}}{{\linewidth}}{latex(table.note)}\end{{minipage}}"
        lines.append(rf"\par\smallskip\noindent{note}")
    lines.append(r"\par\endgroup" if long else r"\end{table}")
    text = "\n".join(lines) + "\n"
    needs = f"% needs \\usepackage{{booktabs{',longtable' * long}}}"
    return f"{needs}{'' if text.isascii() else BEYOND}\n{text}"


def _fitted(table: Table) -> tuple[str, list[float]]:
    """Size of letters, and the part of a line of each column that is broken; 0 for the others.

    Columns are as wide as their cells where a line has room for them. Else those with several
    words share what the others leave, and none is narrower than its longest word.
    """
    cells = list(zip(table.header, *table.rows, strict=True))
    longest = [max(map(len, column)) for column in cells]
    words = [max(len(word) for cell in column for word in cell.split(" ")) for column in cells]
    least = [min(length + 1, _LONGEST) for length in words]
    cut = [n > _SHORT and n > small for n, small in zip(longest, least, strict=True)]
    size, spare = "", 0.0
    for size, line in _LINES.items():
        room = line - _GAP * (len(cells) - 1)
        if sum(longest) <= room:
            return size, [0.0] * len(cells)
        spare = room - sum(
            small if is_cut else n for n, small, is_cut in zip(longest, least, cut, strict=True)
        )
        if spare >= 0:
            break
    more = [min(n, _WORTH) - small for n, small in zip(longest, least, strict=True)]
    each = max(spare, 0) / max(sum(n for n, is_cut in zip(more, cut, strict=True) if is_cut), 1)
    parts = zip(least, more, cut, strict=True)
    return size, [(n + each * extra) / line if is_cut else 0.0 for n, extra, is_cut in parts]


def _lines(row: Iterable[str], widths: list[float]) -> int:
    """Lines that a row takes, a few more than its letters alone."""
    pairs = zip(row, widths, strict=True)
    return max(
        math.ceil(1.15 * len(cell) / (_LINES["footnotesize"] * part)) if part else 1
        for cell, part in pairs
    )


def _row(cells: Iterable[str], columns: list[str]) -> str:
    shown = [
        rf"\raggedright {latex(cell)}" if column.startswith("p") else latex(cell)
        for cell, column in zip(cells, columns, strict=True)
    ]
    # Not \\: that would take a bracket at the start of the next row for its argument.
    return " & ".join(shown) + r" \tabularnewline"


# -- HTML --------------------------------------------------------------------------------

_CELL = "padding: 2pt 6pt; vertical-align: top"
_RULE = "1pt solid black"


def word(table: Table, number: int | None = None) -> str:
    """A table of three rules with its styles in the elements, as word processors keep them."""
    label = "Table" if number is None else f"Table {number}"
    last = len(table.rows) - 1
    body = [
        _cells("td", row, table, f"border-bottom: {_RULE}; " if i == last else "")
        for i, row in enumerate(table.rows)
    ]
    rules = f"border-top: {_RULE}; border-bottom: 0.5pt solid black; font-weight: bold; "
    lines = [
        f'<p style="margin: 12pt 0 4pt 0"><b>{label}.</b> {html.escape(_caption(table))}</p>',
        '<table style="border-collapse: collapse; font-size: 9pt">',
        f"<thead>{_cells('th', table.header, table, rules)}</thead>",
        "<tbody>",
        *body,
        "</tbody>",
        "</table>",
    ]
    if table.note:
        note = html.escape(table.note)
        lines.append(f'<p style="margin: 4pt 0 12pt 0; font-size: 9pt"><i>Note.</i> {note}</p>')
    return "\n".join(lines) + "\n"


def _cells(tag: str, cells: Iterable[str], table: Table, style: str) -> str:
    shown = []
    for i, cell in enumerate(cells):
        side = "right" if i in table.numeric else "left"
        text = html.escape(cell)
        shown.append(f'<{tag} style="{style}text-align: {side}; {_CELL}">{text}</{tag}>')
    return f"<tr>{''.join(shown)}</tr>"
