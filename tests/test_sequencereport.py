"""A register of decisions from the command line to its report, without sampling."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import intlmodels as im
from decisionregisters import PERIODS, STUDY, random_rows, write_decisions, write_rows
from intlmodels.models.coordinates import RAW
from intlmodels.models.decay import model
from intlmodels.plots.decay import decisions_at
from intlmodels.results.decay import by_entries
from test_cli import below, run


def mock_sample(model, settings, progress):
    """Stand in for the sampler: the coordinates are about standard normal."""
    rng = np.random.default_rng(settings.seed)
    shape = (settings.chains, 200)
    size = int(model.initial_point()[RAW].size)
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    raw = 0.5 * rng.normal(size=(*shape, size))
    stats = {
        "diverging": np.zeros(shape, bool),
        "maxdepth_reached": np.zeros(shape, bool),
        "energy": rng.normal(size=shape),
        "step_size": np.full(shape, 0.3),
        "n_steps": np.full(shape, 7),
    }
    draws = xr.Dataset({RAW: (("chain", "draw", "x"), raw)}, coords)
    return draws, xr.Dataset(
        {k: (("chain", "draw"), v) for k, v in stats.items()}, coords, {"sampling_time": 1.0}
    )


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(model, "sample", mock_sample)


@pytest.fixture
def folder(tmp_path):
    made = write_decisions(tmp_path / "strait", STUDY + PERIODS, files="rows")
    write_rows(made / "rows" / "a.csv", random_rows(np.random.default_rng(2), 300))
    return made


def test_check_looks_and_reads_nothing_more(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "check", folder)
    assert code == 0
    assert "found: 1 csv files" in out
    assert "size: 2 values: large, other" in out
    write_rows(folder / "rows" / "a.csv", [("A", "soon", "yes", "large")])
    assert "cannot be read: 'soon'" in run(capsys, "check", folder)[1]
    assert below(tmp_path / "reports") == []


@pytest.mark.slow
def test_reduce_fit_report_and_export(capsys, quick, folder, tmp_path):
    out = tmp_path / "out"
    code, told, err = run(capsys, "reduce", folder, "--out", out)
    assert code == 0, err
    assert "different sequences" in told
    assert below(out) == ["cells.csv", "cells.json", "places.csv"]
    assert "counting" not in run(capsys, "reduce", folder, "--out", out)[2]
    im.fit_study(folder, "period", out=out)  # several at a time are fitted in other processes
    code, _, err = run(capsys, "fit", folder, "--out", out)
    assert code == 0, err
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "of 300 firms in a register" in text
    text = (out / "appendix.md").read_text(encoding="utf-8")
    assert "different sequences, the longest of 6" in text
    assert "Experience or calendar time?" in text
    assert "do not apply here" in text
    tables = below(out / "tables")
    assert {"curves.csv", "halving.csv", "predictions.csv", "slopes.csv"} <= set(tables)
    again = run(capsys, "fit", folder, "--out", out)[2]
    assert "report: unchanged" in again
    assert run(capsys, "report", folder, "--out", out, "--check")[0] == 0
    assert run(capsys, "export", folder, "--out", out)[0] == 0
    assert "kinds of firms" in (out / "paper" / "methods.md").read_text(encoding="utf-8")
    write_rows(folder / "rows" / "b.csv", [("new", "1999", "yes", "large")])
    err = run(capsys, "fit", folder, "--out", out)[2]
    assert "data of counts of firms changed" in err


def test_rows_set_aside_are_in_the_report(capsys, quick, folder, tmp_path):
    write_decisions(folder, STUDY + PERIODS, files="rows", bad_rows="set aside")
    write_rows(folder / "rows" / "b.csv", [("firm 1", "1999", "maybe", "large")])
    out = tmp_path / "out"
    assert run(capsys, "fit", folder, "--out", out)[0] == 0
    assert "of 299 firms" in (out / "report.md").read_text(encoding="utf-8")
    text = (out / "appendix.md").read_text(encoding="utf-8")
    assert "set aside because they cannot be read: 1 (set" in text
    assert "other rows of 1 firms" in text


def test_a_refusal_is_one_line(folder, tmp_path):
    write_rows(folder / "rows" / "b.csv", [("firm 1", "1999", "maybe", "large")])
    command = [sys.executable, "-m", "intlmodels", "reduce", str(folder)]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()  # what is done, and why it cannot be
    assert "counting the decisions" in first
    assert "row 2" in second


def test_what_needs_firms_or_counts_is_refused(capsys, folder, tmp_path):
    for command in ("calibrate", "compare", "sensitivity", "claims", "reconstruct"):
        code, _, err = run(capsys, command, folder, "--out", tmp_path / "out")
        assert code == 2, command
        assert "does not apply to a register" in err
    code, _, err = run(capsys, "audit", folder)
    assert code == 2
    assert "does not apply to a register" in err
    assert below(tmp_path / "out") == []
    assert (
        run(
            capsys,
            "variants",
            folder,
        )[0]
        == 0
    )


def test_pictures_and_tables_for_notebooks(quick, folder, tmp_path):
    fit = im.fit_study(folder, out=tmp_path / "out")
    for draw in (im.plots.data, im.plots.decisions, im.plots.posterior_predictive, im.plots.curves):
        assert draw(fit).axes
    table = by_entries(fit)
    where = decisions_at(fit)
    for size in ("large", "other"):
        shown = where[(where["size"] == size) & (where["decisions"] > 0)]["decisions"]
        assert shown.tolist() == table[table["size"] == size]["decisions"].tolist()
    assert table["decisions"].sum() == im.reduce(folder).total
    names = set(map(str, fit["posterior"].to_dataset().data_vars))
    assert names == {"intercept", "large", "sigma_firm", "decay_mean", "sigma_decay", "decay"}
