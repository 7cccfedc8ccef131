"""Many tasks: saved as they come, gone on with after anything, the same whoever does them."""

import contextlib
import gc
import json
import math
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import numbered
from intlmodels.checks import runner
from intlmodels.checks.runner import Journal, executor, run
from intlmodels.core import scheduler as cluster
from intlmodels.core import threads, versions
from intlmodels.core.errors import StudyError

NUMBERS = {str(number): number for number in range(20)}


def as_read(value):
    return json.loads(json.dumps(value))


DRAWN = {key: as_read(numbered.draw(number)) for key, number in NUMBERS.items()}


def finished(path):
    """Keys of the results in a journal, which may be in use."""
    if not path.exists():
        return []
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as db:
            rows = db.execute("SELECT key FROM entries WHERE key != 'plan' ORDER BY rowid")
            return [key.removeprefix("task ") for (key,) in rows]
    except sqlite3.Error:  # it is being written
        return []


def contents(path):
    """All that a journal holds, whatever the order of its pages."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return sorted(db.execute("SELECT * FROM entries"))


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "below" / "tasks.sqlite", {"seed": 1, "levels": (1, 2)})


@pytest.fixture(scope="module")
def thread():
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def processes():
    with executor(2) as pool:
        yield pool


# -- saving ------------------------------------------------------------------------------


def test_results_are_saved_and_not_computed_again(journal, thread):
    calls = []

    def counted(number):
        calls.append(number)
        return numbered.draw(number)

    assert run(counted, NUMBERS, journal, thread) == DRAWN
    assert journal.results() == DRAWN
    more = {**NUMBERS, "20": 20}
    assert list(run(counted, more, journal, thread)) == list(more)
    assert calls == list(range(21))
    # Fewer of the same tasks are these, and no others.
    assert run(counted, {"3": 3}, journal, thread) == {"3": DRAWN["3"]}


def test_the_order_is_that_of_the_tasks_whatever_ends_first(journal, tmp_path, processes):
    path = str(tmp_path / "go")
    given = {"last": (path, 7), "first": (path, 0)}
    seen = []

    def progress(part):
        seen.append(part)
        if part == 0.5:
            assert finished(journal.path) == ["first"]
            Path(path).touch()

    assert list(run(numbered.wait_for, given, journal, processes, progress=progress).items()) == [
        ("last", 7),
        ("first", 0),
    ]
    assert seen == [0, 0.5, 1]


def test_progress_starts_with_what_is_there(journal, thread):
    seen = []
    run(numbered.draw, {"1": 1}, journal, thread, progress=seen.append)
    run(numbered.draw, {"1": 1, "2": 2}, journal, thread, progress=seen.append)
    run(numbered.draw, {}, journal, thread, progress=seen.append)
    assert seen == [0, 1, 0.5, 1]


def test_no_more_than_a_few_payloads_are_made_at_a_time(journal):
    made, ended = [], []

    class Lazy(dict):
        def __getitem__(self, key):
            made.append(key)
            assert len(made) - len(ended) <= 7
            return super().__getitem__(key)

    def task(number):
        ended.append(number)
        return number

    given = Lazy({str(number): number for number in range(100)})
    with ThreadPoolExecutor(3) as pool:
        assert run(task, given, journal, pool, most=7) == dict(given.items())
    assert made == list(given)


def test_every_float_comes_back_as_it_was(journal, thread):
    values = [math.inf, -math.inf, math.nan, 0.1 + 0.2, 5e-324, -0.0, 1e308, 2**70]
    (found,) = run(lambda values: values, {"x": values}, journal, thread).values()
    assert [repr(value) for value in found] == [repr(value) for value in values]
    assert [repr(value) for value in journal.results()["x"]] == [repr(value) for value in values]


@pytest.mark.parametrize("key", ["", "æ\n\u2028", '"}', "x" * 10_000])
def test_any_text_is_a_key(key, journal, thread):
    assert run(str, {key: key}, journal, thread) == {key: key} == journal.results()


# -- cut short, damaged, of other tasks, written by another ----------------------------------


def test_a_journal_cut_anywhere_is_refused_or_completed(journal, thread):
    given = {"a": 1, "æ": math.nan, "c": {"x": [1.5, None]}}
    run(as_read, given, journal, thread)
    whole = journal.path.read_bytes()
    for cut in range(0, len(whole), 97):
        journal.path.write_bytes(whole[:cut])
        if not cut:
            assert repr(run(as_read, given, journal, thread)) == repr(given)
            continue
        for use in (journal.results, lambda: run(as_read, given, journal, thread)):
            with pytest.raises(StudyError, match=r"tasks\.sqlite: (damaged; remove|this is no)"):
                use()
        assert journal.path.read_bytes() == whole[:cut]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET text = '1' WHERE key = 'task 3'",
        "UPDATE entries SET text = NULL WHERE key = 'task 3'",
        "UPDATE entries SET text = x'fffe00' WHERE key = 'task 3'",
        "UPDATE entries SET text = CAST(x'fffe00' AS TEXT) WHERE key = 'task 3'",
        "UPDATE entries SET checksum = '0123456789abcdef' WHERE key = 'task 3'",
        "UPDATE entries SET checksum = NULL WHERE key = 'task 3'",
        "UPDATE entries SET key = 'task 99' WHERE key = 'task 3'",
        "UPDATE entries SET key = 4.5 WHERE key = 'plan'",
        "DROP TABLE entries; CREATE TABLE others (x)",
        "ALTER TABLE entries DROP COLUMN checksum",
    ],
)
def test_a_damaged_journal_is_named_with_the_way_to_mend_it(change, journal, thread):
    run(numbered.draw, NUMBERS, journal, thread)
    with contextlib.closing(sqlite3.connect(journal.path)) as db:
        db.executescript(change)
    before = journal.path.read_bytes()
    for use in (journal.results, lambda: run(numbered.draw, NUMBERS, journal, thread)):
        with pytest.raises(StudyError, match=r"tasks\.sqlite: damaged; remove the file") as caught:
            use()
        assert "\n" not in str(caught.value)
    assert journal.path.read_bytes() == before
    journal.path.unlink()
    assert run(numbered.draw, NUMBERS, journal, thread) == DRAWN


def other_database(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE firms (name)")
    return path.read_bytes()


@pytest.mark.parametrize(
    "content", [b"firm,share\nAlder,10\n", b"xy", b'{"journal": 2}\n', other_database]
)
def test_another_file_is_not_written_over(content, journal, thread):
    journal.path.parent.mkdir()
    content = content(journal.path) if callable(content) else content
    journal.path.write_bytes(content)
    for use in (
        journal.results,
        journal.set_aside,
        lambda: run(numbered.draw, NUMBERS, journal, thread),
    ):
        with pytest.raises(StudyError, match=r"not a journal of tasks; move the file elsewhere"):
            use()
    assert journal.path.read_bytes() == content


def test_no_bit_that_flips_changes_a_result(journal, thread):
    run(numbered.draw, NUMBERS, journal, thread)
    whole = journal.path.read_bytes()
    generator = random.Random(1)
    noticed = 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        journal.path.write_bytes(damaged)
        with contextlib.suppress(StudyError):
            assert journal.results().items() <= DRAWN.items()
            continue
        noticed += 1
    assert noticed > 50


def test_results_of_other_tasks_are_set_aside_and_that_is_told(journal, thread):
    run(numbered.draw, NUMBERS, journal, thread)
    before = contents(journal.path)
    other = Journal(journal.path, {"seed": 2, "levels": [1, 2], "draws": 5})
    assert other.results() == {}
    told = []
    assert run(str, {"3": 3}, other, thread, tell=told.append) == {"3": "3"}
    assert other.results() == {"3": "3"}
    assert told == [
        f"{journal.path}: results of other tasks ('seed', 'draws' changed) are set aside in "
        "tasks.sqlite.old"
    ]
    old = journal.path.with_name("tasks.sqlite.old")
    assert contents(old) == before
    # Put back, it is what it was.
    old.replace(journal.path)
    assert journal.results() == DRAWN


def test_results_of_another_kind_of_machine_are_set_aside(journal, thread, monkeypatch):
    run(numbered.draw, NUMBERS, journal, thread)
    monkeypatch.setattr(versions, "kind", lambda: "x86-64 without AVX2 and FMA, Linux")
    assert journal.results() == {}
    told = []
    run(numbered.draw, {"3": 3}, journal, thread, tell=told.append)
    assert "('machine' changed) are set aside in tasks.sqlite.old" in told[0]


@pytest.mark.parametrize("processor", ["AVX2", "AVX-512"])
def test_two_processors_that_compute_the_same_are_of_one_kind(processor, monkeypatch):
    features = {"avx2": True, "fma": True, "avx512f": processor == "AVX-512"}
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert versions.kind.__wrapped__().startswith("x86-64 with AVX2 and FMA, ")
    features["fma"] = False
    assert versions.kind.__wrapped__().startswith("x86-64 without AVX2 and FMA, ")


def test_a_journal_without_results_is_not_worth_setting_aside(journal, thread):
    run(numbered.draw, {}, journal, thread)
    told = []
    run(numbered.draw, NUMBERS, Journal(journal.path, {}), thread, tell=told.append)
    assert [path.name for path in journal.path.parent.iterdir()] == ["tasks.sqlite"]
    assert not told


def test_two_cannot_use_one_journal(journal, thread):
    run(numbered.draw, {"1": 1}, journal, thread)
    before = journal.path.read_bytes()
    for identity in (journal.identity, {}):
        own = Journal(journal.path, identity)
        with contextlib.closing(sqlite3.connect(journal.path)) as db:
            db.execute("BEGIN EXCLUSIVE")
            uses = (own.results, own.set_aside, lambda: run(numbered.draw, NUMBERS, own, thread))  # noqa: B023
            for use in uses:
                with pytest.raises(StudyError, match="another process is working on these tasks"):
                    use()
        assert journal.path.read_bytes() == before

    def meanwhile(part):
        with pytest.raises(StudyError, match="another process is working on these tasks"):
            run(numbered.draw, NUMBERS, journal, thread)

    assert run(numbered.draw, NUMBERS, journal, thread, progress=meanwhile) == DRAWN


def test_a_drive_without_locks_is_good_enough(journal, thread, monkeypatch):
    class Refused(sqlite3.Connection):
        def execute(self, statement, *more):
            if statement.startswith("BEGIN"):
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = 3850  # SQLITE_IOERR_LOCK
                raise error
            return super().execute(statement, *more)

    connect = sqlite3.connect

    def without_locks(path, **more):
        return connect(path, **more, factory=sqlite3.Connection if "nolock" in path else Refused)

    monkeypatch.setattr(sqlite3, "connect", without_locks)
    assert run(numbered.draw, NUMBERS, journal, thread) == DRAWN == journal.results()


def test_a_full_disk_is_told_and_what_is_saved_stays(journal, thread, monkeypatch):
    run(numbered.draw, {"1": 1}, journal, thread)
    insert = runner._insert

    def full(db, texts):
        db.execute("PRAGMA max_page_count = 1")
        insert(db, {key: text * 1000 for key, text in texts.items()})

    monkeypatch.setattr(runner, "_insert", full)
    with pytest.raises(StudyError, match=r"database or disk is full\); finished work is saved"):
        run(numbered.draw, NUMBERS, journal, thread)
    monkeypatch.undo()
    assert journal.results() == {"1": DRAWN["1"]}
    assert run(numbered.draw, NUMBERS, journal, thread) == DRAWN


def test_a_place_that_cannot_be_written_is_told(tmp_path, thread):
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot write there"):
        run(str, {"1": 1}, Journal(tmp_path / "file" / "tasks.sqlite", {}), thread)
    for use in (Journal(tmp_path, {}).results, lambda: run(str, {}, Journal(tmp_path, {}), thread)):
        with pytest.raises(StudyError, match=r"cannot be used \(unable to open database file\)"):
            use()


@pytest.mark.parametrize("name", ["ä ?mode=ro#&%41.sqlite", "tasks'; --.sqlite"])
def test_any_name_of_a_file_will_do(name, tmp_path, thread):
    journal = Journal(tmp_path / "other æ" / name, {})
    assert run(numbered.draw, NUMBERS, journal, thread) == DRAWN == journal.results()
    journal.set_aside()
    assert journal.results() == {}
    assert Journal(journal.path.with_name(f"{name}.old"), {}).results() == DRAWN


# -- broken off ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StudyError("no such thing", file="a.csv"), ValueError("bad")])
def test_an_error_passes_and_finished_results_stay(error, journal):
    given = {"good": 0, **{f"bad {n}": error for n in range(50)}}
    with pytest.raises(type(error), match=str(error)), executor(2) as pool:
        run(numbered.number_or_fail, given, journal, pool, most=1)
    assert journal.results() == {"good": 0}


def test_a_result_that_json_cannot_hold_is_an_error_of_the_function(journal, thread):
    with pytest.raises(TypeError, match="not JSON serializable"):
        run(lambda number: {number}, {"1": 1}, journal, thread)
    assert journal.results() == {}


@pytest.mark.parametrize("where", ["progress", "saving"])
def test_an_interrupt_keeps_what_is_finished_and_cancels_the_rest(where, journal, monkeypatch):
    seen, over, began = threading.Event(), threading.Event(), []

    def task(number):
        began.append(number)
        if number:
            (seen if number == 1 else over).wait()
        return number

    def progress(part):
        if part == 0.1 and where == "progress":
            raise KeyboardInterrupt
        if part == 0.1:
            monkeypatch.setattr(runner, "_save", interrupted)
            seen.set()

    def interrupted(*_):
        monkeypatch.undo()
        raise KeyboardInterrupt

    given = {str(number): number for number in range(10)}
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            run(task, given, journal, pool, progress=progress)
        seen.set()
        over.set()
    # What was about to be saved is saved all the same.
    assert journal.results() == ({"0": 0} if where == "progress" else {"0": 0, "1": 1})
    assert len(began) <= 3
    with ThreadPoolExecutor(1) as pool:
        assert run(task, given, journal, pool) == given


def test_a_worker_that_is_killed_is_told_in_one_line(journal):
    with (
        pytest.raises(StudyError, match="a worker process ended unexpectedly"),
        executor(1) as pool,
    ):
        run(numbered.die, NUMBERS, journal, pool, most=1)
    assert journal.results() == {"0": 0}


def start(folder, count):
    (folder / "traces").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, numbered.__file__, str(folder), str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def traces(folder):
    """How often each number was computed."""
    return Counter(path.name.split("-")[0] for path in (folder / "traces").iterdir())


def wait_for_traces(folder, more):
    wanted, end = traces(folder).total() + more, time.monotonic() + 60
    while traces(folder).total() < wanted:
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_results(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite", {"seed": 1})
    given = {str(number): as_read(numbered.draw(number)) for number in range(100)}
    rng = random.Random(20261)
    saved = {}
    for _ in range(4):
        process = start(tmp_path, len(given))
        wait_for_traces(tmp_path, rng.randint(1, 20))
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        # The output ends with the last process that could write to it: no worker stays behind.
        process.communicate(timeout=10)
        assert saved.items() <= journal.results().items() <= given.items()
        saved = journal.results()
        # Done but not saved are only a few, on a busy computer as well.
        assert len(saved) >= len(traces(tmp_path)) - 10
        done = traces(tmp_path)
    process = start(tmp_path, len(given))
    assert process.communicate(timeout=60) == ("", None)
    assert process.returncode == 0
    assert journal.results() == given
    assert all(traces(tmp_path)[key] == done[key] for key in saved)
    assert traces(tmp_path).total() <= len(given) + 4 * 10


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_interrupt_at_the_keyboard_stops_everything_at_once(tmp_path):
    process = start(tmp_path, 10_000)
    # Both workers are there: one that still starts would not know yet that it has to keep quiet.
    while len({path.name.split("-")[1] for path in (tmp_path / "traces").iterdir()}) < 2:
        time.sleep(0.01)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # the workers as well, as a terminal does
    assert process.communicate(timeout=60) == ("interrupted\n", None)
    assert time.monotonic() - begun < 20
    saved = Journal(tmp_path / "journal.sqlite", {"seed": 1}).results()
    assert len(saved) >= traces(tmp_path).total() - 10


# -- who does them -------------------------------------------------------------------------


def test_processes_have_one_thread_for_linear_algebra(journal, processes, monkeypatch):
    given = {name: name for name in threads.THREADS}
    assert run(numbered.variable, given, journal, processes) == dict.fromkeys(given, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with executor(1):
        assert {os.environ[name] for name in threads.THREADS} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in os.environ


def test_processes_give_what_this_one_gives(journal, processes):
    assert run(numbered.draw, NUMBERS, journal, processes) == DRAWN


def test_without_dask_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(StudyError, match=r"pip install 'intlmodels\[cluster\]'"),
        executor(1, "tcp://localhost:8786"),
    ):
        pass


@pytest.fixture(scope="module")
def dask():
    return pytest.importorskip("distributed")


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "localhost", "tcp://localhost:x", "", "?"]
)
def test_an_address_without_a_scheduler_is_told(address, dask):
    begun = time.monotonic()
    with pytest.raises(StudyError, match="no Dask scheduler answers there"), executor(1, address):
        pass
    assert time.monotonic() - begun < 2 * cluster.PATIENCE


def test_another_server_is_no_scheduler(dask):
    def answer():
        connection, _ = server.accept()
        connection.close()
        connection, _ = server.accept()
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 1000)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        with (
            pytest.raises(StudyError, match="no Dask scheduler answers there"),
            executor(1, f"tcp://127.0.0.1:{server.getsockname()[1]}"),
        ):
            pass
    # What Dask made of its client is closed here: it waits for ever if that happens while a later
    # test starts a cluster.
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is dask.Client]


@pytest.fixture(scope="module")
def scheduler(dask):
    """Address of a cluster of two workers."""
    with local_cluster(dask, 2) as local:
        yield local.scheduler_address


def local_cluster(dask, workers, threads=1):
    return dask.LocalCluster(
        n_workers=workers, threads_per_worker=threads, dashboard_address="127.0.0.1:0"
    )


def test_a_cluster_gives_what_this_computer_gives(journal, scheduler):
    with executor(1, scheduler) as pool:
        assert run(numbered.draw, NUMBERS, journal, pool) == DRAWN
    rows = contents(journal.path)
    with executor(2) as pool:
        other = Journal(journal.path.with_name("other"), journal.identity)
        run(numbered.draw, NUMBERS, other, pool)
    assert rows == contents(other.path)


def test_a_cluster_goes_on_when_a_worker_was_killed(journal, scheduler, tmp_path):
    given = {key: (str(tmp_path), number) for key, number in NUMBERS.items()}
    with executor(1, scheduler) as pool:
        assert run(numbered.die_once, given, journal, pool) == DRAWN
    assert (tmp_path / "died").exists()


def test_a_cluster_gives_up_a_task_that_kills_every_worker(journal, dask):
    # A cluster of its own: how soon it has workers again is not for other tests to wait for.
    with (
        local_cluster(dask, 2) as local,
        pytest.raises(StudyError, match="several workers ended unexpectedly at the same task"),
        executor(1, local.scheduler_address) as pool,
    ):
        run(numbered.die, {"0": 0, "1": 1}, journal, pool, most=1)
    assert journal.results() == {"0": 0}


@pytest.mark.parametrize("error", [StudyError("no such thing", file="a.csv"), ValueError("bad")])
def test_an_error_on_a_cluster_passes(error, journal, scheduler):
    given = {"good": 0, **{f"bad {n}": error for n in range(50)}}
    with pytest.raises(type(error), match=str(error)), executor(1, scheduler) as pool:
        run(numbered.number_or_fail, given, journal, pool, most=1)
    assert journal.results() == {"good": 0}


def test_a_worker_with_other_versions_refuses_to_work(journal, scheduler, monkeypatch):
    other = {**cluster.installed(runner.NUMERICAL), "numpy": "1.0"}
    monkeypatch.setattr(cluster, "installed", lambda packages: other)
    with (
        pytest.raises(StudyError, match=r"has numpy \S+ instead of 1.0, and might compute"),
        executor(1, scheduler) as pool,
    ):
        run(numbered.draw, NUMBERS, journal, pool)


def test_a_worker_on_another_kind_of_machine_refuses_to_work(journal, scheduler, monkeypatch):
    other = {**cluster.installed(runner.NUMERICAL), "machine": "arm64, Darwin"}
    monkeypatch.setattr(cluster, "installed", lambda packages: other)
    with (
        pytest.raises(StudyError, match=r"has machine .+ instead of arm64, Darwin, .* same kind"),
        executor(1, scheduler) as pool,
    ):
        run(numbered.draw, NUMBERS, journal, pool)


def test_a_worker_without_the_package_tells_it(journal, scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "__name__", "intlmodels.absent")
    with (
        pytest.raises(StudyError, match="a worker of the cluster does not have this intlmodels"),
        executor(1, scheduler) as pool,
    ):
        run(numbered.draw, NUMBERS, journal, pool)


def test_a_worker_with_several_threads_does_one_task_at_a_time(journal, dask, tmp_path):
    given = {key: (str(tmp_path), number) for key, number in NUMBERS.items()}
    with (
        local_cluster(dask, 1, threads=3) as local,
        executor(1, local.scheduler_address) as pool,
    ):
        assert run(numbered.alone, given, journal, pool) == DRAWN


def test_a_cluster_without_workers_is_told(journal, dask, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with (
        local_cluster(dask, 0) as local,
        pytest.raises(StudyError, match="the scheduler has no workers after 1 s"),
        executor(1, local.scheduler_address) as pool,
    ):
        run(numbered.draw, NUMBERS, journal, pool)


def test_a_lost_scheduler_is_told(journal, dask, tmp_path, caplog):
    local = local_cluster(dask, 1)
    given = {"0": (str(tmp_path / "never"), 0), "1": (str(tmp_path / "never"), 1)}

    def lose(part):
        if part:
            local.close()

    with (
        pytest.raises(StudyError, match="the scheduler was lost; finished work is saved"),
        executor(1, local.scheduler_address) as pool,
    ):
        run(numbered.wait_for, given, journal, pool, progress=lose)
    assert journal.results() == {"0": 0}


# -- TLS ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Certificate and key of two authorities."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make certificates")
    folder = tmp_path_factory.mktemp("certificates")
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    for name in ("own", "other"):
        files = ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        run = [openssl, *options.split(), *files, *names]
        subprocess.run(run, check=True, capture_output=True)
    return folder


def configured(folder, name, role):
    prefix = "distributed.comm.tls"
    own = {f"{prefix}.{role}.cert": f"{folder}/{name}.pem"}
    return own | {
        f"{prefix}.ca-file": f"{folder}/{name}.pem",
        f"{prefix}.{role}.key": f"{folder}/{name}.key",
    }


@pytest.fixture(scope="module")
def secure(dask, certificates):
    """The address of a scheduler that uses TLS, with a worker."""
    pem, key = str(certificates / "own.pem"), str(certificates / "own.key")
    roles = ("client", "scheduler", "worker")
    files = {f"tls_{role}_{kind}": {"cert": pem, "key": key}[kind]
             for role in roles for kind in ("cert", "key")}  # fmt: skip
    security = dask.Security(tls_ca_file=pem, require_encryption=True, **files)
    with dask.LocalCluster(
        n_workers=1, processes=False, threads_per_worker=1, dashboard_address=None,
        protocol="tls://", host="127.0.0.1", security=security,
    ) as local:  # fmt: skip
        yield local.scheduler_address


def test_certificates_of_the_configuration_of_dask_are_used(secure, certificates):
    import dask

    assert secure.startswith("tls://")
    with (
        dask.config.set(configured(certificates, "own", "client")),
        cluster.cluster(secure, ("numpy",), "run it again") as workers,
    ):
        assert workers.submit(int, "3").result() == 3


@pytest.mark.parametrize(
    ("name", "protocol", "said"),
    [
        ("", "tls", "TLS needs certificates; expected them in Dask's configuration"),
        ("other", "tls", "no scheduler answers there with TLS, or it does not take these"),
        ("nowhere", "tls", "cannot be read .No such file or directory"),
        ("", "tcp", "the scheduler there uses TLS; expected an address that begins with tls://"),
    ],
)
def test_what_is_wrong_with_tls_is_told(name, protocol, said, secure, certificates):
    import dask

    own = configured(certificates, name, "client") if name else {}
    address = secure.replace("tls", protocol)
    with (
        dask.config.set(own),
        pytest.raises(StudyError, match=said) as caught,
        cluster.cluster(address, ("numpy",), "run it again"),
    ):
        raise AssertionError
    assert "\n" not in str(caught.value)


def test_a_scheduler_without_tls_is_told(scheduler, certificates):
    import dask

    with (
        dask.config.set(configured(certificates, "own", "client")),
        pytest.raises(StudyError, match="no scheduler answers there with TLS"),
        cluster.cluster(scheduler.replace("tcp", "tls"), ("numpy",), "run it again"),
    ):
        raise AssertionError
