"""A new study: a folder with a made-up example that runs as it is, to be replaced by data.

The examples are files, not code: each folder below ``templates/`` is a study of its own. Only
the name in study.toml, and what stands for it in README.md, is written anew.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import Path

from intlmodels.core.errors import StudyError, did_you_mean, shown
from intlmodels.core.files import write_all
from intlmodels.core.settings import checked
from intlmodels.study import list_studies
from intlmodels.study.keys import FILE
from intlmodels.study.schema import NAME

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
def new_study(folder: str | Path, model: str, decisions: bool = False) -> Path:
    """Make the folder of a study, with a made-up example in it that can be fitted.

    Parameters
    ----------
    folder : str or path
        The folder to make, or one that is empty; the folder that holds it must be there. The
        name of the study follows its name.
    model : {"share", "decay"}
    decisions : bool
        Of the decay model: every decision is known, rather than counts of them.

    Returns
    -------
    Path
        The folder, with study.toml, CSV files, and a README.md that says what to replace.

    Raises
    ------
    StudyError
        If the model is not known, or the folder holds something, has the name of a study of
        the package, or cannot be written; nothing is left behind.
    """
    template = _TEMPLATES / _template(model, decisions)
    text = str(folder)
    if not text.strip() or not text.isprintable():
        raise StudyError("expected the path of a folder to make", value=text)
    path = Path(folder)
    try:
        path = path.expanduser()
        name = _checked(path)
        files = sorted(file for file in template.iterdir() if not file.name.startswith("."))
        texts = {file.name: file.read_text(encoding="utf-8") for file in files}
        texts[FILE] = texts[FILE].replace(_NAME_LINE, _NAME_LINE.replace("example", name))
        meant = {"FOLDER": shlex.quote(path.resolve().name), "NAME": name}
        texts[_GUIDE] = re.sub("|".join(meant), lambda word: meant[word[0]], texts[_GUIDE])
        write_all({name: text.encode() for name, text in texts.items()}, path)
    except (OSError, RuntimeError) as error:  # no permission, no such home, too long a name
        raise StudyError(
            f"cannot make this folder ({getattr(error, 'strerror', None) or error}); choose "
            "another place",
            file=text,
        ) from error
    return path


def _template(model: str, decisions: bool) -> str:
    if model not in MODELS:
        known = " or ".join(f"{shown(name)} ({what})" for name, what in MODELS.items())
        raise StudyError(
            f"expected {known}{did_you_mean(model, MODELS)}", file="model", value=model
        )
    if decisions and model != "decay":
        raise StudyError(
            "studies of known decisions are of the model 'decay'; expected that model, or no "
            "decisions",
            file="model",
            value=model,
        )
    return "decisions" if decisions else model


def _checked(folder: Path) -> str:
    """The name of the study in a folder that can be made."""
    if folder.exists():
        if not folder.is_dir():
            raise StudyError("this is a file; expected a folder to make", file=str(folder))
        if any(folder.iterdir()):
            raise StudyError(
                "the folder is not empty, and nothing in it is written over; expected a new name, "
                "or an empty folder",
                file=str(folder),
            )
    elif not folder.parent.is_dir():
        raise StudyError(
            f"there is no folder {folder.parent} to make it in; make that first", file=str(folder)
        )
    name = study_name(folder.resolve().name)
    if name in list_studies():
        raise StudyError(
            f"a study of the package is called {shown(name)}, and reports are filed under the "
            "name; expected another",
            file=str(folder),
        )
    return name


def study_name(text: str) -> str:
    """The name of a study nearest to a text: letters, digits, ``_`` and ``-``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")[:64]
    return name if re.fullmatch(NAME, name) else "study"
