"""Further outcomes as tables: how they were read, what goes with what, and predicted frequencies.

The levels and differences of a fit are those of :mod:`intlmodels.results.share`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.models.base import flat, texts
from intlmodels.models.share.observation import LEVEL
from intlmodels.results import share
from intlmodels.results.intervals import CI_PROB, Array, table_of
from intlmodels.results.intervals import estimands as stored
from intlmodels.study import ByOutcome, FurtherOutcome, ShareStudy

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


def readings(study: ShareStudy, further: FurtherOutcome) -> pd.DataFrame:
    """What was read as what.

    Returns
    -------
    pandas.DataFrame
        ``level`` (lowest first), ``printed``, ``firms`` (names, joined by commas), ``count`` and
        ``note`` on the reading; one row for each way in which cells are printed.
    """
    import pandas as pd

    notes = {label: note for label, _, note in further.readings}
    found: dict[tuple[int, str], list[str]] = {}
    for firm, code, known, printed in zip(
        study.firms, further.codes, further.known, further.printed, strict=True
    ):
        if known:
            found.setdefault((int(code), printed), []).append(firm)
    rows = [
        {
            "level": further.levels[code],
            "printed": printed,
            "firms": ", ".join(firms),
            "count": len(firms),
            "note": notes.get(printed.strip(), ""),
        }
        for (code, printed), firms in sorted(found.items(), key=lambda item: item[0][0])
    ]
    return pd.DataFrame(rows)


def crossing(study: ShareStudy) -> tuple[FurtherOutcome, FurtherOutcome | None]:
    """The two further outcomes that are crossed: the first ordered one, and the first binary one.

    Where there is no ordered one, the first of all stands alone.
    """
    every = list(study.outcomes.values())
    ordered = [item for item in every if item.kind == "ordered"]
    binary = [item for item in every if item.kind == "binary"]
    if ordered:
        return ordered[0], binary[0] if binary else None
    return every[0], None


def cross_table(study: ShareStudy) -> pd.DataFrame:
    """Firms and printed shares at each level of one further outcome, by another.

    Returns
    -------
    pandas.DataFrame
        ``level``, ``by`` (level of the other outcome; empty for all firms), ``firms``,
        ``median``, ``lowest`` and ``highest`` printed share in percent (NaN without firms).
    """
    import pandas as pd

    rows_of, columns_of = crossing(study)
    printed = study.outcome.printed
    groups: list[tuple[str, Any]] = []
    if columns_of is not None:
        groups += [
            (name, columns_of.known & (columns_of.codes == i))
            for i, name in enumerate(columns_of.levels)
        ]
    groups.append(("", np.ones(len(printed), dtype=bool)))
    rows = []
    for i, level in enumerate(rows_of.levels):
        here = rows_of.known & (rows_of.codes == i)
        for by, among in groups:
            shares = printed[here & among]
            ends = np.quantile(shares, [0.5, 0, 1]) if len(shares) else [np.nan] * 3
            row = {"level": level, "by": by, "firms": len(shares)}
            rows.append(row | dict(zip(("median", "lowest", "highest"), ends, strict=True)))
    return pd.DataFrame(rows)


def rank_correlations(study: ShareStudy) -> pd.DataFrame:
    """Spearman's rank correlation of every further outcome with the share, and with each other.

    Returns
    -------
    pandas.DataFrame
        ``a``, ``b`` (labels), ``firms``, ``correlation``. They describe the firms, and are no
        estimates of anything beyond them.
    """
    import pandas as pd

    columns = {study.outcome.label: pd.Series(study.outcome.printed)}
    for item in study.outcomes.values():
        columns[item.label] = pd.Series(np.where(item.known, item.codes, np.nan))
    names = list(columns)
    rows = []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if _same_cells(study, a, b):
                continue  # two readings of the same cells agree as they must
            both = columns[a].notna() & columns[b].notna()
            # Ties share their mean rank.
            ranks = [columns[name][both].rank() for name in (a, b)]
            found = ranks[0].corr(ranks[1])
            rows.append({"a": a, "b": b, "firms": int(both.sum()), "correlation": found})
    return pd.DataFrame(rows)


def _same_cells(study: ShareStudy, a: str, b: str) -> bool:
    """Whether two outcomes, by their labels, are read from a common column."""
    cells = {i.label: {(i.file, column) for column in i.columns} for i in study.outcomes.values()}
    return bool(cells.get(a, set()) & cells.get(b, set()))


def frequencies(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """How many firms stand at each level, observed and predicted by the fit.

    Returns
    -------
    pandas.DataFrame
        ``level``, ``feature`` (the level in words), ``observed``, the columns of
        :func:`intlmodels.results.intervals.intervals` of the predictions, and ``p_larger``:
        probability that a prediction is larger than what was observed, ties counted half.
    """
    seen = fit["observed_data"][LEVEL].to_numpy()
    known = ~np.isnan(seen)
    levels = json.loads(fit["constant_data"].attrs["outcome_levels"])
    drawn = flat(fit["posterior_predictive"].to_dataset()[LEVEL])[:, known]
    counts = np.stack([(drawn == i).sum(axis=1) for i in range(len(levels))], axis=-1).astype(float)
    observed = np.array([(seen[known] == i).sum() for i in range(len(levels))], dtype=float)
    features = [f"firms at {level}" for level in levels]
    return _checked(fit, {"level": levels, "feature": features}, observed, counts, prob)


def _checked(
    fit: DataTree, columns: Mapping[str, Any], observed: Array, drawn: Array, prob: float
) -> pd.DataFrame:
    table = table_of(fit, {**columns, "observed": observed}, drawn, prob)
    close = np.isclose(drawn, observed)
    table["p_larger"] = ((drawn > observed) & ~close).mean(axis=0) + 0.5 * close.mean(axis=0)
    return table


def averages(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Average of the firms at each level of each predictor, observed and predicted.

    Returns
    -------
    pandas.DataFrame
        Columns as of :func:`frequencies`, with the average in the unit that
        :func:`intlmodels.results.share.measured` gives; levels without a firm are left out, and
        so are numbers, of which every firm has another.
    """
    seen = fit["observed_data"][LEVEL].to_numpy()
    known = ~np.isnan(seen)
    worth = fit["constant_data"]["printed_grid"].to_numpy()
    drawn = worth[flat(fit["posterior_predictive"].to_dataset()[LEVEL])[:, known].astype(int)]
    told = worth[seen[known].astype(int)]
    names, observed, predicted = [], [], []
    for block in share.blocks(fit):
        if block["kind"] in ("numeric", "membership"):
            continue
        for level, here in zip(
            block["settings"], share.membership(fit, block)[known].T, strict=True
        ):
            if here.any():
                names.append((level, f"average at {block['label']}: {level}"))
                observed.append(told[here].mean())
                predicted.append(drawn[:, here].mean(axis=1))
    columns = {"level": [n for n, _ in names], "feature": [n for _, n in names]}
    stacked = np.stack(predicted, axis=-1) if predicted else np.empty((len(drawn), 0))
    return _checked(fit, columns, np.array(observed), stacked, prob)


def reached(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Probability of each level or one beyond it, at each level of each predictor, in percent.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``level``, ``reached`` (level of the outcome) and the columns of
        :func:`intlmodels.results.intervals.intervals`; empty for an outcome without an order.
    """
    import pandas as pd

    draws = stored(fit)
    if "reached" not in draws:
        return pd.DataFrame()
    values = flat(draws["reached"].transpose("chain", "draw", "setting", "stage_level"))
    predictors, levels = texts(draws["setting_predictor"]), texts(draws["setting_level"])
    stages = texts(draws["stage_level"])
    named = share.labels(fit)
    columns = {
        "predictor": np.repeat(predictors, len(stages)),
        "label": np.repeat([named[name] for name in predictors], len(stages)),
        "level": np.repeat(levels, len(stages)),
        "reached": np.tile(stages, len(levels)),
    }
    return table_of(fit, columns, values.reshape(len(values), -1), prob)


def added_to_share(study: ShareStudy, outcome: str) -> str:
    """Name of the variant that has a further outcome as a predictor of the share; or empty."""
    for name, variant in study.variants.items():
        if isinstance(variant, ByOutcome) and variant.outcome.name == outcome:
            return name
    return ""


def share_by_level(
    fit: DataTree, outcome: str, prob: float = CI_PROB
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Expected share at each level of a further outcome, from a fit that has it as predictor.

    Returns
    -------
    levels, difference : pandas.DataFrame
        Rows of :func:`intlmodels.results.share.levels`, and the row of
        :func:`intlmodels.results.share.differences` of the highest against the lowest level.
    """
    name = outcome.replace("-", "_")
    levels = share.levels(fit, prob)
    levels = levels[levels["predictor"] == name]
    table = share.differences(fit, prob)
    ends = levels["level"].iloc[-1], levels["level"].iloc[0]
    between = (table["predictor"] == name) & (table["level"] == ends[0])
    return levels, table[between & (table["against"] == ends[1])]


def csv_tables(
    study: ShareStudy, fits: Mapping[str, DataTree], prob: float
) -> dict[str, pd.DataFrame]:
    """File name -> table; none for a study without further outcomes."""
    import pandas as pd

    if not study.outcomes:
        return {}
    read: dict[str, Any] = {study.firm_label: list(study.firms)}
    for name, item in study.outcomes.items():
        read[f"{name}_printed"] = list(item.printed)
        levels = zip(item.codes, item.known, strict=True)
        read[f"{name}_read_as"] = [item.levels[i] if known else "" for i, known in levels]
    parts = []
    for name, fit in fits.items():
        tables = {
            "level": share.levels(fit, prob),
            "difference": share.differences(fit, prob),
            "reached": reached(fit, prob),
            "frequency": frequencies(fit, prob),
            "average": averages(fit, prob),
        }
        unit, points = share.measured(fit).unit, share.measured(fit).points
        units = {"level": unit, "difference": points, "frequency": "firms", "average": unit}
        for quantity, table in tables.items():
            if len(table):
                unit = units.get(quantity, "%")
                parts.append(table.assign(outcome=name, quantity=quantity, unit=unit))
    found = {
        "outcomes_data.csv": pd.DataFrame(read),
        "outcomes_crossed.csv": cross_table(study),
        "outcomes_correlations.csv": rank_correlations(study),
    }
    if parts:
        every = pd.concat(parts, ignore_index=True)
        first = ["outcome", "quantity", "unit"]
        found["outcomes.csv"] = every[[*first, *(c for c in every if c not in first)]]
    return found
