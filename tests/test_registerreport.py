"""A register from the command line to its report, without sampling."""

import numpy as np
import pytest
import xarray as xr

import intlmodels as im
from intlmodels.fitting.fit import fit
from intlmodels.models.coordinates import RAW
from intlmodels.models.share import cells
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.models.share.estimands import estimate, variation_by_source
from intlmodels.results import share
from intlmodels.results.share import grid_counts, observed_counts
from registers import some_rows, write_csv, write_register
from test_cli import below, run


def mock_sample(model, settings, progress):
    """Stand in for the sampler: the coordinates are about standard normal."""
    rng = np.random.default_rng(settings.seed)
    shape = (settings.chains, 200)
    size = int(model.initial_point()[RAW].size)
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    raw = xr.Dataset({RAW: (("chain", "draw", "x"), rng.normal(size=(*shape, size)))}, coords)
    stats = {
        "diverging": np.zeros(shape, bool),
        "maxdepth_reached": np.zeros(shape, bool),
        "energy": rng.normal(size=shape),
        "step_size": np.full(shape, 0.3),
        "n_steps": np.full(shape, 7),
    }
    return raw, xr.Dataset(
        {k: (("chain", "draw"), v) for k, v in stats.items()}, coords, {"sampling_time": 1.0}
    )


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(cells, "sample", mock_sample)


@pytest.fixture
def folder(tmp_path):
    made = write_register(tmp_path / "lake", files="rows", label="firm-year")
    write_csv(made / "rows" / "a.csv", [*some_rows(400), ("", "Toys", "small", "1")])
    return made


def test_check_looks_and_reads_nothing_more(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "check", folder)
    assert code == 0
    assert "found: 1 csv files" in out
    assert "branch: 3 values: Boats, Tools, Toys" in out
    write_csv(folder / "rows" / "a.csv", [("7", "Toys", "small", "1"), *some_rows()])
    assert "cannot be read: '7'" in run(capsys, "check", folder)[1]
    assert below(tmp_path / "reports") == []


def test_reduce_tells_and_keeps_the_counts(capsys, folder, tmp_path):
    out = tmp_path / "out"
    code, told, err = run(capsys, "reduce", folder, "--out", out)
    assert code == 0
    assert "rows      401" in told
    assert "left out  1 rows without a share" in told
    assert below(out) == ["cells.csv", "cells.json"]
    assert "counting the rows" in err
    assert "counting" not in run(capsys, "reduce", folder, "--out", out)[2]
    assert "counting" in run(capsys, "reduce", folder, "--out", out, "--again")[2]
    assert run(capsys, "reduce", "rochester")[0] == 2


@pytest.mark.slow
def test_fit_report_and_export(capsys, quick, folder, tmp_path):
    out = tmp_path / "out"
    code, _, err = run(capsys, "fit", folder, "--out", out)
    assert code == 0, err
    assert "counting the rows" in err
    assert {"cells.csv", "index.html", "posterior.nc", "tables/data.csv"} <= set(below(out))
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "400 firm-years of a register" in text
    text = (out / "appendix.md").read_text(encoding="utf-8")
    assert "Left out because no share is reported: 1" in text
    assert "are for studies that list their" in text
    assert (out / "tables" / "predictions.csv").read_text("utf-8").startswith("combination,rows")
    again = run(capsys, "fit", folder, "--out", out)[2]
    assert "unchanged, not fitted again" in again
    assert "report: unchanged" in again
    assert run(capsys, "report", folder, "--out", out, "--check")[0] == 0
    assert run(capsys, "export", folder, "--out", out)[0] == 0
    assert "counts of" in (out / "paper" / "methods.md").read_text(encoding="utf-8")
    # New rows: counted and fitted again.
    write_csv(folder / "rows" / "b.csv", some_rows())
    err = run(capsys, "fit", folder, "--out", out)[2]
    assert "to be fitted" in err
    assert "data of rows of each cell changed" in err


def test_priors_and_variants_are_told(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "sigma_branch" in run(capsys, "priors", folder)[1]
    told = run(capsys, "variants", folder)[1]
    assert "heaped" in told
    assert "density" not in told
    code, _, err = run(capsys, "priors", folder, "--variant", "density")
    assert code == 2
    assert "row by row" in err


def test_what_needs_firms_is_refused(capsys, folder, tmp_path):
    for command in ("calibrate", "compare", "sensitivity", "claims", "reconstruct"):
        code, _, err = run(capsys, command, folder, "--out", tmp_path / "out")
        assert code == 2
        assert "does not apply to a register" in err
    assert below(tmp_path / "out") == []


def spelled_out(tree):
    """The same fit with one firm for each row of the register."""
    constant = tree["constant_data"].to_dataset()
    each = np.repeat(np.arange(constant.sizes["firm"]), constant["rows"].to_numpy())
    rows = constant.drop_vars("rows").isel(firm=each)
    rows = rows.assign_coords(firm=[f"row {i}" for i in range(len(each))])
    made = xr.DataTree.from_dict(
        {"posterior": tree["posterior"].to_dataset(), "constant_data": rows}
    )
    made.attrs = dict(tree.attrs)
    return made


def test_averages_over_combinations_are_those_over_rows(quick, folder):
    tree = fit(im.reduce(folder), settings=cells.Settings(draws=200, chains=2))
    found, rows = estimate(tree), estimate(spelled_out(tree))
    for name in ("average_share", "expected_share", "difference", "variation"):
        np.testing.assert_allclose(found[name], rows[name], rtol=1e-9, atol=1e-9)
    tree["estimands"] = xr.DataTree(found)
    made = spelled_out(tree)
    made["estimands"] = xr.DataTree(rows)
    for each in (tree, made):
        each.attrs["gate"] = "[]"
    assert share.levels(tree)["firms"].tolist() == share.levels(made)["firms"].tolist()
    names, parts = variation_by_source(Coefficients(tree))
    assert names == ["branch", "size", "age", "not explained"]
    np.testing.assert_allclose(parts.sum(axis=1), 100)


def test_predicted_registers_have_as_many_rows_each_its_own_share(quick, folder):
    tree = fit(im.reduce(folder), settings=cells.Settings(draws=200, chains=2))
    seen = observed_counts(tree)
    assert seen.sum() == 400
    drawn = grid_counts(tree, "posterior_predictive")[1]
    assert (drawn.sum(axis=1) == 400).all()
    # Not all rows of a combination print the same: hardly any count is the same in two draws.
    assert drawn.std(axis=0)[:5].min() > 1
    expected = np.array([float(row[0]) for row in some_rows(400)])
    values = tree["constant_data"]["printed_grid"].to_numpy()
    assert seen @ values / 400 == pytest.approx(expected.mean())


def test_figures_of_single_firms_are_those_of_rows(quick, folder, tmp_path):
    tree = im.fit_study(folder, out=tmp_path / "out", chains=4)
    for draw in (im.plots.data, im.plots.prior_predictive, im.plots.posterior_predictive):
        assert draw(tree).axes
    assert im.plots.estimates(tree).axes
    assert len(im.differences(tree)) == 5
    assert im.predict(tree, {"branch": "Toys"})["probability"].sum() == pytest.approx(1)
