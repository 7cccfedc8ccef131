"""The machinery of ``make bench``; nothing here is timed."""

import os
import re
import sys
from pathlib import Path

import pytest

import intlmodels as im
from bench import __main__ as command
from bench import (
    commands,
    context,
    decisions,
    firstrun,
    fits,
    machine,
    norway,
    page,
    refits,
    registers,
    rows,
)
from bench.measure import FailedError, run
from bench.summary import digits, of, ratio, summary
from bench.table import Target, table
from intlmodels.checks.calibration import settings_for
from intlmodels.core.settings import Settings

ROOT = Path(__file__).parent.parent


# -- medians, ratios ---------------------------------------------------------------------


def test_median_and_range():
    found = summary([3.0, 1.0, 2.0, 10.0])
    assert (found.median, found.low, found.high, found.count) == (2.5, 1.0, 10.0, 4)
    assert found.text("s") == "2.5 s (1 to 10)"
    assert summary([0.25]).text() == "0.25 (one run)"
    assert of([{"wall": 1.0}, {"wall": 3.0}], "wall").median == 2.0


def test_a_ratio_is_that_of_pairs():
    # The median of the ratios, not the ratio of the medians, which would be 1.
    found = ratio([1.0, 2.0, 3.0], [2.0, 1.0, 2.0])
    assert (found.median, found.low, found.high) == (1.5, 0.5, 2.0)
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (1.0, "1"), (99.96, "100"), (12345.6, "12,346")],
)
def test_digits(value, text):
    assert digits(value) == text


# -- processes ---------------------------------------------------------------------------


def test_a_process_is_measured(tmp_path):
    code = "import time; x = bytearray(50_000_000); time.sleep(0.5)"
    found = run([sys.executable, "-c", code], os.environ, tmp_path, memory=True)
    assert found.wall > 0.5
    assert 0 < found.cpu < found.wall
    assert found.largest > 47
    assert found.tree is None or found.tree > 47


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux only")
def test_memory_of_children_counts(tmp_path):
    child = "import time; x = bytearray(50_000_000); time.sleep(1)"
    code = (
        "import subprocess, sys; "
        f"a = [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(2)]; "
        "[p.wait() for p in a]"
    )
    found = run([sys.executable, "-c", code], os.environ, tmp_path, memory=True)
    assert found.tree > 94


def test_a_process_that_fails_says_what_it_said(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no such peer')"]
    with pytest.raises(FailedError, match="ended with 1: no such peer"):
        run(command, os.environ, tmp_path)
    assert run(command, os.environ, tmp_path, accept=(0, 1)).wall > 0


def test_what_a_process_said_is_told_without_places(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no file /home/me/.cache/x.rds, 1/2')"]
    with pytest.raises(FailedError, match=r"ended with 1: no file x\.rds, 1/2$"):
        run(command, os.environ, tmp_path)


def test_a_peer_in_r_that_fails_is_left_out(tmp_path, monkeypatch):
    def fitted(bench, name, caches, seed):
        def measured():
            if name.startswith("brms") or (name == "bambi" and seed == 2):
                raise FailedError("Rscript ended with 1: no compiler")
            return a_run(1.0)

        return measured

    monkeypatch.setattr(fits, "_fit", fitted)
    found = fits._round(a_bench(tmp_path), ["fit", "brms"], "cold", 1)
    assert found["brms"] == {"failed": "Rscript ended with 1: no compiler"}
    assert found["fit"]["wall"] == 1.0
    with pytest.raises(FailedError):
        fits._round(a_bench(tmp_path), ["bambi"], "cold", 2)


def test_a_process_that_takes_too_long_is_stopped(tmp_path):
    with pytest.raises(FailedError, match="-9"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], os.environ, tmp_path, limit=0.5)


def test_every_cache_lies_below_one_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "j")
    found = context.environment(tmp_path)
    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "PYTENSOR_FLAGS"):
        assert str(tmp_path) in found[name]
    assert "MAKEFLAGS" not in found
    assert found["PATH"] == os.environ["PATH"]


# -- going on ----------------------------------------------------------------------------


def a_bench(folder, identity="one", **more):
    given = {"rows": 10**8, "runs": None, **more}
    return context.Bench(folder, folder / "work", identity=identity, **given)


def test_what_was_measured_is_not_measured_again(tmp_path):
    calls = []

    def measured():
        calls.append(1)
        return {"wall": float(len(calls))}

    assert a_bench(tmp_path).once("a", measured) == {"wall": 1.0}
    assert a_bench(tmp_path).once("a", measured) == {"wall": 1.0}
    assert a_bench(tmp_path, identity="other code").once("a", measured) == {"wall": 2.0}
    assert a_bench(tmp_path, runs=2).times(5) == 2
    assert a_bench(tmp_path).times(5) == 5
    assert not list(tmp_path.glob(".*.part"))


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """The command with a place of its own, and sections that measure nothing."""
    monkeypatch.setattr(command, "KEPT", tmp_path / "reports" / "bench")
    found = {"a": made_fits(), "c": made_refits(), "d": made_commands()}
    found |= {"e": made_rows(), "f": made_decisions(), "g": made_first_runs()}
    for name, result in found.items():
        monkeypatch.setattr(page.MODULES[name], "measure", lambda bench, result=result: result)
    return tmp_path / "reports"


def test_the_report_is_written_and_other_sections_are_kept(measured, monkeypatch):
    assert command.main(["--sections", "a d"]) == 0
    text = (measured / "bench.md").read_text("utf-8")
    assert "## (d) When" in text
    assert "## (e)\n\nNot measured" in text
    assert command.main(["--sections", "e"]) == 0
    text = (measured / "bench.md").read_text("utf-8")
    assert "## (d) When" in text
    assert "(bench-rows.svg)" in text
    assert (measured / "bench-rows.svg").read_text("utf-8").startswith("<?xml")
    assert {path.name for path in (measured / "bench").iterdir()} == {"a.json", "d.json", "e.json"}

    def fails(bench):
        raise FailedError("simuk ended with 1")

    monkeypatch.setattr(refits, "measure", fails)
    assert command.main([]) == 1
    assert "Not measured: simuk ended with 1" in (measured / "bench.md").read_text("utf-8")


def test_no_names_and_no_places_in_the_report(measured):
    assert command.main([]) == 0
    text = (measured / "bench.md").read_text("utf-8")
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text
    assert str(ROOT) not in text
    assert "Not measured" not in text


# -- in words ----------------------------------------------------------------------------


def a_run(wall, **more):
    return {"wall": wall, "cpu": wall, "largest": 500.0, "tree": None, **more}


def made_fits(brms=False):
    names = [name for name in fits.RUNS if brms or not name.startswith("brms")]
    means = {
        parameter: [0.0, 1.0]
        for parameter in (*context_names(), "phi", "kappa", "sd_expertise__Intercept")
    }
    drawn = {"ess": 1000.0, "slowest": "1|product[0]", "sampling": 2.0, "means": means}
    rounds = [{name: a_run(4.0 + i, **drawn) for i, name in enumerate(names)}]
    watched = {name: [drawn] for name in ("fit", "density")}
    floor = {what: [a_run(1.0)] for what in fits.FLOOR}
    common = {"brms": brms, "without": {}}
    return common | {"cold": rounds, "warm": rounds, "watched": watched, "floor": floor}


def context_names():
    from bench.draws import BAMBI, BRMS, OURS

    return (*OURS, *BAMBI, *BRMS)


def made_refits():
    return {
        name: [{"whole": rate, "rate": rate, "cpu": 0.1, "start": 4.0}]
        for name, rate in zip(refits.NAMES, (300.0, 25.0, 20.0), strict=True)
    }


def made_commands():
    return {name: [a_run(1.0), a_run(3.0), a_run(2.5)] for name in commands.WHAT}


def made_rows(most=10**8):
    fit = a_run(20.0, ess=4000.0, slowest="phi", retried="") | {"tree": 900.0}
    of_size = {"bare": [a_run(1.0)], "reduce": [a_run(1.2)], "fit": fit}
    sizes = {str(size): of_size for size in rows.SIZES if size <= most}
    sampling = {str(size): [a_run(15.0, sampling=4.0)] for size in (10**4, most)}
    beside = {
        caches: [{"register": a_run(times), "firms": a_run(1.0)}]
        for caches, times in (("warm", 1.5), ("cold", 2.5))
    }
    return {"short": [], "sizes": sizes, "sampling": sampling, "beside": beside}


def made_decisions(seconds=5.0, retried=""):
    fit = a_run(9.0, seconds=seconds, ess=700.0, decay=900.0, retried=retried)
    return {
        name: {"audit": [a_run(1.0)], "fit": [fit]}
        for name in ("Norway (12 / 41)", *(f"{firms} / {n}" for firms, n in norway.SIZES))
    }


def made_first_runs():
    return {"before": [a_run(300.0), a_run(310.0)], "now": [a_run(150.0), a_run(160.0)]}


def test_where_brms_is_missing_the_report_says_so():
    text = "\n".join(fits.told(made_fits()))
    assert "brms is not installed" in text or "brms was not measured" in text
    assert "not measured |" in text
    assert "brms was not measured" not in "\n".join(fits.told(made_fits(brms=True)))
    assert "1\\|product" in "\n".join(fits.told_draws(made_fits()))


def test_targets_are_met_or_missed():
    verdicts = [target.verdict for target in commands.targets(made_commands())]
    assert verdicts == ["**missed**"]
    (refit,) = refits.targets(made_refits())
    assert refit.met
    assert refit.found.startswith("12")
    met = [target.met for target in rows.targets(made_rows())]
    assert met == [True, True, True, False, True]
    # 4 s with a report and 5 s without, against 7 s.
    assert [target.met for target in fits.targets(made_fits())] == [True] * 4 + [False] * 4
    assert [target.met for target in norway.targets(made_decisions())] == [True]
    for slow in (made_decisions(seconds=10.0), made_decisions(retried="ess failed")):
        assert [target.met for target in norway.targets(slow)] == [False]
    # The median of two ratios, one half and a little more.
    assert [target.met for target in firstrun.targets(made_first_runs())] == [False, False]


def test_fewer_rows_meet_no_target_of_more():
    found = rows.targets(made_rows(most=10**6))
    assert [target.met for target in found] == [None, None, True, False, None]
    of_rows = [target for target in found if "caches" not in target.text]
    assert all("1,000,000 rows" in target.found for target in of_rows)
    assert Target("x", "", None).verdict == "not measured"


def test_a_table():
    assert table(["a", "b"], [["1", "2"]]) == ["| a | b |", "| --- | --: |", "| 1 | 2 |", ""]


def test_the_machine_is_described():
    about = machine.machine()
    text = "\n".join(machine.told(about, {"date": "2026-11-22", "load": 2.0}))
    assert f"{os.cpu_count()} cores" in text
    assert "not idle" in text
    assert os.uname().nodename not in text


def test_what_is_asked_for():
    asked = command._asked(["--rows", "1e7", "--sections", "b,f"])
    assert (asked.rows, asked.sections) == (10**7, ["a", "f"])
    assert command._asked([]).sections == ["a", "c", "d", "e", "f", "g"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--rows", "many"], "such as 1e7"),
        (["--rows", "3"], "from 22"),
        (["--sections", "z"], "a b"),
    ],
)
def test_what_cannot_be_asked_for(option, said, capsys):
    with pytest.raises(SystemExit) as ended:
        command._asked(option)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_both_sides_sample_alike():
    # Where a command or script of ours is given no settings, it has the package's own.
    ours = Settings()
    told = (ours.draws, ours.tune, ours.chains, ours.target_accept)
    assert told == (context.DRAWS, context.TUNE, context.CHAINS, context.TARGET_ACCEPT)
    assert im.load_study("rochester").settings == {}
    refit = settings_for(im.load_study("rochester"), {})
    told = (refit.draws, refit.tune, refit.chains, refit.target_accept)
    assert told == (refits.DRAWS, refits.TUNE, refits.CHAINS, context.TARGET_ACCEPT)
    assert 'nuts={"target_accept": 0.95}' in (context.SCRIPTS / "bambi_beta.py").read_text()
    assert "adapt_delta = 0.95" in (context.SCRIPTS / "brms_fit.R").read_text()


# -- what is made up ---------------------------------------------------------------------


def test_registers_have_the_same_cells(tmp_path):
    pytest.importorskip("duckdb")
    few, more = (
        im.reduce(registers.write(tmp_path / str(size), size), tmp_path / f"out{size}")
        for size in (1000, 3000)
    )
    assert len(few.rows) == len(more.rows) == registers.cells()
    assert (sum(few.rows), sum(more.rows)) == (1000, 3000)
    again = registers.write(tmp_path / "again", 1000) / "rows.parquet"
    assert again.read_bytes() == (tmp_path / "1000" / "rows.parquet").read_bytes()
    least = im.reduce(registers.write(tmp_path / "22", 22), tmp_path / "out22")
    assert sum(least.rows) == 22


def test_made_up_counts_agree_with_each_other(tmp_path):
    folder = decisions.write(tmp_path / "made", 6, 20)
    audited = im.audit_tables(folder)
    assert audited["audit_conflicts.csv"].empty
    sizes, drawn = decisions.draw(12, 41)
    assert drawn.sum() == 41
    assert sizes.count("large") == 3
    assert (drawn.sum(axis=(1, 2)) > 0).all()


def test_the_lock_of_the_peers_agrees_with_that_of_the_project():
    def pinned(name):
        text = (ROOT / name).read_text("utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, flags=re.MULTILINE))

    project, peers = pinned("requirements.lock"), pinned("requirements-bench.lock")
    assert {"bambi", "simuk"} <= peers.keys() - project.keys()
    assert {n: v for n, v in peers.items() if project.get(n, v) != v} == {}
