"""What the solver found before: taken from beside the fits, and only for the very same question."""

import json
from dataclasses import replace

import numpy as np
import pytest

from intlmodels.audit import conflicting, consequences, system
from intlmodels.core.versions import COUNTS_VERSION
from intlmodels.studies import load_study
from intlmodels.studies.counts import rows


@pytest.fixture(scope="module")
def study():
    return load_study("norway")


@pytest.fixture
def asked(monkeypatch):
    """How often the solver is asked."""
    times = []
    for module, name in ((consequences, "_search"), (conflicting, "_smallest")):
        find = getattr(module, name)

        def counted(*arguments, find=find):
            times.append(arguments)
            return find(*arguments)

        monkeypatch.setattr(module, name, counted)
    return times


def ask(study, counts=None):
    r = rows(counts or study.counts, study.firms, study.periods)
    return consequences.cheapest(r, keep_hard=True), conflicting.smallest_conflict(r)


def test_the_same_question_is_asked_once(study, asked, tmp_path):
    with system.use_cache(tmp_path):
        (first, complete), conflict = ask(study)
    assert len(asked) == 2
    with system.use_cache(tmp_path):
        (second, again), same = ask(study)
    assert len(asked) == 2
    assert complete
    assert again
    assert conflict == same
    assert [repair.changes for repair in first] == [repair.changes for repair in second]
    for one, other in zip(first, second, strict=True):
        assert (one.cost, one.touches_hard) == (other.cost, other.touches_hard)
        np.testing.assert_array_equal(one.table, other.table)
        assert one.table.dtype == other.table.dtype


def test_another_value_is_another_question(study, asked, tmp_path):
    with system.use_cache(tmp_path):
        ask(study)
    changed = [replace(c, value=c.value + 1) if c.id == "M30" else c for c in study.counts]
    with system.use_cache(tmp_path):
        ask(study, changed)
    assert len(asked) == 4


def test_that_nothing_conflicts_is_an_answer_too(study, asked, tmp_path):
    hard = [count for count in study.counts if count.hard]
    for _ in range(2):
        with system.use_cache(tmp_path):
            assert ask(study, hard)[1] is None
    assert len(asked) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"version": 0, "answers": {}, "checksum": "x"}',
        "[" * 200_000,
        '{"version": 1}',
        "9" * 10_000,
    ],
)
def test_what_cannot_be_used_counts_as_nothing(study, asked, tmp_path, content):
    (tmp_path / system.FILE).write_text(content)
    with system.use_cache(tmp_path):
        ask(study)
    assert len(asked) == 2
    stored = json.loads((tmp_path / system.FILE).read_text())
    assert stored["version"] == COUNTS_VERSION


def test_a_search_that_was_cut_short_is_made_again(study, asked, tmp_path, monkeypatch):
    monkeypatch.setattr(consequences, "MOST_REPAIRS", 1)
    for _ in range(2):
        with system.use_cache(tmp_path):
            assert not ask(study)[0][1]
    assert len(asked) == 3


def test_nothing_is_kept_without_being_asked_to(study, asked):
    ask(study)
    ask(study)
    assert len(asked) == 4


@pytest.mark.parametrize("part", ['"answers": {"', '"checksum": "'])
def test_a_changed_answer_is_asked_for_again(study, asked, tmp_path, part):
    with system.use_cache(tmp_path):
        ask(study)
    path = tmp_path / system.FILE
    whole = path.read_bytes()
    content = bytearray(whole)
    for place in range(whole.index(part.encode()) + len(part), len(whole)):
        if chr(content[place]).isdigit():
            content[place] ^= 1
            break
    path.write_bytes(content)
    with system.use_cache(tmp_path):
        ask(study)
    assert len(asked) == 4
    assert path.read_bytes() == whole
