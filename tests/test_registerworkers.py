"""A register counted by the workers of a scheduler: to the byte what this computer counts."""

import threading
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import intlmodels as im
import registers
from intlmodels.core import scheduler as schedulers
from intlmodels.core.errors import StudyError
from intlmodels.register import cells
from intlmodels.register.counts import reduced
from intlmodels.register.files import connected, find, sources
from registers import (
    BRANCHES,
    STUDY,
    some_rows,
    write_csv,
    write_groups,
    write_parquet,
    write_register,
)
from test_cli import below, run

WRITERS = {"csv": write_csv, "parquet": write_parquet}


@pytest.fixture(scope="module")
def workers():
    """A scheduler with two workers."""
    dask = pytest.importorskip("distributed")
    with dask.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as local:
        yield local


@pytest.fixture
def address(workers):
    return workers.scheduler_address


@pytest.fixture
def small(monkeypatch):
    """Every file, and every group of rows of a large one, is a part."""
    monkeypatch.setattr(cells, "PART", 1)


def write_mixed(folder, kind, **edits):
    """Four files, with rows that cannot be read in three of them."""
    write_register(folder, files=f"rows/*.{kind}", **edits)
    rows = some_rows(200)
    for i, bad in ((3, "7"), (60, "abc"), (61, "x,y"), (130, "105"), (131, ""), (199, "1e9")):
        rows[i] = (bad, *rows[i][1:])
    rows[150] = ("5", "NA", "medium", "old")
    more = {} if kind == "csv" else {"types": ("VARCHAR",) * 4}
    for i, name in enumerate("abcd"):
        WRITERS[kind](folder / "rows" / f"{name}.{kind}", rows[50 * i : 50 * (i + 1)], **more)
    if kind == "csv":
        with (folder / "rows" / "b.csv").open("a", encoding="utf-8") as file:
            file.write("5,Boats\n5,Boats,small,1,more\n10,Toys,large,2.5\n8,Toys,large,2.5\n")
        # One with other columns in between, and one without rows.
        header = ("age", "other", "size", "share", "branch")
        turned = [("1", "x", "small", "5", "Toys"), ("1", "x", "small", "6", "Toys")]
        write_csv(folder / "rows" / "aa.csv", turned, header)
        write_csv(folder / "rows" / "e.csv", [])
    return folder


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_kept_is_the_same_to_the_byte(tmp_path, kind, address, small):
    folder = write_mixed(tmp_path, kind, bad_rows="set aside")
    here = im.reduce(folder, tmp_path / "here")
    there = im.reduce(folder, tmp_path / "there", scheduler=address)
    assert there.read == here.read
    assert there.read.bad == (10 if kind == "csv" else 6)
    kept = bytes_of(tmp_path / "here")
    assert sorted(kept) == ["cells.csv", "cells.json", "set_aside.csv"]
    assert bytes_of(tmp_path / "there") == kept


@pytest.mark.parametrize("kind", WRITERS)
def test_the_error_is_the_same(tmp_path, kind, address, small):
    folder = write_mixed(tmp_path, kind)
    said = []
    for scheduler in (None, address):
        with pytest.raises(StudyError) as caught:
            im.reduce(folder, tmp_path / "out", scheduler=scheduler)
        said.append(str(caught.value))
        assert below(tmp_path / "out") == []
    assert said[0] == said[1]
    assert "rows cannot be read, the next in " in said[0]
    assert "\n" not in said[0]


def test_groups_of_rows_keep_their_numbers(tmp_path, address, small):
    folder = write_register(tmp_path, files="rows", bad_rows="set aside")
    rows = some_rows(10_000)
    for i in (0, 2047, 2048, 7000, 9999):
        rows[i] = ("12", *rows[i][1:])
    write_groups(folder / "rows" / "a.parquet", rows)
    write_groups(folder / "rows" / "b.parquet", [("13", *rows[0][1:]), *rows[1:2047]])
    im.reduce(folder, tmp_path / "here")
    im.reduce(folder, tmp_path / "there", scheduler=address)
    kept = bytes_of(tmp_path / "here")
    assert bytes_of(tmp_path / "there") == kept
    lines = kept["set_aside.csv"].decode().splitlines()[1:]
    places = [tuple(line.split(",")[:2]) for line in lines]
    named = [("rows/a.parquet", str(row)) for row in (1, 2048, 2049, 7001, 10_000)]
    assert places == [*named, ("rows/b.parquet", "1")]


def test_a_file_is_read_alone_as_with_the_others(tmp_path, address, small):
    """Whole numbers in one file, fractions in the next: a label is 5.0 in both."""
    toml = STUDY.replace('column = "branch"', 'column = "age"', 1)
    toml = toml.replace('column = "age"\n', 'column = "branch"\n')
    toml = toml.replace('kind = "numeric"\ncolumn = "branch"', 'kind = "numeric"\ncolumn = "age"')
    folder = write_register(tmp_path, toml, files="rows", bad_rows="set aside")
    rows = [("5", "1", "small", "1"), ("10", "2", "large", "2"), ("7", "2", "large", "2")]
    half = [("5", "2.5", "small", "1.5"), ("10", "2", "large", "2"), ("7.5", "2", "large", "2")]
    write_parquet(
        folder / "rows" / "a.parquet", rows, types=("INTEGER", "INTEGER", "VARCHAR", "TINYINT")
    )
    write_parquet(
        folder / "rows" / "b.parquet", half, types=("DOUBLE", "FLOAT", "VARCHAR", "DOUBLE")
    )
    here = im.reduce(folder, tmp_path / "here")
    im.reduce(folder, tmp_path / "there", scheduler=address)
    assert here.predictors["branch"].levels == ("1", "2", "2.5")
    assert here.read.bad == 2
    assert bytes_of(tmp_path / "there") == bytes_of(tmp_path / "here")


def test_a_worker_is_killed_in_mid_run_and_the_result_is_the_same(
    tmp_path, address, small, monkeypatch
):
    folder = write_mixed(tmp_path, "csv", bad_rows="set aside")
    im.reduce(folder, tmp_path / "here")
    monkeypatch.setattr(cells, "count_part", registers.count_and_linger)
    killer = threading.Thread(target=registers.kill_who_lingers, args=(folder,), daemon=True)
    killer.start()
    im.reduce(folder, tmp_path / "there", scheduler=address)
    killer.join(timeout=1)
    assert not killer.is_alive()
    assert (folder / "at-work").exists()
    assert bytes_of(tmp_path / "there") == bytes_of(tmp_path / "here")


# -- without workers: parts, and what is made of them --------------------------------------


class Inline:
    """Stands in for the workers: every part is counted at once, here."""

    parts = 0

    def __len__(self):
        return 1

    def submit(self, function, *arguments):
        Inline.parts += 1
        result = function(*arguments)
        return type("Done", (), {"result": lambda self: result, "cancel": lambda self: None})()


@pytest.fixture
def inline(monkeypatch):
    @contextmanager
    def there(address, packages, goes_on):
        yield Inline()

    monkeypatch.setattr(cells, "cluster", there)
    monkeypatch.setattr(cells, "threads_here", lambda: 1)


ROW = st.tuples(
    st.sampled_from(["0", "5", "100", "", "7", "x"]),
    st.sampled_from([*BRANCHES, ""]),
    st.sampled_from(["small", "large", "Large"]),
    st.sampled_from(["1", "2.5", "10", "none"]),
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.lists(st.lists(ROW, max_size=12), min_size=1, max_size=5), part=st.integers(1, 400))
def test_any_rows_in_any_parts_are_counted_the_same(tmp_path, files, part, inline, monkeypatch):
    monkeypatch.setattr(cells, "PART", part)
    monkeypatch.setattr(cells, "_WAITING", part % 3)
    folder = write_register(tmp_path, files="rows/*.csv", bad_rows="set aside")
    for path in (folder / "rows").iterdir():
        path.unlink()
    for i, rows in enumerate(files):
        write_csv(folder / "rows" / f"{i}.csv", rows)
    made = []
    for scheduler in (None, "tcp://there"):
        out = tmp_path / f"out {scheduler is None}"
        try:
            im.reduce(folder, out, again=True, scheduler=scheduler)
            made.append(bytes_of(out))
        except StudyError as error:
            made.append(str(error))
    assert made[0] == made[1]


def test_small_files_are_read_together_and_large_ones_cut(tmp_path, monkeypatch):
    folder = write_register(tmp_path, files="rows")
    write_groups(folder / "rows" / "big.parquet", some_rows(5 * 2048))
    for name in ("a", "b", "z"):
        write_groups(folder / "rows" / f"{name}.parquet", some_rows(10))
    monkeypatch.setattr(cells, "PART", (folder / "rows" / "big.parquet").stat().st_size // 2)
    register = im.load_study(folder)
    found = find(register)
    with connected(register) as connection:
        made = list(cells.parts(sources(register, found, connection), found, connection))
    names = [[file.path.rpartition("/")[2] for file in part.files] for part in made]
    big = ["big.parquet"]
    assert names == [["a.parquet", "b.parquet"], big, big, ["z.parquet"]]
    assert [part.span for part in made] == [None, (0, 6144), (6144, 10_240), None]


def test_too_many_distinct_values_are_told_alike(tmp_path, monkeypatch, inline, small):
    folder = write_register(tmp_path, files="rows/*.csv")
    rows = [(s, b, z, str(i)) for i, (s, b, z, _) in enumerate(some_rows())]
    write_csv(folder / "rows" / "a.csv", rows[:30])
    write_csv(folder / "rows" / "b.csv", rows[20:])
    for name, most in (("MOST_CELLS", 50), ("MOST_DISTINCT", 50), ("MOST_DISTINCT", 10)):
        monkeypatch.setattr(cells, name, most)
        said = []
        for scheduler in (None, "tcp://there"):
            with pytest.raises(StudyError, match="combinations of values, at most") as caught:
                im.reduce(folder, scheduler=scheduler)
            said.append(str(caught.value))
        assert said[0] == said[1]


# -- what can go wrong ---------------------------------------------------------------------


def refused(folder, address, match):
    out = folder / "out"
    with pytest.raises(StudyError, match=match) as caught:
        im.reduce(folder, out, scheduler=address)
    assert "\n" not in str(caught.value)
    assert below(out) == []


@pytest.fixture
def lake(tmp_path, small):
    folder = write_register(tmp_path, files="rows/*.csv")
    for name in "abc":
        write_csv(folder / "rows" / f"{name}.csv", some_rows())
    return folder


def test_a_worker_without_the_files_is_told(lake, address, monkeypatch):
    monkeypatch.setattr(cells, "count_part", registers.count_elsewhere)
    refused(lake, address, r"rows/a.csv: a worker .* cannot read this file \(No such file")
    monkeypatch.setattr(cells, "count_part", registers.count_other)
    refused(lake, address, r"rows/a.csv: a worker .* has another file there")


def test_a_worker_with_another_duckdb_is_refused(lake, address, monkeypatch):
    other = {**schedulers.installed(("duckdb",)), "duckdb": "1.0"}
    monkeypatch.setattr(schedulers, "installed", lambda packages: other)
    refused(lake, address, r"has duckdb \S+ instead of 1.0, and might compute")


def test_an_address_without_a_scheduler_is_told(lake):
    refused(lake, "tcp://127.0.0.1:1", "no Dask scheduler answers there")


def test_errors_of_duckdb_come_from_workers_in_one_line(lake, address):
    write_register(lake, files="rows/*.csv", memory_limit="1KB")
    refused(lake, address, "DuckDB (needs more memory|cannot read)")


def test_a_lost_scheduler_is_told(lake, monkeypatch):
    dask = pytest.importorskip("distributed")
    local = dask.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    monkeypatch.setattr(cells, "_AHEAD", 1)

    @contextmanager
    def lose(title):
        yield lambda part: local.close()

    with pytest.raises(
        StudyError, match="the scheduler was lost; an interrupted count is not saved"
    ):
        reduced(im.load_study(lake), lake / "out", scheduler=local.scheduler_address, bar=lose)
    assert below(lake / "out") == []


def test_an_interrupt_leaves_nothing_behind(lake, address, capsys, monkeypatch):
    seen = []

    @contextmanager
    def interrupted(title):
        def progress(part):
            seen.append((title, part))
            if len(seen) == 2:
                raise KeyboardInterrupt

        yield progress

    monkeypatch.setattr("intlmodels.cli.terminal.progress_bar", interrupted)
    code, _, err = run(capsys, "reduce", lake, "--out", lake / "out", "--scheduler", address)
    assert code == 130
    assert "this count was not saved" in err
    assert below(lake / "out") == []
    assert seen == [("counting rows, 3 parts", pytest.approx(k / 3)) for k in (1, 2)]


def test_from_the_command_line(lake, address, capsys):
    out = lake / "out"
    code, told, err = run(capsys, "reduce", lake, "--out", out, "--scheduler", address)
    assert code == 0, err
    assert "rows      180" in told
    kept = bytes_of(out)
    assert run(capsys, "reduce", lake, "--out", out, "--again")[0] == 0
    assert bytes_of(out) == kept


def test_a_fit_counts_with_a_scheduler_and_only_if_need_be(lake, capsys, inline, monkeypatch):
    def planned(study, *arguments, **named):
        raise StudyError(f"{study.rows.sum()} rows")

    monkeypatch.setattr("intlmodels.fitting.jobs.plan", planned)
    monkeypatch.setattr(Inline, "parts", 0)
    command = ("fit", lake, "--out", lake / "out", "--scheduler", "tcp://there")
    for _ in range(2):
        assert run(capsys, *command)[0] == 2
        assert Inline.parts == 3
    with pytest.raises(StudyError, match="180 rows"):
        im.fit_study(lake, out=lake / "other", scheduler="tcp://there")
    assert Inline.parts == 6


def test_a_scheduler_is_for_registers(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="count the rows of a register, and this study has none"):
        im.fit_study("rochester", scheduler="tcp://localhost:8786")
    code, _, err = run(capsys, "fit", "rochester", "--scheduler", "tcp://localhost:8786")
    assert code == 2
    assert "leave the scheduler out" in err
    assert below(tmp_path) == []
