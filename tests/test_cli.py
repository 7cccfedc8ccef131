"""The command line: what it prints, its exit codes, and that bad input leaves no trace."""

import os
import re
import subprocess
import sys
from functools import partial

import pytest

from intlmodels import cli, workflow
from mockfit import mock_fit
from studies import LEAST, write_study


def run(capsys, *arguments):
    """Run a command in this process: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return stopped.value.code or 0, out, err


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(workflow, "fit", mock_fit)


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "study")


def below(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*")) if path.exists() else []


def test_fit_writes_a_report_and_then_leaves_it_alone(capsys, quick, folder, tmp_path):
    out = tmp_path / "out"
    code, _, err = run(capsys, "fit", folder, "--out", out)
    assert code == 0
    assert "default: converged" in err
    assert {"index.html", "posterior.nc", "report.md"} <= set(below(out))
    before = (out / "posterior.nc").stat().st_mtime_ns, (out / "index.html").stat().st_mtime_ns
    code, _, err = run(capsys, "fit", folder, "--out", out)
    assert code == 0
    assert "unchanged, not fitted again" in err
    after = (out / "posterior.nc").stat().st_mtime_ns, (out / "index.html").stat().st_mtime_ns
    assert after == before


def test_a_changed_prior_is_told_and_refitted(capsys, quick, folder, tmp_path):
    out = tmp_path / "out"
    run(capsys, "fit", folder, "--out", out)
    _, _, err = run(capsys, "fit", folder, "--out", out, "--prior", "phi=Gamma(2, 0.1)")
    assert "prior of phi changed from LogNormal(log(10), 0.8) to Gamma(2, 0.1)" in err
    assert "report: written" in err


def test_what_another_study_of_the_name_left_is_told_in_short(capsys, quick, folder, tmp_path):
    out = tmp_path / "out"
    run(capsys, "fit", folder, "--out", out)
    other = write_study(tmp_path / "other", toml=LEAST)
    _, _, err = run(capsys, "fit", other, "--out", out)
    line = next(line for line in err.splitlines() if line.startswith("default: to be fitted"))
    assert line.count(";") == 4
    assert re.search(r"; and \d+ more\)$", line)


def test_a_failed_gate_exits_1_and_the_report_says_so_first(capsys, monkeypatch, folder, tmp_path):
    monkeypatch.setattr(workflow, "fit", partial(mock_fit, bad=True))
    out = tmp_path / "out"
    code, _, err = run(capsys, "fit", folder, "--out", out)
    assert code == 1
    assert "DID NOT CONVERGE" in err
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "did not converge" in report[: len(report) // 8].lower()
    # asked again with nothing changed, the answer is the same
    assert run(capsys, "fit", folder, "--out", out)[0] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--variants", "nonsense"), "no variant is called 'nonsense'"),
        (("--variants", ""), "--variants needs"),
        (("--prior", "phi"), "name=Distribution"),
        (("--prior", "phy=Normal(0, 1)"), "did you mean 'phi'"),
        (("--prior", "phi=Normal(0, 1)"), "values that it cannot take"),
        (("--prior", "phi=Gamma(0, 1)"), "must be above 0"),
        (("--draws", "0"), "draws must be a whole number"),
        (("--target-accept", "1.5"), "between 0 and 1"),
        (("--sampler", "stan"), "nutpie or pymc"),
    ],
)
def test_bad_options_exit_2_in_one_line_and_write_nothing(
    capsys, folder, tmp_path, arguments, says
):
    out = tmp_path / "out"
    code, printed, err = run(capsys, "fit", folder, "--out", out, *arguments)
    assert code == 2
    assert says in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert printed == ""
    assert below(out) == []


@pytest.mark.parametrize("command", ["fit", "check", "priors", "variants", "report"])
def test_every_command_refuses_an_unusable_study(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    folder = write_study(tmp_path / "study", edit_firms=[("Birch,25", "Birch,sixty")])
    before = below(tmp_path)
    code, _, err = run(capsys, command, folder)
    assert code == 2
    assert err.count("\n") == 1
    assert "sixty" in err
    assert below(tmp_path) == before


def test_an_unknown_option_exits_2(capsys, folder):
    code, _, err = run(capsys, "fit", folder, "--nonsense")
    assert code == 2
    assert "--nonsense" in err


def test_out_that_is_a_file_is_refused(capsys, folder, tmp_path):
    (tmp_path / "file").write_text("mine")
    code, _, err = run(capsys, "fit", folder, "--out", tmp_path / "file")
    assert code == 2
    assert "must be a folder" in err
    assert (tmp_path / "file").read_text() == "mine"


def test_report_without_a_fit_says_what_to_run(capsys, folder, tmp_path):
    code, _, err = run(capsys, "report", folder, "--out", tmp_path / "out")
    assert code == 2
    assert "run intlmodels fit" in err
    assert below(tmp_path / "out") == []


def test_report_check_tells_stale_from_current(capsys, quick, folder, tmp_path):
    out = tmp_path / "out"
    run(capsys, "fit", folder, "--out", out)
    assert run(capsys, "report", folder, "--out", out, "--check")[0] == 0
    table = next(p for p in folder.iterdir() if p.suffix == ".csv")
    table.write_text(table.read_text(encoding="utf-8").rstrip("\n") + "\n", encoding="utf-8")
    toml = folder / "study.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('title = "', 'title = "New '))
    code, _, err = run(capsys, "report", folder, "--out", out, "--check")
    assert code == 1
    assert "stale" in err


def test_check_describes_what_was_read(capsys):
    code, out, _ = run(capsys, "check", "rochester")
    assert code == 0
    for word in ("22", "Precision Optics", "relocatability", "revenue"):
        assert word in out


def test_priors_lists_names_origins_and_overrides(capsys):
    code, out, _ = run(capsys, "priors", "rochester", "--prior", "phi=Gamma(2, 0.1)")
    assert code == 0
    line = next(line for line in out.splitlines() if line.startswith("phi"))
    assert "Gamma(2, 0.1)" in line
    assert "command line" in line
    assert "Normal(0, sigma_product)" in out


def test_variants_lists_the_catalogue(capsys):
    code, out, _ = run(capsys, "variants", "rochester")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()[2:]} == set(
        workflow.all_variants(__import__("intlmodels").load_study("rochester"))
    )


@pytest.mark.parametrize("command", ["fit", "report", "check", "priors", "variants"])
def test_help_of_every_command_has_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"intlmodels {command}" in out
    assert "Example" in out


SAMPLERS = ("pymc", "pytensor", "nutpie", "arviz")
HEAVY = (*SAMPLERS, "pandas", "matplotlib", "xarray", "scipy", "numba")


def imported(names, *arguments):
    """Which of some packages a command imports in a process of its own."""
    script = (
        "import sys\n"
        "from intlmodels import cli\n"
        "try:\n    cli.main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print(sorted({set(names)!r} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", script, *(str(a) for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_help_and_unchanged_fits_import_nothing_heavy(quick, folder, tmp_path, capsys):
    out = tmp_path / "out"
    run(capsys, "fit", folder, "--out", out)
    assert imported(HEAVY, "--help") == "[]"
    assert imported(HEAVY, "fit", folder, "--out", out) == "[]"
    assert imported(HEAVY, "report", folder, "--out", out, "--check") == "[]"


def test_writing_a_report_imports_no_sampler(quick, folder, tmp_path, capsys):
    out = tmp_path / "out"
    run(capsys, "fit", folder, "--out", out)
    assert imported(SAMPLERS, "report", folder, "--out", out) == "[]"


def test_several_studies_are_fitted_one_after_the_other(capsys, quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [
        write_study(tmp_path / name, edit_toml=[('name = "hedge"', f'name = "{name}"')])
        for name in ("one", "two")
    ]
    code, _, err = run(capsys, "fit", *folders)
    assert code == 0
    assert err.index("==> one") < err.index("reports/one/index.html") < err.index("==> two")
    assert (tmp_path / "reports/two/index.html").is_file()


def test_none_of_several_studies_is_fitted_if_one_cannot_be_read(capsys, quick, folder, tmp_path):
    code, _, err = run(capsys, "fit", folder, tmp_path / "missing")
    assert code == 2
    assert "no such study or folder" in err
    code, _, err = run(capsys, "fit", folder, folder, "--out", tmp_path / "out")
    assert code == 2
    assert "--out is the folder of one study" in err
    assert not (tmp_path / "out").exists()


def test_a_study_that_did_not_converge_decides_the_exit_code(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    folders = [
        write_study(tmp_path / name, edit_toml=[('name = "hedge"', f'name = "{name}"')])
        for name in ("one", "two")
    ]
    codes = iter([1, 0])
    monkeypatch.setattr(cli, "_fit", lambda *arguments: next(codes))
    assert run(capsys, "fit", *folders)[0] == 1


def test_piped_output_has_no_control_characters(folder, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "intlmodels.cli", "check", str(folder)],
        capture_output=True,
        check=True,
        env=os.environ | {"FORCE_COLOR": "", "NO_COLOR": "1"},
    )
    assert b"\x1b" not in done.stdout + done.stderr


def test_an_interrupted_run_keeps_what_is_finished(capsys, monkeypatch, folder, tmp_path):
    out = tmp_path / "out"
    monkeypatch.setattr(workflow, "fit", mock_fit)
    run(capsys, "fit", folder, "--out", out)

    def interrupted(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "fit", interrupted)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    code, _, err = run(capsys, "fit", folder, "--out", out, "--seed", "9")
    assert code == 130
    assert "run the same command to go on" in err
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
