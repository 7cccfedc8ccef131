"""A refit happens exactly when something it depends on changed; files are whole or old."""

import json
import re
import shutil

import numpy as np
import pytest
import xarray as xr

from intlmodels import store, versions
from intlmodels.errors import StudyError
from intlmodels.fit import Settings
from intlmodels.models import catalogue, priors_of
from intlmodels.study import load_study
from studies import write_study


@pytest.fixture
def rochester(tmp_path):
    """A copy of the built-in study that a test may edit."""
    folder = tmp_path / "study"
    shutil.copytree(load_study("rochester").folder, folder)
    return folder


def print_of(folder, variant="default", overrides=None, **settings):
    study = load_study(folder)
    return store.fingerprint(
        study, variant, priors_of(study, variant, overrides), Settings(**settings)
    )


def stale_variants(folder, before):
    study = load_study(folder)
    return {v for v in catalogue(study) if store.changes(before[v], print_of(folder, v))}


#: Fits that explain something else than the share.
FURTHER = {"stage", "orderly", "orderly-either"}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_nothing_changed_means_nothing_to_do(rochester):
    assert store.changes(print_of(rochester), print_of(rochester)) == []


def test_an_outcome_makes_everything_stale_that_explains_it(rochester):
    before = {v: print_of(rochester, v) for v in catalogue(load_study(rochester))}
    edit(rochester / "table1.csv", "A,0.5,5,30", "A,0.5,5,35")
    assert stale_variants(rochester, before) == set(before) - FURTHER
    reasons = store.changes(before["default"], print_of(rochester))
    assert reasons == ["data of international_revenue_pct changed"]


def test_a_stage_makes_its_fit_stale_and_what_uses_it(rochester):
    before = {v: print_of(rochester, v) for v in catalogue(load_study(rochester))}
    edit(rochester / "table4.csv", "A,Export Agent", "A,Export")
    assert stale_variants(rochester, before) == {"stage", "by-stage"}
    assert store.changes(before["stage"], print_of(rochester, "stage")) == ["data of stage changed"]


def test_another_label_of_the_same_level_makes_nothing_stale(rochester):
    before = {v: print_of(rochester, v) for v in catalogue(load_study(rochester))}
    edit(rochester / "table4.csv", "H,Export Agent", "H,Export and Export Agent")
    assert stale_variants(rochester, before) == set()


def test_another_order_of_the_stages_makes_stale_what_rests_on_it(rochester):
    before = {v: print_of(rochester, v) for v in catalogue(load_study(rochester))}
    edit(rochester / "study.toml", '"export", "agent"', '"agent", "export"')
    assert stale_variants(rochester, before) == {"stage", "by-stage"}


def test_a_revenue_makes_only_the_revenue_variant_stale(rochester):
    before = {v: print_of(rochester, v) for v in catalogue(load_study(rochester))}
    edit(rochester / "table1.csv", "A,0.5,5,30", "A,0.7,5,30")
    assert stale_variants(rochester, before) == {"revenue"}


def test_a_second_product_makes_only_its_variant_stale(rochester):
    before = {v: print_of(rochester, v) for v in catalogue(load_study(rochester))}
    edit(
        rochester / "table2.csv",
        "Both,Photonics Subsystems,Optical Components",
        "Both,Photonics Subsystems,",
    )
    assert stale_variants(rochester, before) == {"second-product"}


def test_a_column_that_no_variant_uses_makes_nothing_stale(rochester):
    before = {v: print_of(rochester, v) for v in catalogue(load_study(rochester))}
    edit(rochester / "table1.csv", "Photonics Value Added,Yes", "Photonics Value Added,No")
    edit(rochester / "study.toml", "title =", "# a comment\ntitle =")
    assert stale_variants(rochester, before) == set()


def test_a_prior_is_named_with_old_and_new(rochester):
    changed = print_of(rochester, overrides={"phi": "Gamma(2, 0.1)"})
    assert store.changes(print_of(rochester), changed) == [
        "prior of phi changed from LogNormal(log(10), 0.8) to Gamma(2, 0.1)"
    ]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("seed", 2),
        ("draws", 500),
        ("tune", 500),
        ("chains", 2),
        ("target_accept", 0.9),
        ("sampler", "pymc"),
    ],
)
def test_a_setting_is_named(rochester, setting, value):
    (reason,) = store.changes(print_of(rochester), print_of(rochester, **{setting: value}))
    assert reason.startswith(f"{setting} changed from ")


def test_cores_do_not_change_the_draws(rochester):
    assert store.changes(print_of(rochester), print_of(rochester, cores=1)) == []


def test_a_raised_version_and_another_library_are_named(rochester, monkeypatch):
    before = print_of(rochester)
    monkeypatch.setitem(versions.MODEL_VERSION, "share", versions.MODEL_VERSION["share"] + 1)
    monkeypatch.setattr(
        store, "release_series", lambda packages: {**before["libraries"], "numpy": "9.9"}
    )
    version = before["model"]["version"]
    assert store.changes(before, print_of(rochester)) == [
        f"model version changed from {version} to {version + 1}",
        f"numpy changed from {before['libraries']['numpy']} to 9.9",
    ]


def test_a_fit_of_an_early_release_is_made_anew_for_one_stated_reason(rochester):
    """These fits carry a hash of source text in place of a version and of libraries."""
    wanted = print_of(rochester)
    early = {name: wanted[name] for name in ("data", "priors", "settings")}
    early["model"] = {"code": "0123456789abcdef", "variant": "default", "family": "beta"}
    reason = store.changes(early, wanted)[0]
    assert reason == f"model version changed from none to {wanted['model']['version']}"
    assert not [text for text in store.changes(early, wanted) if "code" in text]


def test_results_depend_on_release_series_not_on_patches():
    (series,) = versions.release_series(("numpy",)).values()
    assert re.fullmatch(r"\d+\.\d+", series)
    assert np.__version__.startswith(f"{series}.")


def small_tree():
    data = xr.Dataset(
        {"x": (("chain", "draw", "firm"), np.ones((1, 2, 2)))},
        coords={"firm": ['Å, "b" <i>', "日本"]},
    )
    tree = xr.DataTree.from_dict({"posterior": data})
    tree.attrs = {"fingerprint": json.dumps({"data": {}})}
    return tree


def test_labels_of_any_kind_survive_storage(tmp_path):
    store.write(small_tree(), tmp_path / "a.nc")
    back = store.read(tmp_path / "a.nc")
    assert list(back["posterior"]["firm"].to_numpy()) == ['Å, "b" <i>', "日本"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    store.write_text("old", path)

    def interrupted():
        with store.atomically(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not netCDF", b"\x89HDF\r\n\x1a\n"])
def test_a_damaged_file_is_fitted_again(tmp_path, content):
    path = tmp_path / "a.nc"
    path.write_bytes(content)
    assert store.why_refit(path, {}) == ["the stored file cannot be read"]


def test_a_truncated_file_is_fitted_again(tmp_path):
    path = tmp_path / "a.nc"
    store.write(small_tree(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert store.why_refit(path, {}) == ["the stored file cannot be read"]


def test_no_file_is_not_fitted_yet(tmp_path):
    assert store.why_refit(tmp_path / "a.nc", {}) == ["not fitted yet"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StudyError, match="choose another folder with --out"):
        store.require_writable(tmp_path / "file" / "below")


def test_a_study_of_ones_own_has_a_fingerprint_for_every_variant(tmp_path):
    folder = write_study(tmp_path / "own")
    study = load_study(folder)
    prints = [json.dumps(print_of(folder, v)) for v in catalogue(study)]
    assert len(set(prints)) == len(prints)
