"""The one error that a user can cause: one line, or a line for each of several in one file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

#: Longest value shown in a message; a whole paragraph in a cell would hide the message.
LONGEST_SHOWN = 60
#: Most errors of a file that are reported at once.
MOST_ERRORS = 10
#: Names that a mistyped one is compared with; a message must not take minutes.
_MOST_COMPARED = 5000


class StudyError(ValueError):
    """An unusable study, setting or option, in one line.

    If a file has several errors, the text has a line for each, up to ten, and then says how many
    more there are; the attributes are those of the first.

    Parameters
    ----------
    message : str
        What was expected and how to fix it.
    file : str, optional
        The file, or what stands for it, such as ``command line``.
    row : int, optional
        Row as a spreadsheet counts it: the header is row 1. In a ``.toml`` file, the line.
    column : str, optional
        Name of the column; in a ``.toml`` file the key, such as ``[outcome] unit``.
    value : object, optional
        What was found; shown in quotes, control characters escaped, cut when long.

    Examples
    --------
    ::

        try:
            im.load_study("nowhere")
        except im.StudyError as error:
            print(error)  # one line: where, what was found, what was expected
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
    ) -> None:
        toml = file is not None and file.endswith(".toml")
        parts = [] if file is None else [file]
        if row is not None:
            parts.append(f"{'line' if toml else 'row'} {row}")
        if column is not None:
            parts.append(f"key {column}" if toml else f"column {shown(column)}")
        where = ", ".join(parts)
        found = "" if value is None else f"found {shown(value)}; "
        super().__init__(one_line(f"{where}{': ' if where else ''}{found}{message}"))
        self.message = message
        self.file = file
        self.row = row
        self.column = column
        self.value = value
        #: Errors that were found together with this one, without further ones of their own.
        self.further: tuple[StudyError, ...] = ()

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: where the package found it helps nobody."""
        return [f"{type(self).__name__}: {self}"]

    def __str__(self) -> str:
        """One line for each error, and how many more there are."""
        lines = [str(error.args[0]) for error in (self, *self.further)]
        more = len(lines) - MOST_ERRORS
        return "\n".join(lines[:MOST_ERRORS] + [f"and {more:,} more like these"] * (more > 0))


def together(errors: Sequence[StudyError]) -> StudyError:
    """One error for all that were found, each once, in the order of files and rows."""
    single = {one.args: one for error in errors for one in (error, *error.further)}
    first, *rest = sorted(single.values(), key=lambda error: (error.file or "", error.row or 0))
    for error in rest:
        error.further = ()
    first.further = tuple(rest)
    return first


def read_each[T, R](read: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Read all items; what cannot be read is reported at once, in one error.

    Raises StudyError.
    """
    found, errors = [], []
    for item in items:
        try:
            found.append(read(item))
        except StudyError as error:
            errors.append(error)
    if errors:
        raise together(errors)
    return found


def one_line(text: str) -> str:
    """Escape what does not print, so that a text takes one line and cannot steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object) -> str:
    """A value as a message shows it: quoted, control characters escaped, cut when long."""
    if value == "":
        return "nothing"
    try:
        text = repr(value)
    except ValueError:  # Python does not write whole numbers that long
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the candidate nearest to a word, or nothing."""
    names = list(islice(candidates, _MOST_COMPARED))
    # Capitals and outer blanks are the commonest slips, and difflib counts them as differences.
    plain = {name.casefold().strip(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.casefold().strip(), list(plain), n=1)
    return f" (did you mean {shown(plain[near[0]])}?)" if near else ""


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names as a message lists them: quoted, and no more than ``limit`` of them."""
    quoted = [shown(name) for name in names]
    more = len(quoted) - limit
    return ", ".join(quoted[:limit]) + (f" and {more} more" if more > 0 else "")
