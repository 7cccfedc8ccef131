"""The steps of the command line as functions for notebooks, returning standard objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intlmodels import audit, paper, report
from intlmodels.checks import stored
from intlmodels.checks.stored import NOTHING, CachedResult, CheckResults
from intlmodels.core.errors import StudyError, listed
from intlmodels.core.settings import checked
from intlmodels.fitting import jobs, store
from intlmodels.fitting.diagnostics import Gate
from intlmodels.models import DEFAULT, catalogue, design_of, model_of, priors_of
from intlmodels.models.functions import with_function
from intlmodels.register.counts import as_study, reduced, require_firms
from intlmodels.studies import (
    DecayStudy,
    RegisterStudy,
    RowFiles,
    SequenceStudy,
    ShareStudy,
    Study,
    counts,
    load_study,
    sources,
)

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset, DataTree

    from intlmodels.results.interpret import Interpretation


#: Models of which fits are about shares.
_OF_SHARES = ("share", "register")


def _study(study: Study | str | Path, out: Path | None = None) -> Study:
    """A study that can be fitted; counts of a register are kept in ``out``."""
    return as_study(_loaded(study), out)


def _loaded(study: Study | str | Path) -> Study:
    return study if isinstance(study, Study) else load_study(study)


@checked
def reduce(
    study: Study | str | Path,
    out: str | Path | None = None,
    *,
    again: bool = False,
    scheduler: str | None = None,
) -> RegisterStudy | SequenceStudy:
    """Read a register once, as counts of cells.

    Parameters
    ----------
    study : Study, str or path
        With a table [register].
    out : str or path, optional
        Folder in which the counts are kept, as ``intlmodels reduce --out`` does it, and found
        again as long as the files and study.toml stay as they are.
    again : bool
        Whether to read the files in any case.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers then read the files, each within the study's
        ``memory_limit``; they need the files under the same path.

    Returns
    -------
    RegisterStudy or SequenceStudy
        A study for every other function: of shares its ``firms`` are cells and its ``rows`` tell
        how many rows each cell stands for; of decisions ``sequences`` has the counts.

    Raises
    ------
    StudyError
        If the study lists its firms, for files, rows or columns that are not as expected, or for a
        scheduler or workers that cannot be used.

    Examples
    --------
    ::

        study = im.reduce("exits", "reports/exits")  # a folder whose study.toml has [register]
        im.fit_study(study)
    """
    loaded = _loaded(study)
    if isinstance(loaded, (RegisterStudy, SequenceStudy)):
        return loaded
    if not isinstance(loaded, RowFiles):
        raise StudyError(
            "there is nothing to reduce: this study lists its firms; expected a study with a table "
            "[register]",
            value=loaded.name,
        )
    folder = None if out is None else Path(out)
    return reduced(loaded, folder, again=again, scheduler=scheduler)


def prior_rows(
    study: Study, variant: str = DEFAULT, overrides: Mapping[str, str] | None = None
) -> list[tuple[str, ...]]:
    """Rows of the table of priors: name, prior, where it comes from, meaning."""
    own = priors_of(study, variant, overrides).values()
    fixed = model_of(study).fixed_priors(design_of(study, variant))
    return [
        *((prior.name, prior.text, prior.origin, prior.meaning) for prior in own),
        *((name, text, "follows", meaning) for name, text, meaning in fixed),
    ]


@checked
def prior_table(
    study: Study | str | Path,
    variant: str | Callable[[Any], Any] = DEFAULT,
    priors: Mapping[str, str] | None = None,
) -> DataFrame:
    """Priors of a variant.

    Parameters
    ----------
    study : Study, str or path
    variant : str or function
        As for :func:`intlmodels.fit_study`.
    priors : mapping of str to str, optional
        Overrides, as for :func:`intlmodels.fit_study`.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``prior``, ``from``, ``meaning``; one row per parameter.

    Raises
    ------
    StudyError
        For an unknown variant or parameter, or a prior that cannot be read.

    Examples
    --------
    ::

        im.prior_table("rochester")
        im.prior_table("rochester", priors={"phi": "Gamma(2, 0.1)"})
    """
    import pandas as pd

    rows = prior_rows(*with_function(_study(study), variant), priors)
    return pd.DataFrame(rows, columns=["name", "prior", "from", "meaning"])


@checked
def variant_table(study: Study | str | Path) -> DataFrame:
    """Variants of a study's model.

    Parameters
    ----------
    study : Study, str or path

    Returns
    -------
    pandas.DataFrame
        ``variant``, ``change`` (in words), ``comparable`` (by elpd); the default first.

    Raises
    ------
    StudyError
        If the study cannot be read.

    Examples
    --------
    ::

        im.variant_table("norway")
    """
    import pandas as pd

    rows = [(v.name, v.change, v.comparable) for v in catalogue(_study(study)).values()]
    return pd.DataFrame(rows, columns=["variant", "change", "comparable"])


def _shown[**P](make: Callable[P, DataTree]) -> Callable[P, DataTree]:
    """A function whose fit shows itself in a notebook."""

    @wraps(make)
    def call(*args: P.args, **named: P.kwargs) -> DataTree:
        from intlmodels.results.display import as_shown

        return as_shown(make(*args, **named))

    call.__module__ = __name__  # where it is found when it travels to another process
    return call


fit_study = _shown(jobs.fit_study)


@_shown
@checked
def read_fit(path: str | Path) -> DataTree:
    """Read a stored fit.

    Parameters
    ----------
    path : str or path
        Of its file, such as ``posterior.nc``.

    Returns
    -------
    xarray.DataTree
        As :func:`intlmodels.fit_study` returns it.

    Raises
    ------
    StudyError
        If the file is missing, damaged or not a stored fit: its content has to match the checksum
        at its end. (Fits of earlier versions have none; ``xarray.open_datatree`` opens them,
        unchecked.)

    Examples
    --------
    ::

        fit = im.read_fit("reports/rochester/posterior.nc")
    """
    return store.read(Path(path))


@checked
def estimates(fit: DataTree, prob: float = 0.95) -> DataFrame:
    """Estimands of a fit, in percent and percentage points.

    Parameters
    ----------
    fit : xarray.DataTree
        From :func:`intlmodels.fit_study` or :func:`intlmodels.read_fit`.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    pandas.DataFrame
        One row per scalar: ``variable``, ``label``, ``mean``, ``median``, ``sd``, ``ci_low``,
        ``ci_high``, ``ci_kind`` (``eti``, equal-tailed), ``ci_prob``, ``p_positive`` (probability
        of being above zero), ``rhat``, ``ess_bulk``, ``ess_tail``, ``mcse_mean``, and ``converged``
        (whether the fit passed the gate).

    Raises
    ------
    StudyError
        For a tree that is not a fit, or a ``prob`` that is not between 0 and 1.

    Examples
    --------
    ::

        im.estimates(fit)
        im.estimates(fit, prob=0.9).query("variable == 'expected_share'")
    """
    return parameter_table(fit, prob, "estimands")


@checked
def parameter_table(fit: DataTree, prob: float = 0.95, group: str = "posterior") -> DataFrame:
    """Parameters of a fit, on their own scales.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the equal-tailed intervals.
    group : str
        Group of the fit, such as ``"prior"`` or ``"estimands"``.

    Returns
    -------
    pandas.DataFrame
        Columns as of :func:`estimates`. Coefficients are on the logit scale, those of numbers per
        standard deviation; ``mu`` is a share between 0 and 1.

    Raises
    ------
    StudyError
        If the fit has no such group.

    Examples
    --------
    ::

        im.parameter_table(fit)
    """
    from intlmodels.results.intervals import summary

    if group not in fit.children:
        raise StudyError(
            f"the fit has no such group; expected one of {listed(fit.children)}", value=group
        )
    table = summary(fit[group].to_dataset(), prob)
    table["converged"] = Gate.from_json(fit.attrs["gate"]).passed
    return table


@checked
def differences(fit: DataTree, prob: float = 0.95) -> DataFrame:
    """Differences, one row each, with the probability of their sign.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    pandas.DataFrame
        For shares every pair of levels of a predictor: ``predictor``, ``label``, ``level``,
        ``against``, and the difference of their expected shares in percentage points. For decisions
        what experience does, by size of firm and between sizes: ``quantity`` (``fall`` of the
        probability in percentage points, ``decay`` of the log odds per prior entry) and ``size``.
        Then ``mean``, ``median``, ``sd``, ``ci_low``, ``ci_high``; ``p_positive``, ``p_direction``
        (of the likelier sign) and their Monte Carlo error ``p_error``; and for percentage points
        ``p_relevant`` (probability that it is larger than 5 points in the likelier direction),
        ``p_opposite`` (in the other one) and ``p_negligible`` (in neither).

    Raises
    ------
    StudyError
        For a tree that is not a fit, or a ``prob`` that is not between 0 and 1.

    Examples
    --------
    ::

        im.differences(fit).sort_values("p_direction", ascending=False)
    """
    if fit.attrs["model"] in _OF_SHARES:
        from intlmodels.results.share import differences as table
    else:
        from intlmodels.results.decay import slopes as table
    return table(fit, prob)


@checked
def regression_table(fits: Mapping[str, DataTree], prob: float = 0.95) -> DataFrame:
    """Fits side by side, as papers print regressions.

    Parameters
    ----------
    fits : mapping of str to xarray.DataTree
        Heading of each column -> fit, such as variants of one study.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    pandas.DataFrame
        Of text: a row for each parameter, with its median and interval, empty where a fit does not
        have it; then the number of rows or decisions and whether the fit converged. ``to_latex``
        and ``to_html`` write it.

    Raises
    ------
    StudyError
        If there is no fit.

    Examples
    --------
    ::

        fits = {"Default": fit, "Heaped": im.fit_study("rochester", "heaped")}
        print(im.regression_table(fits).to_latex())
    """
    from intlmodels.results.intervals import regression

    if not fits:
        raise StudyError("expected at least one fit, and there is none")
    return regression(fits, prob)


@checked
def gate_table(fit: DataTree) -> DataFrame:
    """Convergence checks of a fit.

    Parameters
    ----------
    fit : xarray.DataTree

    Returns
    -------
    pandas.DataFrame
        One row per check: ``label``, ``value``, ``limit``, ``outcome``, ``where`` (the worst
        parameter) and ``hint`` (what helps), among others.

    Raises
    ------
    StudyError
        For a tree that is not a fit.

    Examples
    --------
    ::

        im.gate_table(fit)[["label", "value", "limit", "outcome"]]
    """
    import pandas as pd

    return pd.DataFrame(json.loads(fit.attrs["gate"]))


@checked
def predict(fit: DataTree, profiles: list[Mapping[str, Any]] | Mapping[str, Any]) -> Dataset:
    """Printed share of firms that were not in the study.

    Parameters
    ----------
    fit : xarray.DataTree
    profiles : mapping or list of mapping
        Predictor -> level, or a number in the predictor's own unit. Of a categorical predictor that
        is left out a new level is drawn; others are averaged over the firms. ``cluster`` and other
        groupings work alike: without one, the firm belongs to a group that is not in the data.

    Returns
    -------
    xarray.Dataset
        ``probability`` (profile, grid) of each reported value, and ``expected_share``
        (chain, draw, profile) in percent.

    Raises
    ------
    StudyError
        For an unknown predictor or level, or a fit of another model.

    Examples
    --------
    ::

        new = {"relocatability": "Ease", "product": "Precision Optics", "expertise": "Both"}
        im.plots.new_firms(im.predict(fit, new))
    """
    from intlmodels.models.share.estimands import new_firms

    if fit.attrs["model"] not in _OF_SHARES:
        raise StudyError(
            "predictions of firms are for the share model; see plots.curves for this one",
            value=str(fit.attrs["model"]),
        )
    listed = [profiles] if isinstance(profiles, Mapping) else list(profiles)
    if not listed:
        raise StudyError("expected at least one firm to predict, and there is none")
    return new_firms(fit, listed, seed=int(fit.attrs["seed"]))


@checked
def predictions(
    fit: DataTree,
    at: Mapping[str, Any] | None = None,
    by: str | Sequence[str] | None = None,
    prob: float = 0.95,
) -> Interpretation:
    """Average expected shares, draw by draw: of the rows as observed, at given values, by groups.

    Of decisions that are all known, the average probability of the flag: a row is a decision.

    As ``avg_predictions`` of marginaleffects: the share that is expected of each row, averaged over
    the rows of the study. A row keeps its own values of what is not set, and its own groups and
    firm; products, squares and terms of the precision follow what is set.

    Parameters
    ----------
    fit : xarray.DataTree
        Of the share model (also of a panel or a register), or of known decisions.
    at : mapping of str to value or list of values, optional
        Predictor (or grouping) -> levels, or numbers in its own unit, at which all rows are set;
        every combination is one prediction.
    by : str or list of str, optional
        Predictors or groupings: averages over the rows that are at each of their levels.
    prob : float
        Probability of the equal-tailed intervals in the table.

    Returns
    -------
    Interpretation
        :class:`~intlmodels.results.interpret.Interpretation`, with ``table``, ``draws`` and
        ``contrast``; :func:`intlmodels.plots.predictions` draws it. In percent; of a further
        outcome stages, or the probability of yes in percent.

    Raises
    ------
    StudyError
        For an unknown predictor or level, or a fit of another model.

    Examples
    --------
    ::

        im.predictions(fit)                                            # all rows, as they are
        im.predictions(fit, at={"size": [10, 100]}, by="sector").table
        im.plots.predictions(im.predictions(fit, at={"owner": ["Local", "Foreign"]}))
    """
    from intlmodels.results import interpret

    return interpret.predictions(fit, at, by, prob)


@checked
def comparisons(
    fit: DataTree,
    variables: str | Sequence[str] | Mapping[str, Any],
    at: Mapping[str, Any] | None = None,
    by: str | Sequence[str] | None = None,
    prob: float = 0.95,
) -> Interpretation:
    """Differences of expected shares if a predictor changes, in percentage points, draw by draw.

    As ``avg_comparisons`` of marginaleffects, each row with itself, averaged over the rows.

    Parameters
    ----------
    fit : xarray.DataTree
    variables : str, list of str, or mapping
        What changes. By default each level is compared with the first, and a number with one unit
        more. In a mapping a predictor with levels takes ``"reference"``, ``"sequential"``,
        ``"pairwise"`` or a list of levels, of which each is compared with the first; a numeric one
        a step in its own unit, a list of values, of which each is compared with the first, or
        ``"sd"``, one standard deviation around its mean.
    at, by, prob
        As for :func:`predictions`.

    Returns
    -------
    Interpretation
        See :func:`predictions`; its draws have the dimension ``contrast``, its table
        ``p_positive`` and ``p_direction``.

    Raises
    ------
    StudyError
        For an unknown predictor or level, or a fit of another model.

    Examples
    --------
    ::

        im.comparisons(fit, "owner", by="sector")
        im.comparisons(fit, {"size": [10, 100]}, at={"owner": ["Local", "Foreign"]})
    """
    from intlmodels.results import interpret

    return interpret.comparisons(fit, variables, at, by, prob)


@checked
def slopes(
    fit: DataTree,
    variables: str | Sequence[str],
    at: Mapping[str, Any] | None = None,
    by: str | Sequence[str] | None = None,
    prob: float = 0.95,
) -> Interpretation:
    """Slopes of expected shares in numeric predictors, in percentage points per unit of each.

    As ``avg_slopes`` of marginaleffects: the derivative at each row's own value, averaged over the
    rows; draw by draw, by central differences.

    Parameters
    ----------
    fit : xarray.DataTree
    variables : str or list of str
        Numeric predictors.
    at, by, prob
        As for :func:`predictions`; ``at`` may set the predictor itself: its slope there.

    Returns
    -------
    Interpretation
        See :func:`predictions`; its draws have the dimension ``slope``, its table ``p_positive``
        and ``p_direction``.

    Raises
    ------
    StudyError
        For an unknown predictor or one with levels, or a fit of another model.

    Examples
    --------
    ::

        im.slopes(fit, "size").table
        im.slopes(fit, "size", at={"owner": ["Local", "Foreign"]}).table
    """
    from intlmodels.results import interpret

    return interpret.slopes(fit, variables, at, by, prob)


@checked
def turning_points(fit: DataTree, prob: float = 0.95) -> DataFrame:
    """Where quadratic curves turn, and the probability of a U or an inverted U.

    Where the predictor is in an interaction, this is its curve where the other predictor has the
    code 0.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``unit``, ``observed_low``, ``observed_high``; ``median``,
        ``ci_low`` and ``ci_high`` of the turning point in the predictor's own unit; ``p_inside``
        (probability that it lies within the observed range); ``p_u`` and ``p_inverted``
        (probability that the slopes at both ends of the range are those of a U, or an inverted U:
        the Bayesian counterpart of the test of Lind and Mehlum 2010, Oxford Bulletin of Economics
        and Statistics 72, 109-118).

    Raises
    ------
    StudyError
        For a tree that is not a fit, or a ``prob`` that is not between 0 and 1.

    Examples
    --------
    ::

        im.turning_points(fit)  # of a study with curve = "quadratic"
    """
    from intlmodels.results.interpret import turning_points as table

    return table(fit, prob)


@checked
def slopes_in_units(fit: DataTree, prob: float = 0.95) -> DataFrame:
    """Coefficients of numeric predictors per standard deviation and in the predictor's own unit.

    On the logit scale; with structural zeros also those of the log odds of a zero. Of a predictor
    that enters by its logarithm per doubling; of others per power of ten of its unit, the largest
    up to the standard deviation.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``per`` (``standard deviation``, ``10,000 dollars``,
        ``doubling``), ``mean``, ``median``, ``sd``, ``ci_low``, ``ci_high``, ``p_positive``,
        ``p_direction``, ``p_error``, ``converged``.

    Raises
    ------
    StudyError
        For a tree that is not a fit, or a ``prob`` that is not between 0 and 1.

    Examples
    --------
    ::

        im.slopes_in_units(fit)
    """
    from intlmodels.results.interpret import slopes_in_units as table

    return table(fit, prob)


def audit_of(study: Study) -> tuple[str, dict[str, DataFrame]]:
    """The audit of a study: text for a person, and tables by file name."""
    require_firms(study, "an audit")
    if isinstance(study, ShareStudy):
        lines = sources.crosscheck_lines(study.crosschecks, study.firms)
        table = sources.crosscheck_table(study.crosschecks, study.firms)
        return "\n".join(lines), {"crosschecks.csv": table}
    assert isinstance(study, DecayStudy)
    if not study.counts:
        raise StudyError(
            "nothing to audit: the decisions of this study are known, and there are no counts",
            file="study.toml",
        )
    rows = counts.rows(study.counts, study.firms, study.periods)
    found = audit.audit(rows, study.groups)
    text, tables = audit.audit_text(found), audit.audit_tables(found)
    if study.attributes:
        attributes = audit.audit_attributes(study, found)
        text = "\n\n".join([text, *map(audit.attribute_text, attributes)])
        tables["audit_attributes.csv"] = audit.attribute_bounds(attributes)
    return text, tables


@checked
def audit_tables(study: Study | str | Path) -> dict[str, DataFrame]:
    """Audit what a study prints: contradictions, largest consistent sets, repairs, bounds.

    Parameters
    ----------
    study : Study, str or path
        With published counts, or with crosschecks between its tables.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``audit_conflicts.csv``, ``audit_largest.csv``, ``audit_repairs.csv`` and
        ``audit_bounds.csv``, and ``audit_attributes.csv`` where the study has attributes; for a
        share study ``crosschecks.csv``.

    Raises
    ------
    StudyError
        If the study has neither counts nor crosschecks, or more counts than an audit takes.

    Examples
    --------
    ::

        im.audit_tables("norway")["audit_repairs.csv"]
    """
    return audit_of(_loaded(study))[1]


@checked
def attribute_table(study: Study | str | Path, fit: DataTree, prob: float = 0.95) -> DataFrame:
    """Decisions with each level of a study's attributes: bounds, posterior, prior, and a verdict.

    Parameters
    ----------
    study : Study, str or path
        With tables [attributes.NAME].
    fit : xarray.DataTree
        Of its counts, in the reading of the default.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    pandas.DataFrame
        One row per number of decisions: ``attribute``, ``level``, ``kind``, ``name``, ``period``,
        ``flag``; ``low`` and ``high``, what the counts alone allow; mean, median and interval of
        the posterior; ``prior_low`` and ``prior_high``; ``verdict`` (follows from the counts,
        bounded, or not identified); ``effective_draws``, where the counts of the attribute also
        restrict the table of decisions.

    Raises
    ------
    StudyError
        If the study has no attributes, the fit is another one, or no table that it drew allows the
        counts of an attribute.

    Examples
    --------
    ::

        im.attribute_table("norway", im.fit_study("norway"))
    """
    import pandas as pd

    from intlmodels.audit.attributes import audit_attribute, cost_of
    from intlmodels.results.attributes import attribute_table as table

    loaded = _loaded(study)
    if not isinstance(loaded, DecayStudy) or not loaded.attributes:
        raise StudyError(
            "this study has no attributes; expected tables [attributes.NAME]", file="study.toml"
        )
    cost = cost_of(loaded)
    audits = [audit_attribute(loaded, own, cost) for own in loaded.attributes.values()]
    return pd.concat([table(loaded, own, fit, prob) for own in audits], ignore_index=True)


@checked
def reconstruct(fit: DataTree, draws: int = 1, seed: int | None = None) -> DataFrame:
    """Complete tables of decisions drawn from a fit of counts, marked as reconstructed.

    One table is one guess among many. What holds in all of them is known; what differs between
    them is not.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a study of which only counts are known.
    draws : int
        How many tables; evenly spaced over the stored draws.
    seed : int, optional
        For the order of decisions within a firm and period; by default the seed of the fit.

    Returns
    -------
    pandas.DataFrame
        One row per decision: ``draw`` (1, 2, ...), ``firm``, ``period``, ``prior_entries``,
        ``flag`` (yes or no), ``status`` (always ``reconstructed``).

    Raises
    ------
    StudyError
        If the decisions of the study are known, or fewer tables are stored than asked for.

    Examples
    --------
    ::

        im.reconstruct(fit, draws=10)  # of a study of published counts
    """
    from intlmodels.models.decay.inferencedata import reconstruct as draw

    return draw(fit, draws, seed)


@checked
def calibrate(
    study: Study | str | Path,
    out: str | Path,
    sims: int = 500,
    *,
    variant: str = DEFAULT,
    wrong: Sequence[str] = (),
    priors: Mapping[str, str] | None = None,
    cores: int | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> CheckResults:
    """Simulate studies like this one, fit each, and see whether the truth is found.

    Parameters
    ----------
    study : Study, str or path
    out : str or path
        Folder in which every simulation and the result are stored. An interrupted run resumes.
    sims : int
        Number of simulated studies.
    variant : str
    wrong : sequence of str
        Deliberate errors that must be detected: names, or ``["all"]``.
    priors : mapping of str to str, optional
    cores : int, optional
        Processes; all cores if not given.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers then do the fits.
    **settings
        Of each fit: ``draws``, ``tune``, ``chains``, ``seed``, ``sweeps``.

    Returns
    -------
    CheckResults
        With ``calibration`` and, if asked for, ``wrong``; see :func:`trust_tables`.

    Raises
    ------
    StudyError
        For what cannot be simulated, before anything is computed.

    Examples
    --------
    ::

        found = im.calibrate("rochester", "reports/rochester", sims=100)
        im.trust_tables(found)["calibration.csv"]
    """
    from intlmodels.checks.calibration import run_calibration
    from intlmodels.checks.runner import ExecutionOptions

    found, detected = run_calibration(
        _loaded(study),
        Path(out),
        ExecutionOptions(cores, scheduler),
        sims=sims,
        variant=variant,
        misspecified=wrong,
        overrides=priors,
        settings=settings,
    )
    return replace(NOTHING, calibration=CachedResult(found), wrong=CachedResult(detected))


@checked
def compare(
    study: Study | str | Path,
    out: str | Path,
    *,
    priors: Mapping[str, str] | None = None,
    cores: int | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> CheckResults:
    """Leave out every firm (or count) once, refit, predict it, and compare the variants.

    Parameters
    ----------
    study : Study, str or path
    out : str or path
        Folder in which every refit and the result are stored. An interrupted run resumes.
    priors : mapping of str to str, optional
        As for :func:`fit_study`.
    cores, scheduler
        As for :func:`calibrate`.
    **settings
        Of each fit, as for :func:`calibrate`.

    Returns
    -------
    CheckResults
        With ``comparison``, and of published counts ``evidence``; see :func:`trust_tables`.

    Raises
    ------
    StudyError
        For a register, or an unknown setting or prior, before anything is computed.

    Examples
    --------
    ::

        found = im.compare("rochester", "reports/rochester")
        im.trust_tables(found)["elpd.csv"]
    """
    from intlmodels.checks.comparison import run_comparison
    from intlmodels.checks.runner import ExecutionOptions

    found, evidence = run_comparison(
        _loaded(study),
        Path(out),
        ExecutionOptions(cores, scheduler),
        overrides=priors,
        settings=settings,
    )
    summed = NOTHING.evidence if evidence is None else CachedResult(evidence)
    return replace(NOTHING, comparison=CachedResult(found), evidence=summed)


@checked
def sensitivity(
    study: Study | str | Path,
    out: str | Path,
    *,
    cores: int | None = None,
    scheduler: str | None = None,
) -> CheckResults:
    """See how far conclusions move under other priors and readings.

    Parameters
    ----------
    study : Study, str or path
    out : str or path
        Folder with a current fit, as ``intlmodels fit --out`` writes it.
    cores, scheduler
        As for :func:`calibrate`.

    Returns
    -------
    CheckResults
        With ``sensitivity``; see :func:`trust_tables`.

    Raises
    ------
    StudyError
        If there is no current fit that converged.

    Examples
    --------
    ::

        found = im.sensitivity("rochester", "reports/rochester")
        im.trust_tables(found)["sensitivity.csv"]
    """
    from intlmodels.checks.runner import ExecutionOptions
    from intlmodels.checks.sensitivity import run_sensitivity

    found = run_sensitivity(_loaded(study), Path(out), ExecutionOptions(cores, scheduler))
    return replace(NOTHING, sensitivity=CachedResult(found))


@checked
def influence(
    study: Study | str | Path,
    out: str | Path,
    *,
    cores: int | None = None,
    scheduler: str | None = None,
) -> CheckResults:
    """See which firms or counts conclusions rest on: leave out each, and fit again.

    Of published counts also groups are left out: those of the same firms and periods, and those
    from one place of the source.

    Parameters
    ----------
    study : Study, str or path
    out : str or path
        Folder with a current fit, as ``intlmodels fit --out`` writes it; finished refits are stored
        there, and an interrupted run resumes.
    cores, scheduler
        As for :func:`calibrate`.

    Returns
    -------
    CheckResults
        With ``influence``; see :func:`trust_tables`.

    Raises
    ------
    StudyError
        If there is no current fit that converged, or for a register.

    Examples
    --------
    ::

        found = im.influence("rochester", "reports/rochester")
        im.trust_tables(found)["influence.csv"]
    """
    from intlmodels.checks.influence import run_influence
    from intlmodels.checks.runner import ExecutionOptions

    found = run_influence(_loaded(study), Path(out), ExecutionOptions(cores, scheduler))
    return replace(NOTHING, influence=CachedResult(found))


@checked
def multiverse(
    study: Study | str | Path,
    out: str | Path,
    *,
    axes: Sequence[str] = (),
    priors: Mapping[str, str] | None = None,
    cores: int | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> CheckResults:
    """Fit every combination of readings, families and priors.

    Parameters
    ----------
    study : Study, str or path
    out : str or path
        Folder in which finished combinations and the result are stored. An interrupted run resumes.
    axes : sequence of str, optional
        What is crossed, such as ``("family", "priors")``; all axes of the study if empty.
    priors : mapping of str to str, optional
        As for :func:`fit_study`; the axis ``priors`` multiplies their scales.
    cores, scheduler
        As for :func:`calibrate`.
    **settings
        Of each fit, as for :func:`calibrate`.

    Returns
    -------
    CheckResults
        With ``multiverse``; see :func:`trust_tables`.

    Raises
    ------
    StudyError
        For an unknown axis, setting or prior, or a register.

    Examples
    --------
    ::

        found = im.multiverse("rochester", "reports/rochester", axes=["family", "priors"])
        im.trust_tables(found)["multiverse.csv"]
    """
    from intlmodels.checks.multiverse import run_multiverse
    from intlmodels.checks.runner import ExecutionOptions

    options = ExecutionOptions(cores, scheduler)
    found = run_multiverse(
        _loaded(study),
        Path(out),
        options,
        axes=list(axes),
        overrides=dict(priors or {}),
        settings=settings,
    )
    return replace(NOTHING, multiverse=CachedResult(found))


@checked
def design(
    study: Study | str | Path,
    out: str | Path,
    firms: Sequence[int] = (),
    sims: int = 100,
    *,
    source: str = "posterior",
    priors: Mapping[str, str] | None = None,
    cores: int | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> CheckResults:
    """Simulate studies of other numbers of firms, and count how often each comparison is decided.

    Predictors are rows of the study, drawn with replacement: four samples for each number of firms,
    which its simulations share. A comparison is decided when the probability of its sign is at
    least 0.975.

    Parameters
    ----------
    study : Study, str or path
        Of shares, with one row for each firm.
    out : str or path
        Folder in which finished simulations and the result are stored. An interrupted run resumes.
    firms : sequence of int, optional
        Numbers of firms; once, twice, four and eight times as many as the study has if empty.
    sims : int
        Simulated studies per number of firms.
    source : {"posterior", "prior"}
        Where the true parameters come from: draws of the fit stored in ``out``, or of the priors.
    priors : mapping of str to str, optional
        As for :func:`fit_study`; with parameters from the prior only.
    cores, scheduler
        As for :func:`calibrate`.
    **settings
        Of each fit, as for :func:`calibrate`.

    Returns
    -------
    CheckResults
        With ``design``; see :func:`trust_tables`.

    Raises
    ------
    StudyError
        For a study that cannot be simulated, numbers of firms below the number of levels of a
        predictor, an unknown setting or prior, or without a current fit that converged.

    Examples
    --------
    ::

        found = im.design("rochester", "reports/rochester", firms=[22, 50, 100])
        im.trust_tables(found)["design.csv"]
    """
    from intlmodels.checks.designanalysis import run_design
    from intlmodels.checks.runner import ExecutionOptions

    found = run_design(
        _loaded(study),
        Path(out),
        ExecutionOptions(cores, scheduler),
        firms=firms,
        sims=sims,
        source=source,
        overrides=priors,
        settings=settings,
    )
    return replace(NOTHING, design=CachedResult(found))


@checked
def claim_table(study: Study | str | Path, out: str | Path) -> DataFrame:
    """Hold what a publication says against its tables and the fits stored in ``out``.

    Parameters
    ----------
    study : Study, str or path
        With tables [[claims]].
    out : str or path
        Folder with a current fit, as ``intlmodels fit --out`` writes it.

    Returns
    -------
    pandas.DataFrame
        One row per claim, among others: ``id``, ``claim``, ``where``, ``rule``, ``how`` (the rule
        in words), ``verdict``, ``probability`` with its Monte Carlo error ``probability_error``,
        ``prior_probability``, ``p_relevant``, ``p_negligible``, ``p_opposite``, ``effect_median``,
        ``effect_low``, ``effect_high``, ``effect_unit``, ``numbers`` (what was found, in words),
        ``fit`` (the one that was asked) and ``converged``.

    Raises
    ------
    StudyError
        If the study has no claims, or there is no current fit.

    Examples
    --------
    ::

        im.claim_table("rochester", "reports/rochester")[["id", "claim", "verdict"]]
    """
    from intlmodels.report.data import gather

    loaded = _loaded(study)
    if not loaded.claims:
        raise StudyError(
            "this study has no claims; expected tables [[claims]], for which intlmodels claims "
            "--rules lists the rules",
            file="study.toml",
        )
    return gather(loaded, Path(out)).claims


@checked
def read_trust(study: Study | str | Path, out: str | Path) -> CheckResults:
    """Read what calibration, comparison and sensitivity found before.

    Parameters
    ----------
    study : Study, str or path
    out : str or path
        Folder of its report, such as ``reports/rochester``.

    Returns
    -------
    CheckResults
        What is stored there and still what the study asks for; see :func:`trust_tables`.

    Raises
    ------
    StudyError
        If nothing is.

    Examples
    --------
    ::

        found = im.read_trust("rochester", "reports/rochester")
    """
    study = _loaded(study)
    require_firms(study, "what calibration, comparison and sensitivity find")
    found = stored.read_checks(study, Path(out), jobs.stored_overrides(study, Path(out)))
    parts = {kind: getattr(found, kind) for kind in stored.KINDS}
    if all(part.value is None for part in parts.values()):
        why = "; ".join(f"{kind}: {part.reasons[0]}" for kind, part in parts.items())
        raise StudyError(
            f"no current results are stored here ({why}); run intlmodels calibrate, compare or "
            "sensitivity first",
            file=str(Path(out) / stored.FOLDER),
        )
    return found


@checked
def trust_tables(found: CheckResults) -> dict[str, DataFrame]:
    """Tables of what was found, by file name.

    Parameters
    ----------
    found : CheckResults
        From :func:`calibrate`, :func:`compare`, :func:`sensitivity` or :func:`read_trust`.

    Returns
    -------
    dict of str to pandas.DataFrame
        Those that there are of ``calibration.csv``, ``verdict_rates.csv``, ``elpd.csv``,
        ``evidence.csv``, ``leave_one_out.csv``, ``sensitivity.csv``, ``power_scaling.csv``,
        ``multiverse.csv``, ``influence.csv`` and ``design.csv``.

    Examples
    --------
    ::

        tables = im.trust_tables(im.read_trust("rochester", "reports/rochester"))
        tables["calibration.csv"]
    """
    from intlmodels.checks.tables import csv_tables

    return csv_tables(found)


@checked
def write_report(study: Study | str | Path, out: str | Path) -> Path:
    """Write the report of the fits stored in ``out``.

    Parameters
    ----------
    study : Study, str or path
    out : str or path
        Folder with the stored fits, in which the report is written.

    Returns
    -------
    Path
        The report's HTML page, ``index.html``; ``report.md`` beside it has the same text.

    Raises
    ------
    StudyError
        If ``out`` holds no fit of the study.

    Examples
    --------
    ::

        fit = im.fit_study("rochester", out="reports/rochester")
        im.write_report("rochester", "reports/rochester")
    """
    return report.write(_study(study, Path(out)), Path(out))


@checked
def export(
    study: Study | str | Path,
    out: str | Path,
    *,
    widths: Sequence[float] = paper.WIDTHS,
    dpi: int = paper.DPI,
) -> Path:
    """Write what a paper needs from the fits stored in ``out``, into its folder ``paper``.

    Tables as CSV, LaTeX and HTML for a word processor; figures as SVG, PDF and PNG; methods
    written from the settings; references as BibTeX; the draws as netCDF.

    Parameters
    ----------
    study : Study, str or path
    out : str or path
        Folder with the stored fits.
    widths : sequence of float
        Of the figures, in millimetres.
    dpi : int
        Pixels an inch of the PNG figures.

    Returns
    -------
    Path
        The folder ``paper``.

    Raises
    ------
    StudyError
        If ``out`` holds no current fit of the study; then nothing is written.

    Examples
    --------
    ::

        im.export("rochester", "reports/rochester", widths=[120], dpi=600)
    """
    return paper.write(_study(study, Path(out)), Path(out), widths=widths, dpi=dpi)
