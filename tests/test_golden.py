"""Results do not change unless their version number does."""

import json
import platform

import pytest

import golden
from golden import cases, changed, path_of, record

#: Seconds with warm caches; the other cases compile a model each.
QUICK = [case for case in cases() if case[0] in ("norway", "decisions")] + [
    ("rochester", "default")
]

on_x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="draws are recorded on x86-64"
)


def check(name, variant, folder):
    old = json.loads(path_of(name, variant).read_text(encoding="utf-8"))
    new = record(name, variant, folder)
    assert changed(old, new) == ""
    assert old["versions"] == new["versions"], "record the golden results again: make golden"


@on_x86
@pytest.mark.parametrize(("name", "variant"), QUICK)
def test_results_are_those_recorded(name, variant, tmp_path):
    check(name, variant, tmp_path)


@on_x86
@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), [case for case in cases() if case not in QUICK])
def test_results_of_every_variant_and_data_shape_are_those_recorded(name, variant, tmp_path):
    check(name, variant, tmp_path)


def test_a_changed_result_needs_another_version_number():
    numbers = {"model": 1, "estimands": 1, "report": 1}
    old = {"versions": numbers, "draws": {"a": [1.0]}, "estimands": {"b": [2.0]}, "report": "x"}
    assert changed(old, old) == ""
    drawn = {**old, "draws": {"a": [1.1]}}
    assert changed(old, drawn) == "draws changed (a): raise MODEL_VERSION if that is meant"
    assert changed(old, {**drawn, "versions": {**numbers, "model": 2}}) == ""
    estimated = {**old, "estimands": {"b": [2.0], "c": [3.0]}}
    assert "raise ESTIMANDS_VERSION" in changed(old, estimated)
    assert "raise REPORT_VERSION" in changed(old, {**old, "report": "y"})


def test_every_recorded_case_is_tested():
    recorded = {path.name for path in golden.FOLDER.glob("*.json")}
    assert recorded == {path_of(*case).name for case in cases()}
