"""A refit happens exactly when something it depends on changed; files are whole or old."""

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray as xr

from intlmodels.core import files, versions
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting import store
from intlmodels.models import catalogue, priors_of
from intlmodels.studies import load_study
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


def every_print(study):
    """The fingerprint of every variant."""
    return {
        v: store.fingerprint(study, v, priors_of(study, v), Settings()) for v in catalogue(study)
    }


@pytest.fixture(scope="module")
def before():
    """Those of the study before it is edited."""
    return every_print(load_study("rochester"))


def stale_variants(folder, before):
    after = every_print(load_study(folder))
    return {v for v, own in after.items() if store.changes(before[v], own)}


#: Fits that explain something else than the share.
ORDERS = {"stage-agent-first", "stage-agent-late"}
AGENTS = {"entry-agents_abroad", "entry-agents_named"}
ENTRIES = {"entry-exporters", "entry-dedicated", "entry-investors", *AGENTS}
FURTHER = {"stage", "orderly", "orderly-either", *ORDERS, *ENTRIES}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_nothing_changed_means_nothing_to_do(rochester):
    assert store.changes(print_of(rochester), print_of(rochester)) == []


def test_an_outcome_makes_everything_stale_that_explains_it(rochester, before):
    edit(rochester / "table1.csv", "A,0.5,5,30", "A,0.5,5,35")
    assert stale_variants(rochester, before) == set(before) - FURTHER
    reasons = store.changes(before["default"], print_of(rochester))
    assert reasons == ["data of international_revenue_pct changed"]


def test_a_stage_makes_its_fit_stale_and_what_uses_it(rochester, before):
    edit(rochester / "table4.csv", "A,Export Agent", "A,Export")
    assert stale_variants(rochester, before) == {"stage", "by-stage", *ORDERS, *AGENTS}
    assert store.changes(before["stage"], print_of(rochester, "stage")) == ["data of stage changed"]


def test_another_label_of_the_same_level_makes_stale_only_an_order_that_tells_them_apart(
    rochester, before
):
    edit(rochester / "table4.csv", "H,Export Agent", "H,Export and Export Agent")
    assert stale_variants(rochester, before) == {"stage-agent-first"}


def test_another_order_of_the_stages_makes_stale_what_rests_on_it(rochester, before):
    edit(rochester / "study.toml", '"export", "agent"', '"agent", "export"')
    assert stale_variants(rochester, before) == {"stage", "by-stage"}


def test_a_revenue_makes_only_the_revenue_variant_stale(rochester, before):
    edit(rochester / "table1.csv", "A,0.5,5,30", "A,0.7,5,30")
    assert stale_variants(rochester, before) == {"revenue"}


def test_a_second_product_makes_only_its_variant_stale(rochester, before):
    edit(
        rochester / "table2.csv",
        "C,Difficult,Manufacturing--limited design,Precision Optics,Photonics Subsystems",
        "C,Difficult,Manufacturing--limited design,Precision Optics,",
    )
    assert stale_variants(rochester, before) == {"second-product"}


def test_a_column_that_no_variant_uses_makes_nothing_stale(rochester, before):
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


def small_tree(**changes):
    """A tree of the form of a fit; ``changes`` of its attributes, None for one that is missing."""
    data = xr.Dataset(
        {"x": (("chain", "draw", "firm"), np.arange(400.0).reshape(2, 100, 2))},
        coords={"firm": ['Å, "b" <i>', "日本"]},
    )
    tree = xr.DataTree.from_dict({"posterior": data})
    attributes = {
        **dict.fromkeys(("study", "model", "variant", "family"), "x"),
        **dict.fromkeys(("comparable", "seed", "estimands_version"), 1),
        "retried": "",
        "ess": 400.0,
        "fingerprint": '{"data": {}}',
        "priors": "{}",
        "shown": "[]",
        "settings": '{"draws": 100}',
        "versions": "{}",
        "gate": "[]",
        **changes,
    }
    tree.attrs = {name: value for name, value in attributes.items() if value is not None}
    return tree


def test_labels_of_any_kind_survive_storage(tmp_path):
    store.write(small_tree(), tmp_path / "a.nc")
    back = store.read(tmp_path / "a.nc")
    assert list(back["posterior"]["firm"].to_numpy()) == ['Å, "b" <i>', "日本"]


def test_a_fit_is_read_as_xarray_reads_it(tmp_path):
    tree = small_tree()
    tree["sample_stats"] = xr.DataTree(
        xr.Dataset({"diverging": (("chain", "draw"), [[True, False]], {"note": "of each draw"})})
    )
    store.write(tree, tmp_path / "a.nc")
    with xr.open_datatree(tmp_path / "a.nc", engine="h5netcdf") as expected:
        xr.testing.assert_identical(store.read(tmp_path / "a.nc"), expected.load())


def test_a_fit_is_written_as_xarray_writes_it(tmp_path):
    tree = small_tree()
    shape, draws = (2, 3, 2), ("chain", "draw")
    made = xr.Dataset(
        {
            "halves": ((*draws, "firm"), np.zeros(shape, np.float32), {"units": "%", "n": 2}),
            "flags": (draws, np.ones(shape[:2], bool)),
            "counts": ("grid", np.arange(4), {"of": [1.5, 2.5]}),
            "words": ("grid", np.array(["a", "", "ö", "b c"], object)),
            "nothing": ((*draws, "source"), np.empty((2, 3, 0))),
            "unknown": ("firm", [np.nan, np.inf]),
        },
        coords={
            "chain": [0, 1],
            "firm": ["A", "B"],
            "share": [0.5],
            "source": np.arange(0),
            "kind": ("firm", ["x", "y"]),
            "side": ("firm", [True, False]),
            "alone": ("level", ["one", "two"]),
        },
        attrs={"every": 1, "text": "…"},
    )
    tree["estimands"] = xr.DataTree(made)
    tree.to_netcdf(tmp_path / "xarray.nc", engine="h5netcdf")
    store.write(tree, tmp_path / "own.nc")
    both = [xr.open_datatree(tmp_path / f"{n}.nc", engine="h5netcdf") for n in ("xarray", "own")]
    expected, found = (opened.load() for opened in both)
    xr.testing.assert_identical(found, expected)
    assert found.attrs == expected.attrs
    for name in ("posterior", "estimands"):
        each = [{n: (v.dtype, v.dims) for n, v in t[name].variables.items()} for t in both]
        assert list(each[0].items()) == list(each[1].items())
    for opened in both:
        opened.close()


def test_predictions_of_many_rows_take_little_room(tmp_path):
    printed = np.random.default_rng(1).integers(0, 1000, (2, 100, 5000)) / 10
    predicted = xr.Dataset({"printed_share": (("chain", "draw", "row"), printed)})
    tree = small_tree()
    tree["posterior_predictive"] = xr.DataTree(predicted)
    store.write(tree, tmp_path / "a.nc")
    assert (tmp_path / "a.nc").stat().st_size < printed.nbytes / 2
    assert store.read(tmp_path / "a.nc")["posterior_predictive"].to_dataset().identical(predicted)


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text("old", path)

    def interrupted():
        with files.atomically(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


class FullDisk(io.BytesIO):
    def write(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text("old", path)
    with (
        pytest.raises(StudyError, match=r"a\.txt: cannot be written \(No space left on device\)"),
        files.atomically(path),
    ):
        FullDisk().write(b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_replaced_is_one_line(tmp_path):
    path = tmp_path / "posterior.nc"
    (path / "below").mkdir(parents=True)
    with pytest.raises(StudyError, match=r"posterior\.nc: cannot be written \(Is a directory\)"):
        store.write(small_tree(), path)
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="source"), files.atomically(tmp_path / "a.txt"):
        (tmp_path / "source").read_text()
    assert list(tmp_path.iterdir()) == []


WRITER = """
import os, sys, time
from pathlib import Path
from intlmodels.core import files
with files.atomically(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not killed there")
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "a.txt"
    process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        (temporary,) = tmp_path.iterdir()
        files.write_text("other", tmp_path / "b.txt")
        assert temporary.exists()  # its process is at work
    finally:
        process.kill()
        process.communicate()
    (tmp_path / ".part-of-mine.txt").write_text("not ours")
    files.write_text("new", path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".part-of-mine.txt", "a.txt", "b.txt"]


def test_what_another_machine_left_is_removed_a_day_later(tmp_path):
    old, young = (tmp_path / f".part-00000000-1-{name}.nc" for name in ("aaaaaaaa", "bbbbbbbb"))
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (0, 0))
    files.write_text("new", tmp_path / "a.txt")
    assert sorted(tmp_path.iterdir()) == [young, tmp_path / "a.txt"]


def refused_everywhere(path, why):
    """A file is fitted again, and whatever else reads it says so in one line."""
    (reason,) = store.why_refit(path, {"data": {}})
    assert re.fullmatch(f"the stored file cannot be used: .*{why}.*", reason)
    for reader in (store.header, store.require_whole, store.read, store.read_summary):
        with pytest.raises(StudyError, match=f"{why}.*; run intlmodels fit to fit it again$"):
            reader(path)


@pytest.mark.parametrize("content", [b"", b"not netCDF", b"\x89HDF\r\n\x1a\n", b"x" * 5000])
def test_a_damaged_file_is_fitted_again(tmp_path, content):
    path = tmp_path / "a.nc"
    path.write_bytes(content)
    refused_everywhere(path, "no checksum")


def test_one_bit_anywhere_in_a_fit_is_noticed(tmp_path):
    path = tmp_path / "posterior.nc"
    store.write(small_tree(), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    last = len(whole) - 1
    for position in [0, last - 27, *range(last - 26, last + 1), *rng.integers(0, last, 60)]:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        refused_everywhere(path, "checksum")
    for length in (*range(last - 30, last), *rng.integers(0, last, 20)):
        path.write_bytes(whole[:length])
        refused_everywhere(path, "checksum")
    path.write_bytes(whole + b"\0")
    refused_everywhere(path, "checksum")
    path.write_bytes(whole)
    assert store.why_refit(path, {"data": {}}) == []


def test_a_bad_disk_changes_no_date(tmp_path):
    path = tmp_path / "posterior.nc"
    store.write(small_tree(), path)
    assert store.header(path).seed == 1
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(StudyError, match="does not match its checksum"):
        store.read(path)


def test_a_fit_with_its_checksum_is_a_file_for_every_program(tmp_path):
    path = tmp_path / "posterior.nc"
    store.write(small_tree(), path)
    with xr.open_datatree(path) as tree:
        assert tree["posterior"]["x"].to_numpy()[1, 99, 1] == 399
    with h5py.File(path, "r+") as file:  # what changes it takes the checksum away
        file["posterior/x"][0, 0, 0] = 7
    refused_everywhere(path, "checksum")


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_what_is_no_file_is_no_fit(tmp_path):
    (tmp_path / "variants").mkdir()
    folder, pipe = tmp_path / "posterior.nc", tmp_path / "variants" / "hurdle.nc"
    folder.mkdir()
    with pytest.raises(StudyError, match="a folder is in the place of the stored fit"):
        store.why_refit(folder, {})
    os.mkfifo(pipe)
    assert store.why_refit(pipe, {}) == ["the stored file cannot be used: it is not a regular file"]
    for path, command in ((folder, "fit"), (pipe, "fit --variants hurdle")):
        with pytest.raises(StudyError, match=f"not a regular file; run intlmodels {command} to"):
            store.read(path)


#: What an attribute with JSON is not.
OTHER = (None, "{", "null", "5", '{"a": 1}', '["a", 1]', "[" * 10000, 7, 0.5, b"\xff", [1, 2])


@pytest.mark.parametrize("name", ["fingerprint", "priors", "shown", "settings", "versions", "gate"])
def test_an_attribute_of_another_form_means_a_new_fit(tmp_path, name):
    for number, value in enumerate(OTHER):
        path = tmp_path / f"{number}.nc"
        store.write(small_tree(**{name: value}), path)
        refused_everywhere(path, f"attribute {name} was changed after it was written")


@pytest.mark.parametrize("name", ["model", "seed", "retried", "estimands_version", "ess"])
def test_an_attribute_that_is_missing_or_of_another_type_means_a_new_fit(tmp_path, name):
    path = tmp_path / "posterior.nc"
    for value in (None, [1, 2]):
        store.write(small_tree(**{name: value}), path)
        refused_everywhere(path, f"attribute {name} was changed after it was written")


@pytest.mark.parametrize("settings", ['{"draws": 0}', '{"draws": "9"}', '{"speed": 1}'])
def test_settings_that_no_fit_can_have_mean_a_new_fit(tmp_path, settings):
    path = tmp_path / "posterior.nc"
    store.write(small_tree(settings=settings), path)
    refused_everywhere(path, "attribute settings")


def test_no_file_is_not_fitted_yet(tmp_path):
    assert store.why_refit(tmp_path / "a.nc", {}) == ["not fitted yet"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StudyError, match="choose another folder with --out"):
        files.require_writable(tmp_path / "file" / "below")


def test_a_study_of_ones_own_has_a_fingerprint_for_every_variant(tmp_path):
    folder = write_study(tmp_path / "own")
    study = load_study(folder)
    prints = [json.dumps(print_of(folder, v)) for v in catalogue(study)]
    assert len(set(prints)) == len(prints)
