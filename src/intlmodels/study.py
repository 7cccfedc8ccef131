"""A study: a folder with printed tables and a study.toml that says what they mean.

:func:`load_study` reads and checks all of it before anything is compiled or sampled; what
comes after trusts what it returns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.csvtable import Table, clean_label, parse_number
from intlmodels.errors import StudyError, did_you_mean, listed, one_line
from intlmodels.studycolumns import Outcome, Predictor, read_outcome, read_predictor
from intlmodels.studysources import Sources
from intlmodels.studytoml import FILE, StudyFile, read_study_toml, wrong
from intlmodels.studyvariants import Axes, Covariate, Membership, Nested, Variant, read_variant

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Axes",
    "Covariate",
    "Membership",
    "Nested",
    "Outcome",
    "Predictor",
    "Study",
    "StudyError",
    "Table",
    "describe",
    "list_studies",
    "load_study",
]


@dataclass(frozen=True, eq=False)
class Study:
    """A validated study.

    Attributes
    ----------
    name, title, question : str
    model : str
        Name of the model, such as ``share``.
    folder : Path
    source : str
        Where the tables were printed.
    limits : tuple of str
        What the study cannot tell, in its author's words.
    firm_label : str
        What a firm is called.
    firms : tuple of str
        In the order of the table that lists them; those with an outcome.
    outcome : Outcome
    predictors : dict of str to Predictor
    variants : dict of str to Nested, Axes, Membership or Covariate
    priors : dict of str to str
        Overrides as written; checked where the model is known.
    tables : dict of str to Table
        Every table used, as printed, by file name.
    normalizations : tuple of (file, row, column, printed, read as)
        Cells whose white space or Unicode form was changed.
    dropped : tuple of (firm, why)
        Firms without an outcome.
    profiles : tuple of dict of str to str
        New firms to predict: predictor -> level or number.
    settings : dict
        The table [fit], if any.
    """

    name: str
    title: str
    question: str
    model: str
    folder: Path
    source: str
    limits: tuple[str, ...]
    firm_label: str
    firms: tuple[str, ...]
    outcome: Outcome
    predictors: dict[str, Predictor]
    variants: dict[str, Variant]
    priors: dict[str, str]
    tables: dict[str, Table]
    normalizations: tuple[tuple[str, int, str, str, str], ...]
    dropped: tuple[tuple[str, str], ...]
    profiles: tuple[dict[str, str], ...]
    settings: dict[str, Any]

    def frame(self) -> pd.DataFrame:
        """The firms with outcome and predictors as read, for notebooks.

        Returns
        -------
        pandas.DataFrame
            One row a firm. ``printed_pct`` is the outcome in percent; then a column for each
            predictor and each covariate: ordered levels (low, high) for a contrast, levels
            for a category, numbers before any transform for a numeric predictor.
        """
        import pandas as pd

        columns: dict[str, Any] = {"printed_pct": self.outcome.printed}
        covariates = [v.predictor for v in self.variants.values() if isinstance(v, Covariate)]
        for predictor in [*self.predictors.values(), *covariates]:
            columns[predictor.name] = _as_read(predictor)
        return pd.DataFrame(columns, index=pd.Index(self.firms, name=self.firm_label))


def _as_read(predictor: Predictor) -> Any:
    import pandas as pd

    if predictor.kind == "numeric":
        known = ~np.isnan(predictor.values)
        cells = zip(predictor.printed, known, strict=True)
        return np.array([parse_number(text) if there else np.nan for text, there in cells])
    contrast = predictor.kind == "contrast"
    codes = (predictor.values > 0).astype(int) if contrast else predictor.codes
    return pd.Categorical.from_codes(codes, list(predictor.levels), ordered=contrast)


# -- finding a study ---------------------------------------------------------------------


def _data_folders() -> list[Path]:
    """Where the studies that come with the package are: in a wheel, else in the checkout."""
    here = Path(__file__).resolve().parent
    folders = [here / "data"]
    if here.parent.name == "src":
        folders.append(here.parents[1] / "data")
    return folders


def _packaged() -> dict[str, Path]:
    return {
        folder.name: folder
        for data in reversed(_data_folders())
        if data.is_dir()
        for folder in sorted(data.iterdir())
        if (folder / FILE).is_file()
    }


def list_studies() -> list[str]:
    """Names of the studies that come with the package, sorted."""
    return sorted(_packaged())


def _find(name_or_path: str | Path) -> Path:
    packaged = _packaged()
    text = str(name_or_path)
    if not text.strip() or "\0" in text:
        raise StudyError(
            f"expected a study: one of {listed(packaged)}, or the path of a folder", value=text
        )
    try:
        path = Path(name_or_path).expanduser()
        if isinstance(name_or_path, str) and text in packaged:
            # Whoever copies a study to change it must not get the original without a word.
            if (path / FILE).is_file() and not path.samefile(packaged[text]):
                raise StudyError(
                    "a study of the package and a folder here have this name; expected one: "
                    f"write ./{text} for the folder, or start from elsewhere",
                    value=text,
                )
            return packaged[text]
        return _folder(path, text, packaged)
    except (OSError, RuntimeError) as error:  # too long a name, no such home, no permission
        raise StudyError(
            f"not a usable path ({getattr(error, 'strerror', None) or error}); expected the folder "
            "of a study",
            value=text,
        ) from error


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


# -- reading it --------------------------------------------------------------------------


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

    Raises
    ------
    StudyError
        For the first thing that is wrong, in one line.
    """
    folder = _find(name_or_path)
    toml = read_study_toml(folder)
    sources = Sources(folder, toml.firms["file"], toml.firms["column"], _keys(toml))
    outcome, dropped = read_outcome(toml.outcome, sources)
    predictors = {
        name: read_predictor(name, spec, sources, outcome, f"[predictors.{name}]")
        for name, spec in toml.predictors.items()
    }
    variants = {
        name: read_variant(name, spec, predictors, sources, outcome)
        for name, spec in toml.variants.items()
    }
    profiles = tuple(
        _profile(profile, predictors, f"[[profiles]] number {number},")
        for number, profile in enumerate(toml.profiles, start=1)
    )
    return Study(
        name=toml.study["name"],
        title=clean_label(toml.study["title"]),
        question=toml.study.get("question", ""),
        model=toml.study["model"],
        folder=folder,
        source=toml.study.get("source", ""),
        limits=toml.study.get("limits", ()),
        firm_label=clean_label(toml.firms.get("label", "firm")),
        firms=sources.firms,
        outcome=outcome,
        predictors=predictors,
        variants=variants,
        priors=toml.priors,
        tables=sources.tables,
        normalizations=tuple((*place, *texts) for place, texts in sources.read_as.items()),
        dropped=dropped,
        profiles=profiles,
        settings=toml.fit,
    )


def _keys(toml: StudyFile) -> dict[str, str]:
    """File to the column with the firms' names, where a predictor says which it is."""
    home = toml.firms["file"]
    keys: dict[str, str] = {home: toml.firms["column"]}
    for name, spec in toml.predictors.items():
        if "key" not in spec:
            continue
        file, key = spec.get("file", home), spec["key"]
        if clean_label(keys.setdefault(file, key)) != clean_label(key):
            raise wrong(
                f"another key of this study says {keys[file]!r} for {file}; expected one column "
                "with the firms in each file",
                f"[predictors.{name}] key",
                key,
            )
    return keys


def _profile(
    profile: Mapping[str, Any], predictors: Mapping[str, Predictor], where: str
) -> dict[str, str]:
    """Check the levels of a new firm; numbers come out as text."""
    checked = {}
    for name, predictor in predictors.items():
        key, value = f"{where} {name}", profile[name]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if predictor.kind == "numeric":
            if not number or not math.isfinite(value):
                raise wrong("expected a finite number without quotes", key, value)
            if predictor.transform == "log" and value <= 0:
                raise wrong("expected a number above 0, as the transform log needs", key, value)
            checked[name] = repr(value)
            continue
        if not isinstance(value, str):
            raise wrong("expected text; put it in quotes", key, value)
        level = clean_label(value)
        if level not in predictor.levels:
            raise wrong(
                f"expected one of {listed(predictor.levels)}"
                f"{did_you_mean(level, predictor.levels)}",
                key,
                value,
            )
        checked[name] = level
    return checked


# -- telling what was read ---------------------------------------------------------------


def describe(study: Study) -> str:
    """What was read, for a person to check before fitting.

    Returns
    -------
    str
        Several lines, without a line break at the end; control characters are escaped.
    """
    return "\n".join(line.rstrip() for line in _lines(study))


def _lines(study: Study) -> Iterator[str]:
    outcome = study.outcome
    yield one_line(f"{study.name}: {study.title}")
    yield one_line(f"  folder    {study.folder}")
    yield f"  model     {study.model}"
    yield one_line(f"  firms     {len(study.firms)}: {_shortened(study.firms)}")
    yield one_line(f"  outcome   {outcome.label} ({outcome.file}, {outcome.column})")
    low, high = outcome.printed.min(), outcome.printed.max()
    yield (
        f"            printed in {outcome.unit}, rounded to {outcome.width:.10g} percentage "
        f"points; from {low:.10g} to {high:.10g} percent"
    )
    yield "predictors"
    for predictor in study.predictors.values():
        yield from _predictor_lines(predictor, study.firms)
    yield f"variants of this study's own: {len(study.variants) or 'none'}"
    for variant in study.variants.values():
        yield one_line(f"  {variant.name}: {_variant_line(variant)}")
        if isinstance(variant, Covariate):
            yield from _predictor_lines(variant.predictor, study.firms, indent="    ")
    yield f"firms left out for want of an outcome: {len(study.dropped) or 'none'}"
    for firm, why in study.dropped:
        yield one_line(f"  {firm}: {why}")
    yield f"cells read otherwise than printed: {len(study.normalizations) or 'none'}"
    for file, row, column, printed, read in study.normalizations:
        yield one_line(f"  {file}, row {row}, {column}: {printed!r} read as {read!r}")
    if study.profiles:
        yield f"new firms to predict: {len(study.profiles)}"
    for name, prior in study.priors.items():
        yield one_line(f"prior of the study's own: {name} = {prior}")


def _shortened(names: tuple[str, ...], limit: int = 30) -> str:
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")


def _predictor_lines(
    predictor: Predictor, firms: tuple[str, ...], indent: str = "  "
) -> Iterator[str]:
    place = f"{predictor.file}, {predictor.column}"
    yield one_line(f"{indent}{predictor.name}: {predictor.kind}, {predictor.label} ({place})")
    if predictor.kind == "numeric":
        missing = np.isnan(predictor.values)
        known = predictor.values[~missing]
        log = "log of " if predictor.transform == "log" else ""
        unit = f" in {predictor.unit}" if predictor.unit else ""
        yield one_line(
            f"{indent}  {log}values{unit}: {known.size} known, mean {predictor.center:.4g}, "
            f"sd {predictor.scale:.4g}"
        )
        if missing.any():
            without = tuple(firms[i] for i in np.flatnonzero(missing))
            yield one_line(f"{indent}  missing for {_shortened(without)}")
        return
    if predictor.kind == "contrast":
        counts = [int((predictor.values < 0).sum()), int((predictor.values > 0).sum())]
    else:
        counts = np.bincount(predictor.codes, minlength=len(predictor.levels)).tolist()
    for level, count in zip(predictor.levels, counts, strict=True):
        yield one_line(f"{indent}  {count:>3}  {level}")
    for level, other in pairwise(sorted(predictor.levels, key=str.casefold)):
        if level.casefold() == other.casefold():
            yield one_line(f"{indent}  {level!r} and {other!r} differ in capitals only")


def _variant_line(variant: Variant) -> str:
    match variant:
        case Nested():
            return (
                f"{len(variant.labels)} printed labels within the families of {variant.predictor}"
            )
        case Axes():
            axes = " and ".join(variant.axes)
            return f"{axes} ({' / '.join(variant.levels)}) in place of {variant.replaces}"
        case Membership():
            both = int(((variant.weights > 0) & (variant.weights < 1)).any(axis=1).sum())
            return f"{both} firms have a second {variant.predictor} ({variant.column})"
        case Covariate():
            return "one more numeric predictor"
