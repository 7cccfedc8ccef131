"""A study: a folder with printed tables and a study.toml that says what they mean.

:func:`load_study` reads and checks all of it before anything is compiled or sampled; what
comes after trusts what it returns.

A new study is a folder with a made-up example that runs as it is, to be replaced by data. The
examples are files, not code: each folder below ``templates/`` is a study of its own. Only the
name in study.toml, and what stands for it in README.md, is written anew.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from intlmodels.core.csvtable import Files
from intlmodels.core.errors import StudyError, did_you_mean, listed, shown
from intlmodels.core.files import new_folder, write_all
from intlmodels.core.settings import checked
from intlmodels.studies.base import Study
from intlmodels.studies.columns import FurtherOutcome, Grouping, Outcome, Panel, Predictor, Total
from intlmodels.studies.decay import DecayStudy, Reading, read_decay_study
from intlmodels.studies.decisions import Decisions
from intlmodels.studies.register import (
    DecisionRegister,
    Register,
    RegisterStudy,
    RowFiles,
    SequenceStudy,
    read_decision_register,
    read_register,
)
from intlmodels.studies.schema import (
    FILE,
    NAME,
    DecayFile,
    DecisionRegisterFile,
    ShareFile,
    read_study_toml,
)
from intlmodels.studies.share import (
    Axes,
    ByOutcome,
    Composition,
    Covariate,
    Interaction,
    Membership,
    Nested,
    Order,
    ShareStudy,
    Terms,
    read_share_study,
)

__all__ = [
    "Axes",
    "ByOutcome",
    "Composition",
    "Covariate",
    "DecayStudy",
    "DecisionRegister",
    "Decisions",
    "FurtherOutcome",
    "Grouping",
    "Interaction",
    "Membership",
    "Nested",
    "Order",
    "Outcome",
    "Panel",
    "Predictor",
    "Reading",
    "Register",
    "RegisterStudy",
    "RowFiles",
    "SequenceStudy",
    "ShareStudy",
    "Study",
    "StudyError",
    "Terms",
    "Total",
    "describe",
    "list_studies",
    "load_study",
    "new_study",
]


# -- finding a study ---------------------------------------------------------------------


def packaged_studies() -> dict[str, Path]:
    """The studies that come with the package, by name: in a wheel, else in the checkout."""
    here = Path(__file__).resolve().parents[1]
    checkout = [here.parents[1] / "data"] if here.parent.name == "src" else []
    return {
        folder.name: folder
        for data in (*checkout, here / "data")
        if data.is_dir()
        for folder in sorted(data.iterdir())
        if (folder / FILE).is_file()
    }


def list_studies() -> list[str]:
    """Names of the studies that come with the package, sorted.

    Examples
    --------
    ::

        im.list_studies()  # ['michigan', 'norway', 'rochester']
    """
    return sorted(packaged_studies())


def _find(name_or_path: str | Path) -> Path:
    packaged = packaged_studies()
    text = str(name_or_path)
    if not text.strip() or "\0" in text:
        said = f"expected a study: one of {listed(packaged)}, or the path of a folder"
        raise StudyError(said, value=text)
    try:
        path = Path(name_or_path).expanduser()
        if isinstance(name_or_path, str) and text in packaged:
            # Whoever copies a study to change it must not get the original without a word.
            if (path / FILE).is_file() and not path.samefile(packaged[text]):
                said = f"a study of the package and a folder here have this name; write ./{text} "
                said += "for the folder, or run the command from another folder"
                raise StudyError(said, value=text)
            return packaged[text]
        return _folder(path, text, packaged)
    except (OSError, RuntimeError) as error:  # too long a name, no such home, no permission
        why = getattr(error, "strerror", None) or error
        said = f"not a usable path ({why}); expected the folder of a study"
        raise StudyError(said, value=text) from error


def _folder(path: Path, text: str, packaged: Mapping[str, Path]) -> Path:
    if path.name == FILE and path.is_file():
        path = path.parent
    if path.is_dir():
        return path.resolve()
    if path.exists():
        raise StudyError(f"expected the folder of a study, or its {FILE}", value=text)
    raise StudyError(
        f"no such study or folder{did_you_mean(text, packaged)}; expected the path of a folder "
        f"with a {FILE}, or one of {listed(packaged)}",
        value=text,
    )


# -- reading it and telling what was read ------------------------------------------------


@checked
def load_study(name_or_path: str | Path) -> Study:
    """Read and check a study.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a study that comes with the package (:func:`list_studies`), or the path of a
        folder or of the study.toml in it.

    Returns
    -------
    Study
        By the model that study.toml names; the rows of a register are not read yet, see
        :func:`intlmodels.reduce`.

    Raises
    ------
    StudyError
        For the first thing that is wrong, in one line.

    Examples
    --------
    ::

        im.load_study("rochester")
        im.load_study(im.new_study("valley", model="share"))  # a folder
    """
    return read_study(_find(name_or_path))


def read_study(files: Files) -> Study:
    """Read and check the study of a folder, or one given as the texts of its files by name."""
    toml = read_study_toml(files)
    if isinstance(toml, DecayFile):
        return read_decay_study(files, toml)
    if isinstance(toml, ShareFile):
        return read_share_study(files, toml)
    if not isinstance(files, Path):
        message = "a register reads its rows from files; expected a study without it"
        raise StudyError(message, file=FILE, column="[register]")
    if isinstance(toml, DecisionRegisterFile):
        return read_decision_register(files, toml)
    return read_register(files, toml)


def describe(study: Study) -> str:
    """What was read, for a person to check before fitting.

    Returns
    -------
    str
        Several lines, without a line break at the end; control characters are escaped.
    """
    if not isinstance(study, Study):
        raise TypeError(f"expected a study that load_study returns, not {type(study).__name__}")
    return "\n".join(line.rstrip() for line in study.lines())


# -- making one --------------------------------------------------------------------------

_TEMPLATES = Path(__file__).parent / "templates"
#: Model -> what it is for, in a few words.
MODELS = {
    "share": "a share of every firm, such as exports",
    "decay": "decisions that carry a flag, or counts of them",
}
#: The line of study.toml that changes; and the guide, in which FOLDER and NAME are replaced.
_NAME_LINE = 'name = "example"'
_GUIDE = "README.md"


@checked
def new_study(folder: str | Path, model: str, decisions: bool = False, rows: bool = False) -> Path:
    """Make the folder of a study, with a made-up example in it that can be fitted.

    Parameters
    ----------
    folder : str or path
        The folder to make, or one that is empty; the folder that holds it must be there. The
        name of the study follows its name.
    model : {"share", "decay"}
    decisions : bool
        Of the decay model: every decision is known, rather than counts of them.
    rows : bool
        Of the share model: firms repeat, as in firm-years.

    Returns
    -------
    Path
        The folder, with study.toml, CSV files, and a README.md that says what to replace.

    Raises
    ------
    StudyError
        If the model is not known, or the folder holds something, has the name of a study of
        the package, or cannot be written; nothing is left behind.

    Examples
    --------
    ::

        im.new_study("valley", model="share")
    """
    if model not in MODELS:
        known = " or ".join(f"{shown(name)} ({what})" for name, what in MODELS.items())
        message = f"expected {known}{did_you_mean(model, MODELS)}"
        raise StudyError(message, file="model", value=model)
    if rows and model != "share":
        said = "studies of rows are of the model 'share'; expected that model, or no rows"
        raise StudyError(said, file="model", value=model)
    if decisions and model != "decay":
        said = "studies of known decisions are of the model 'decay'; expected that model, or no "
        raise StudyError(f"{said}decisions", file="model", value=model)
    template = _TEMPLATES / ("decisions" if decisions else "panel" if rows else model)
    with new_folder(folder) as path:
        name = study_name(path.resolve().name)
        if name in list_studies():
            said = f"a study of the package is called {shown(name)}, and reports are filed by "
            raise StudyError(f"{said}name; expected another name", file=str(path))
        files = sorted(file for file in template.iterdir() if not file.name.startswith("."))
        texts = {file.name: file.read_text(encoding="utf-8") for file in files}
        texts[FILE] = texts[FILE].replace(_NAME_LINE, _NAME_LINE.replace("example", name))
        meant = {"FOLDER": shlex.quote(path.resolve().name), "NAME": name}
        texts[_GUIDE] = re.sub("|".join(meant), lambda word: meant[word[0]], texts[_GUIDE])
        write_all({name: text.encode() for name, text in texts.items()}, path)
    return path


def study_name(text: str) -> str:
    """The name of a study nearest to a text: letters, digits, ``_`` and ``-``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")[:64]
    return name if re.fullmatch(NAME, name) else "study"
