"""Whether there is any table of decisions at all that the counts of a study allow.

A study whose hard counts contradict each other can be read, described and audited, but not
fitted: no table has a probability above zero.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from intlmodels.audit import smallest_conflict
from intlmodels.counts import Count, rows
from intlmodels.errors import StudyError
from intlmodels.study import DecayStudy, Study


def require_possible(study: Study) -> None:
    """Refuse a study whose hard counts cannot hold together, in any of its readings.

    Parameters
    ----------
    study : Study
        Of any model; one without counts has nothing to refuse.

    Raises
    ------
    StudyError
        Naming the smallest conflict, or the first hard count that the known decisions miss.
    """
    if not isinstance(study, DecayStudy) or not study.counts:
        return
    _require_together(study.counts, study.firms, study.periods, "")
    for reading in study.readings.values():
        _require_together(reading.counts, study.firms, reading.periods, reading.name)
    if study.decisions is not None:
        _require_agreement(study)


def _require_together(
    counts: Iterable[Count], firms: tuple[str, ...], periods: tuple[str, ...], reading: str
) -> None:
    hard = {count.id: count for count in counts if count.hard}
    conflict = smallest_conflict(rows(hard.values(), firms, periods))
    if conflict is None:
        return
    named = [hard[name] for name in conflict]
    files = {count.file for count in named}
    where = f", in the variant {reading!r}" if reading else ""
    raise StudyError(
        f"hard counts that cannot hold together{where}: "
        f"{', '.join(_told(count, len(files) > 1) for count in named)}; expected hard counts to "
        "agree: mend one, or make one noisy",
        file=named[0].file if len(files) == 1 else None,
    )


def _require_agreement(study: DecayStudy) -> None:
    """Refuse hard counts that the decisions themselves do not give."""
    if study.decisions is None:
        return
    hard = tuple(count for count in study.counts if count.hard)
    system = rows(hard, study.firms, study.periods)
    true = system.true(study.decisions.table(study.firms, study.periods))
    for row in np.flatnonzero(system.deviation(true)):
        count = hard[system.count[row]]
        raise StudyError(
            f"{count.id} is hard, but [decisions] gives {true[row]}; expected the two to agree: "
            "mend one, or make the count noisy",
            file=count.file,
            row=count.row,
            column="value",
            value=str(count.value),
        )


def _told(count: Count, with_file: bool) -> str:
    relation = "" if count.relation == "equal" else f"{count.relation} "
    each = " each" if count.each else ""
    place = f"{count.file}, row {count.row}" if with_file else f"row {count.row}"
    return f"{count.id} ({place}): {relation}{count.value}{each}"
