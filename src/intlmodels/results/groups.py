"""Groups of firms of the share model: clusters, two predictors together, further outcomes.

The levels and differences of a fit of a further outcome are those of
:mod:`intlmodels.results.share`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError, listed
from intlmodels.fitting.diagnostics import probability_error
from intlmodels.models.base import flat, texts
from intlmodels.models.share import estimands
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.models.share.design import CLUSTER
from intlmodels.models.share.observation import LEVEL
from intlmodels.results import share
from intlmodels.results.intervals import (
    CI_PROB,
    Array,
    beside_prior,
    check_table,
    directions,
    parameters,
    table_of,
)
from intlmodels.results.wording import verdict
from intlmodels.studies import ByOutcome, FurtherOutcome, ShareStudy

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from xarray import Dataset, DataTree


#: What the differences over all firms are called beside those within each cluster.
ALL = "all clusters"
#: Readings of a combination.
VULNERABLE, OPPORTUNITY, NEITHER = "vulnerable", "opportunity", "neither"


# -- clusters --------------------------------------------------------------------------


def has_clusters(fit: DataTree) -> bool:
    """Whether the firms of a fit are of several clusters."""
    return f"{CLUSTER}_code" in fit["constant_data"]


def _names(fit: DataTree) -> list[str]:
    """Names of the clusters."""
    return texts(fit["constant_data"].to_dataset()[f"{CLUSTER}_level"])


def by_cluster(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Each cluster with its own average and what the model expects of its firms.

    Columns: ``cluster``, ``firms``, ``printed_mean`` (average of what its firms print, in percent),
    those of :func:`.intervals.table_of` of the expected printed share, averaged over its own firms
    as they are, and ``pulled``: how far the median is from the printed average, in percentage
    points; below zero where it was pulled down.
    """
    draws = flat(share.estimands(fit)[f"{CLUSTER}_share"])
    rows = share.rows_of(fit)
    codes = _codes(fit)
    counts = np.bincount(codes, rows)
    printed = np.bincount(codes, rows * share.observed(fit)) / counts
    columns = {"cluster": _names(fit), "firms": counts.astype(int), "printed_mean": printed}
    table = table_of(fit, columns, draws, prob)
    return table.assign(pulled=table["median"] - table["printed_mean"])


def cluster_differences(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """What each predictor makes a difference of, over all firms and within each cluster.

    Columns: ``cluster`` (:data:`ALL` for all firms), ``predictor``, ``label``, ``level``,
    ``against``, ``firms_level``, ``firms_against`` (how many firms of the cluster stand at either;
    0: the difference is borrowed from the other clusters), those of :func:`.intervals.table_of` of
    level minus against, averaged over the firms of the cluster, in percentage points,
    and those of :func:`.intervals.directions`.
    """
    import pandas as pd

    draws = share.estimands(fit)
    keys = _keys(draws, "within")
    shown = {key: i for i, key in enumerate(_keys(draws, "comparison"))}
    chains = draws.sizes["chain"]
    whole = flat(draws["difference"])[:, [shown[key] for key in keys]]
    own = draws[f"{CLUSTER}_difference"].transpose("chain", "draw", f"{CLUSTER}_level", "within")
    each = own.to_numpy().reshape(len(whole), -1, len(keys))
    constant = fit["constant_data"].to_dataset()
    settings = texts(constant["setting_predictor"]), texts(constant["setting_level"])
    place_of = {key: i for i, key in enumerate(zip(*settings, strict=True))}
    counts = _counts(fit)
    named = share.labels(fit)
    found = []
    for place, cluster in enumerate([ALL, *_names(fit)]):
        values = whole if cluster == ALL else each[:, place - 1]
        stand = counts.sum(axis=0) if cluster == ALL else counts[place - 1]
        columns = {
            "cluster": cluster,
            "predictor": [key[0] for key in keys],
            "label": [named[key[0]] for key in keys],
            "level": [key[1] for key in keys],
            "against": [key[2] for key in keys],
            "firms_level": [int(stand[place_of[p, level]]) for p, level, _ in keys],
            "firms_against": [int(stand[place_of[p, other]]) for p, _, other in keys],
        }
        found.append(table_of(fit, columns, values, prob).assign(**directions(values, chains)))
    return pd.concat(found, ignore_index=True)


def spreads(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """How much levels and effects differ between clusters, on the logit scale.

    Columns: ``what`` in words, then those of :func:`.intervals.parameters` of the standard
    deviations between clusters.
    """
    said = {f"sigma_{CLUSTER}": "level"}
    for block in share.blocks(fit):
        said[f"sigma_{block['name']}_by_{CLUSTER}"] = f"effect of {block['label']}"
    table = parameters(fit, prob)
    table = table[table["name"].isin(list(said))].reset_index(drop=True)
    table.insert(0, "what", [said[name] for name in table["name"]])
    return table


def main_comparisons(fit: DataTree, prob: float = CI_PROB) -> list[tuple[str, str, str]]:
    """One comparison of each predictor: of its levels those with the clearest difference.

    As (predictor, level, against), of those that are there within each cluster.
    """
    table = cluster_differences(fit, prob)
    table = table[table["cluster"] == ALL]
    found = []
    for _, part in table.groupby("predictor", sort=False):
        row = part.loc[part["p_direction"].idxmax()]
        found.append((str(row["predictor"]), str(row["level"]), str(row["against"])))
    return found


def _codes(fit: DataTree) -> NDArray[np.intp]:
    return np.asarray(fit["constant_data"][f"{CLUSTER}_code"].to_numpy(), dtype=np.intp)


def _keys(draws: Dataset, dim: str) -> list[tuple[str, str, str]]:
    """Predictor, level and the level it is compared with."""
    parts = (texts(draws[f"{dim}_{end}"]) for end in ("predictor", "level", "against"))
    return list(zip(*parts, strict=True))


def _counts(fit: DataTree) -> Array:
    """Firms of each cluster at each setting of the predictors, (cluster, setting)."""
    at = [share.membership(fit, block) for block in share.blocks(fit)]
    stand = np.concatenate([np.empty((len(_codes(fit)), 0)), *at], axis=1)
    counts = np.zeros((len(_names(fit)), stand.shape[1]))
    np.add.at(counts, _codes(fit), stand * share.rows_of(fit)[:, None])
    return counts


# -- opportunity and vulnerability -----------------------------------------------------


def combinations(
    fit: DataTree, across: str, down: str, vulnerable: str, prob: float = CI_PROB
) -> pd.DataFrame:
    """Expected printed share of every combination of two predictors, in percent.

    The firms' average with both predictors set and the others as observed, draw by draw.

    ``across`` is a category, ``down`` a contrast and ``vulnerable`` a level of it: a firm that
    stands there and is expected to sell less abroad than the firms on average is read as
    vulnerable; one at the other level that is expected to sell more, as having an opportunity.

    Columns: ``across``, ``down`` (levels), ``firms`` (how many stand there; 0: extrapolation),
    ``observed`` (who they are, and their printed shares), those of :func:`.intervals.table_of`,
    ``p_above`` (probability of being above the average of the firms in the same draw),
    ``p_direction`` (of the likelier side), ``verdict`` and ``reading`` (that of the likelier side).

    Raises
    ------
    StudyError
        For a predictor or level that the fit does not have.
    """
    blocks = {block["name"]: block for block in share.blocks(fit)}
    for name, kind in ((across, "category"), (down, "contrast")):
        _require(name, [n for n, block in blocks.items() if block["kind"] == kind], kind)
    _require(vulnerable, blocks[down]["settings"], f"level of {down}")
    pairs = [(a, d) for a in blocks[across]["settings"] for d in blocks[down]["settings"]]
    draws, average = _expected(fit, [((across, a), (down, d)) for a, d in pairs])
    above = (draws > average[:, None]).mean(axis=0)
    likelier = np.maximum(above, 1 - above)
    there = [standing(fit, (across, a), (down, d)) for a, d in pairs]
    columns = {
        "across": [a for a, _ in pairs],
        "down": [d for _, d in pairs],
        "firms": [len(firms) for firms in there],
        "observed": [
            "; ".join(f"{firm} {printed:g}" for firm, printed in firms) for firms in there
        ],
    }
    table = table_of(fit, columns, draws, prob)
    return table.assign(
        p_above=above,
        p_direction=likelier,
        p_error=probability_error(draws > average[:, None], fit["posterior"].sizes["chain"]),
        verdict=[verdict(p) for p in likelier],
        reading=[
            _reading(d == vulnerable, p > 0.5) for (_, d), p in zip(pairs, above, strict=True)
        ],
    )


def _require(value: str, known: list[str], what: str) -> None:
    if value not in known:
        raise StudyError(
            f"expected a {what}: {listed(known) if known else 'there is none'}", value=value
        )


def _reading(vulnerable: bool, above: bool) -> str:
    if vulnerable == above:
        return NEITHER
    return VULNERABLE if vulnerable else OPPORTUNITY


def _expected(fit: DataTree, settings: list[tuple[tuple[str, str], ...]]) -> tuple[Array, Array]:
    """Draws of the expected share of each combination, and of the firms as they are."""
    constant = fit["constant_data"].to_dataset()
    weights = constant["setting_weights"].to_numpy()
    names = zip(texts(constant["setting_predictor"]), texts(constant["setting_level"]), strict=True)
    place = {name: i for i, name in enumerate(names)}
    changes = np.full((1 + len(settings), weights.shape[1]), np.nan)
    for row, pair in zip(changes[1:], settings, strict=True):
        for name in pair:
            own = weights[place[name]]
            row[~np.isnan(own)] = own[~np.isnan(own)]
    coefficients = Coefficients(fit)
    coefficients = coefficients.thinned(estimands.step_for(coefficients, changes))
    shares = estimands.averages(coefficients, changes).shares
    return shares[:, 1:], shares[:, 0]


def standing(fit: DataTree, *settings: tuple[str, str]) -> list[tuple[str, float]]:
    """Firms at all of some settings, such as ``("skill", "Both")``, the largest share first.

    Each with its printed share in percent.
    """
    blocks = {block["name"]: block for block in share.blocks(fit)}
    printed = share.observed(fit)
    at = np.ones(len(printed), dtype=bool)
    for name, level in settings:
        block = blocks[name]
        at &= share.membership(fit, block)[:, block["settings"].index(level)]
    firms = texts(fit["constant_data"].to_dataset()["firm"])
    order = np.argsort(-printed, kind="stable")
    return [(firms[i], float(printed[i])) for i in order if at[i]]


# -- further outcomes ------------------------------------------------------------------


def readings(study: ShareStudy, further: FurtherOutcome) -> pd.DataFrame:
    """What was read as what.

    Columns: ``level`` (lowest first), ``printed``, ``firms`` (names, joined by commas), ``count``
    and ``note`` on the reading; one row for each way in which cells are printed.
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

    Columns: ``level``, ``by`` (level of the other outcome; empty for all firms), ``firms``,
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

    Columns: ``a``, ``b`` (labels), ``firms``, ``correlation``. They describe the firms, and are no
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

    Columns: ``level``, ``feature`` (the level in words), those of :func:`.intervals.check_table`.
    """
    seen = fit["observed_data"][LEVEL].to_numpy()
    known = ~np.isnan(seen)
    levels = json.loads(fit["constant_data"].attrs["outcome_levels"])
    drawn = flat(fit["posterior_predictive"].to_dataset()[LEVEL])[:, known]
    counts = np.stack([(drawn == i).sum(axis=1) for i in range(len(levels))], axis=-1)
    observed = [(seen[known] == i).sum() for i in range(len(levels))]
    features = [f"firms at {level}" for level in levels]
    return check_table(fit, {"level": levels, "feature": features}, observed, counts, prob)


def averages(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Average of the firms at each level of each predictor, observed and predicted.

    Columns as of :func:`frequencies`, with the average in the unit that :func:`.share.measured`
    gives; levels without a firm are left out, and so are numbers, of which every firm has another.
    """
    seen = fit["observed_data"][LEVEL].to_numpy()
    known = ~np.isnan(seen)
    worth = fit["constant_data"]["printed_grid"].to_numpy()
    drawn = worth[flat(fit["posterior_predictive"].to_dataset()[LEVEL])[:, known].astype(int)]
    printed = worth[seen[known].astype(int)]
    names, observed, predicted = [], [], []
    for block in share.blocks(fit):
        if block["kind"] in ("numeric", "membership"):
            continue
        for level, here in zip(
            block["settings"], share.membership(fit, block)[known].T, strict=True
        ):
            if here.any():
                names.append((level, f"average at {block['label']}: {level}"))
                observed.append(printed[here].mean())
                predicted.append(drawn[:, here].mean(axis=1))
    columns = {"level": [n for n, _ in names], "feature": [n for _, n in names]}
    stacked = np.stack(predicted, axis=-1) if predicted else np.empty((len(drawn), 0))
    return check_table(fit, columns, observed, stacked, prob)


def reached(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Probability of each level or one beyond it, at each level of each predictor, in percent.

    Columns: ``predictor``, ``label``, ``level``, ``reached`` (level of the outcome) and those of
    :func:`.intervals.table_of`; empty for an outcome without an order.
    """
    import pandas as pd

    draws = share.estimands(fit)
    if "reached" not in draws:
        return pd.DataFrame()
    values = flat(draws["reached"].transpose("chain", "draw", "setting", "stage_level"))
    stages = texts(draws["stage_level"])
    columns: dict[str, Any] = {
        name: np.repeat(column, len(stages))
        for name, column in share.labelled(fit, draws, "setting").items()
    }
    columns["reached"] = np.tile(stages, draws.sizes["setting"])
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

    The rows of :func:`.share.levels`, and the row of :func:`.share.differences` of the highest
    against the lowest level.
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
        before = share.before(fit)
        levels, differences = (
            beside_prior(table(fit, prob), table(before, prob))
            for table in (share.levels, share.differences)
        )
        tables = {
            "level": levels,
            "difference": differences,
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
