"""The commands calibrate, compare and sensitivity: what they leave behind, and bad input."""

import re
from contextlib import contextmanager

import pytest

import madetrust
from growerstudies import write_growers
from intlmodels import report
from intlmodels.checks import calibration, comparison, runner
from intlmodels.checks.stored import read_checks
from intlmodels.cli import terminal
from intlmodels.fitting import jobs
from intlmodels.studies import load_study
from mockfit import mock_fit
from priordraws import Here, PriorDraws
from studies import write_study
from test_cli import below, run
from test_tasks import finished


@pytest.fixture
def here(monkeypatch):
    """Everything in this process, with made-up fits."""

    @contextmanager
    def executor(cores, scheduler=None):
        yield Here()

    monkeypatch.setattr(runner, "executor", executor)
    monkeypatch.setattr(runner, "fitter", PriorDraws.of)
    monkeypatch.setattr(runner, "_FITTERS", {})
    monkeypatch.setattr(jobs, "fit", mock_fit)
    # Made-up fits hold no draws of what is sampled.
    monkeypatch.setattr(comparison, "log_evidence", lambda *_: (-50.0, 0.1))


@pytest.fixture
def folder(tmp_path):
    full = [("Cedar,0,,Toys", "Cedar,0,4,Toys")]
    return write_study(tmp_path / "study", edit_firms=full)


SHORT = ("--draws", "50", "--tune", "10")


@pytest.mark.slow
def test_findings_enter_the_report_and_make_it_current_again(capsys, here, folder, tmp_path):
    out = tmp_path / "out"
    assert run(capsys, "fit", folder, "--out", out)[0] == 0
    text = (out / "appendix.md").read_text(encoding="utf-8")
    assert f"intlmodels calibrate ./{folder.name}" in text
    code, said, err = run(capsys, "calibrate", folder, "--sims", 12, "--out", out, *SHORT)
    assert code in (0, 1)
    assert "fitted to 12 simulated studies" in said
    assert "report: written" in err
    code, said, _ = run(capsys, "sensitivity", folder, "--out", out)
    assert code == 0
    assert "conclusion" in said
    study = load_study(folder)
    assert report.why_stale(study, out) == []
    text = (out / "appendix.md").read_text(encoding="utf-8")
    assert "fitted to 12 simulated studies" in text
    assert "Power-scaling" in text
    tables = {path.name for path in (out / "tables").iterdir()}
    assert {"calibration.csv", "sensitivity.csv", "power_scaling.csv"} <= tables
    # nothing changed: the same command does nothing again, and the report stays
    before = (out / "index.html").stat().st_mtime_ns
    assert run(capsys, "fit", folder, "--out", out)[0] == 0
    assert (out / "index.html").stat().st_mtime_ns == before
    # another prior: what was found is no longer what is asked for
    run(capsys, "fit", folder, "--out", out, "--prior", "phi=Gamma(2, 0.1)")
    text = (out / "appendix.md").read_text(encoding="utf-8")
    assert "prior of phi changed" in text
    assert "12 simulated studies" not in text


@pytest.mark.slow
def test_a_comparison_of_all_variants_is_stored_and_told(capsys, here, folder, tmp_path):
    out = tmp_path / "out"
    code, said, err = run(capsys, "compare", folder, "--out", out, *SHORT, "--chains", 2)
    assert code == 0
    assert "no current fit" in err
    assert said
    assert {"trust/comparison.json", "trust/comparison.sqlite"} <= set(below(out))


def test_findings_of_other_runs_stay(capsys, here, folder, tmp_path):
    out = tmp_path / "out"
    run(capsys, "calibrate", folder, "--sims", 6, "--out", out, *SHORT, "--wrong", "too-exact")
    ranks = (out / "trust" / "ranks.csv").read_text(encoding="utf-8")
    run(capsys, "calibrate", folder, "--sims", 6, "--out", out, *SHORT, "--wrong", "density")
    study = load_study(folder)
    assert [item.name for item in read_checks(study, out, {}).wrong.value] == [
        "density",
        "too-exact",
    ]
    run(capsys, "calibrate", folder, "--sims", 5, "--out", out, *SHORT, "--variant", "hurdle")
    assert (out / "trust" / "ranks.csv").read_text(encoding="utf-8") == ranks
    assert "never" in (out / "trust" / "ranks-hurdle.csv").read_text(encoding="utf-8")


def test_again_sets_earlier_results_aside(capsys, here, folder, tmp_path):
    out = tmp_path / "out"
    path = out / "trust" / "calibration.sqlite"
    run(capsys, "calibrate", folder, "--sims", 6, "--out", out, *SHORT)
    content = path.read_bytes()
    run(capsys, "calibrate", folder, "--sims", 4, "--out", out, *SHORT)
    assert path.read_bytes() == content
    assert len(finished(path)) == 6
    run(capsys, "calibrate", folder, "--sims", 4, "--out", out, *SHORT, "--again")
    assert len(finished(path.with_name("calibration.sqlite.old"))) == 6
    assert len(finished(path)) == 4


def test_an_interrupt_says_how_to_go_on(capsys, monkeypatch, here, folder, tmp_path):
    simulate = calibration.simulate

    def interrupted(task):
        if task[1] == 3:
            raise KeyboardInterrupt
        return simulate(task)

    interrupted.__module__ = calibration.__name__
    monkeypatch.setattr(calibration, "simulate", interrupted)
    out = tmp_path / "out"
    code, _, err = run(capsys, "calibrate", folder, "--sims", 9, "--out", out, *SHORT)
    assert code == 130
    assert "run the same command to resume" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("calibrate", "--variant", "density"), "says nothing of printed values"),
        (("calibrate", "--variant", "nonsense"), "no variant is called 'nonsense'"),
        (("calibrate", "--wrong", "denisty"), "did you mean 'density'"),
        (("calibrate", "--wrong", "all", "--variant", "hurdle"), "leave out --variant or --wrong"),
        (("calibrate", "--draws", "5"), "100 draws"),
        (("calibrate", "--chains", "1"), "chains must be a whole number"),
        (("calibrate", "--prior", "phi=Normal(0, 1)"), "values that it cannot take"),
        (("compare", "--prior", "phy=Normal(0, 1)"), "did you mean 'phi'"),
        (("sensitivity",), "run intlmodels fit first"),
        (("calibrate", "--scheduler", "nowhere"), "no Dask scheduler answers there"),
        (("compare", "--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler answers there"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(capsys, folder, tmp_path, arguments, says):
    out = tmp_path / "out"
    code, _, err = run(capsys, arguments[0], folder, *arguments[1:], "--out", out)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    assert not [name for name in below(out) if "." in name]


@pytest.mark.parametrize(
    ("command", "option", "value", "says"),
    [
        *(("calibrate", "--sims", value, "sims must be") for value in ("0", "-5", "10000000")),
        ("calibrate", "--sims", "nan", "--sims"),
        ("calibrate", "--sims", "1e3", "--sims"),
        *(
            (command, "--cores", value, "cores must be a whole number from 1 to 10000")
            for command in ("fit", "calibrate", "compare", "sensitivity")
            for value in ("-1", "0", "99999999999999999999")
        ),
        *(
            (command, option, value, f"{option[2:]} must be a whole number")
            for command in ("fit", "calibrate", "compare")
            for option in ("--draws", "--tune", "--chains", "--seed", "--sweeps")
            for value in ("-5", "99999999999999999999")
        ),
        ("fit", "--target-accept", "nan", "between 0 and 1"),
        ("fit", "--target-accept", "inf", "between 0 and 1"),
    ],
)
def test_numbers_follow_one_rule_in_every_command(
    capsys, folder, tmp_path, command, option, value, says
):
    code, printed, err = run(capsys, command, folder, option, value, "--out", tmp_path / "out")
    assert (code, printed) == (2, "")
    assert err.count("\n") == 1
    assert says in err
    assert below(tmp_path / "out") == []


def test_compare_speaks_of_rows_where_firms_have_several(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = madetrust.comparison(), None
    monkeypatch.setattr(comparison, "run_comparison", lambda *_, **__: found)
    _, said, _ = run(capsys, "compare", write_growers(tmp_path / "growers"))
    assert "in the first of its rows, outside the central" in said
    assert "all rows of each together" in said
    _, said, _ = run(capsys, "compare", write_study(tmp_path / "study"))
    assert "outside the central" in said
    assert "row" not in said


def test_a_log_has_a_line_on_progress_each_minute(capsys, here, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(terminal, "MINUTE", 0)
    arguments = ("calibrate", folder, "--sims", 4, "--out", tmp_path / "out", *SHORT)
    _, _, err = run(capsys, *arguments)
    lines = re.findall(r"^4 simulated fits: (\d+)%, \d+ s$", err, re.M)
    assert lines == sorted(lines, key=int)
    assert lines[-1] == "100"
    monkeypatch.setattr(terminal, "MINUTE", 60)
    assert "%" not in run(capsys, *arguments, "--again")[2]
