"""The command line: what it prints, its exit codes, and that bad input leaves no trace."""

import errno
import io
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from functools import partial
from importlib import metadata

import pytest

from hostile import hostile_study
from intlmodels import cli
from intlmodels.cli import fitting
from intlmodels.core import processes
from intlmodels.fitting import jobs
from mockfit import mock_fit
from registers import write_register
from studies import LEAST, write_study

#: What other systems do not have: a shell, pipes with names, devices.
unix = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of Unix")


def run(capsys, *arguments):
    """Run a command in this process: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return stopped.value.code or 0, out, err


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(jobs, "fit", mock_fit)


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "study")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The folder of a fit of what ``folder`` holds, the exit code, and standard error."""
    place = tmp_path_factory.mktemp("fitted")
    arguments = ["fit", str(write_study(place / "study")), "--out", str(place / "a" / "b")]
    with pytest.MonkeyPatch.context() as patched, redirect_stderr(io.StringIO()) as err:
        patched.setattr(jobs, "fit", mock_fit)
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
    return place / "a" / "b", stopped.value.code or 0, err.getvalue()


def below(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*")) if path.exists() else []


def test_fit_writes_a_report_and_then_leaves_it_alone(capsys, quick, folder, fitted):
    out, code, err = fitted
    assert code == 0
    assert "default: converged" in err
    assert {"index.html", "posterior.nc", "report.md"} <= set(below(out))
    before = (out / "posterior.nc").stat().st_mtime_ns, (out / "index.html").stat().st_mtime_ns
    code, _, err = run(capsys, "fit", folder, "--out", out)
    assert code == 0
    assert "unchanged, not fitted again" in err
    after = (out / "posterior.nc").stat().st_mtime_ns, (out / "index.html").stat().st_mtime_ns
    assert after == before


@pytest.mark.slow
def test_a_changed_prior_is_told_and_refitted(capsys, quick, folder, tmp_path):
    out = tmp_path / "out"
    run(capsys, "fit", folder, "--out", out)
    _, _, err = run(capsys, "fit", folder, "--out", out, "--prior", "phi=Gamma(2, 0.1)")
    assert "prior of phi changed from LogNormal(log(10), 0.8) to Gamma(2, 0.1)" in err
    assert "report: written" in err


@pytest.mark.slow
def test_what_another_study_of_the_name_left_is_told_in_short(capsys, quick, folder, tmp_path):
    out = tmp_path / "out"
    run(capsys, "fit", folder, "--out", out)
    other = write_study(tmp_path / "other", toml=LEAST)
    _, _, err = run(capsys, "fit", other, "--out", out)
    line = next(line for line in err.splitlines() if line.startswith("default: to be fitted"))
    assert line.count(";") == 4
    assert re.search(r"; and \d+ more\)$", line)


@pytest.mark.slow
def test_a_failed_gate_exits_1_and_the_report_says_so_first(capsys, monkeypatch, folder, tmp_path):
    monkeypatch.setattr(jobs, "fit", partial(mock_fit, bad=True))
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
        (("--variants", "density,hedges:hurdle"), "found 'hedges'; --variants: expected one of"),
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


def test_report_check_tells_stale_from_current(capsys, folder, fitted):
    out, *_ = fitted
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
        jobs.catalogue(__import__("intlmodels").load_study("rochester"))
    )


@pytest.mark.parametrize("command", ["fit", "report", "check", "priors", "variants"])
def test_help_of_every_command_has_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"intlmodels {command}" in out
    assert "Example" in out


def test_without_a_command_it_says_in_ten_lines_what_it_can_do(capsys):
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) <= 10
    named = set(re.findall(r"^  intlmodels (\w+)", out, re.MULTILINE))
    assert {"fit", "new", "check", "export"} <= named
    assert named <= {command.callback.__name__ for command in cli.app.registered_commands}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("1. One of [two](#a).\n2. B.\n3. C.\n4. D.\n\nMore.", ["One of two.", "B.", "C."]),
        (
            "**The data decide** a\\_b.\n\n![x](y.svg)\n\n*Figure 1. Not this.*\n\nTwo.",
            ["The data decide a_b.", "Two."],
        ),
        ("- A `code`.\n- **B**.", ["A code.", "B."]),
    ],
)
def test_the_findings_of_a_report_are_its_first_sentences(section, said):
    report = (
        f"# T\n\ns\n\n## 1. The finding\n\n{section}\n\n**Contents**\n\n1. [x](#x)\n\n## 2. Y\n"
    )
    assert cli.fitting.findings(report) == said


HEAVY = ("pymc", "pytensor", "nutpie", "arviz", "pandas", "matplotlib", "xarray", "scipy", "numba")


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


def test_help_and_unchanged_fits_import_nothing_heavy(folder, fitted):
    out, *_ = fitted
    assert imported(HEAVY, "--help") == "[]"
    assert imported(HEAVY, "fit", folder, "--out", out) == "[]"
    assert imported(HEAVY, "report", folder, "--out", out, "--check") == "[]"


@pytest.mark.slow
def test_several_studies_are_fitted_at_the_same_time(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [
        write_study(tmp_path / name, edit_toml=[('name = "hedge"', f'name = "{name}"')])
        for name in ("one", "two")
    ]
    code, _, err = run(capsys, "fit", *folders, "--variants", "one:density, one:hurdle")
    assert code == 0
    done = re.findall(r"^\d of 4, \d+ s: (.*): converged", err, re.M)
    assert set(done[:2]) == {"one default", "two default"}  # what variants load is compiled first
    assert set(done[2:]) == {"one density", "one hurdle"}
    for name in ("one", "two"):
        assert f"report: written to reports/{name}/index.html" in err
        assert (tmp_path / "reports" / name / "index.html").is_file()


def test_studies_of_one_name_are_not_fitted_at_the_same_time(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [write_study(tmp_path / name) for name in ("one", "two")]
    code, _, err = run(capsys, "fit", *folders)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "found 'hedge'; two of these studies have this name" in err
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("all", {"one": ["all"], "two": ["all"]}),
        ("a, two:b,", {"one": ["a"], "two": ["a", "b"]}),
        ("one : all", {"one": ["all"], "two": []}),
    ],
)
def test_variants_are_of_all_studies_or_of_one(text, wanted):
    assert fitting._by_study(text, ["one", "two"]) == wanted


def test_of_several_studies_fits_are_counted_and_the_worst_decides_the_exit_code(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folders = [
        write_study(tmp_path / name, edit_toml=[('name = "hedge"', f'name = "{name}"')])
        for name in ("one", "two")
    ]

    def fits(study, *arguments, **keywords):
        return mock_fit(study, *arguments, **keywords, bad=study.name == "one")

    monkeypatch.setattr(jobs, "fit", fits)
    monkeypatch.setattr(processes, "helpers", lambda count: ThreadPoolExecutor(1))
    code, out, err = run(capsys, "fit", *folders)
    assert code == 1
    assert re.findall(r"^(\d of \d), \d+ s: (.*): (converged|DID NOT)", err, re.M) == [
        ("1 of 2", "one default", "DID NOT"),
        ("2 of 2", "two default", "converged"),
    ]
    assert err.count("did not converge") == 1
    assert "\none: did not converge: default; see the report\n" in err
    assert [line for line in out.splitlines() if line.startswith("The report:")] == [
        f"The report: {tmp_path / 'reports' / name / 'index.html'}" for name in ("one", "two")
    ]


def test_none_of_several_studies_is_fitted_if_one_cannot_be_read(capsys, quick, folder, tmp_path):
    code, _, err = run(capsys, "fit", folder, tmp_path / "missing")
    assert code == 2
    assert "no such study or folder" in err
    code, _, err = run(capsys, "fit", folder, folder, "--out", tmp_path / "out")
    assert code == 2
    assert "--out is the folder of one study" in err
    assert not (tmp_path / "out").exists()


def test_piped_output_has_no_control_characters(folder, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "intlmodels", "check", str(folder)],
        capture_output=True,
        check=True,
        env=os.environ | {"FORCE_COLOR": "", "NO_COLOR": "1"},
    )
    assert b"\x1b" not in done.stdout + done.stderr


def test_an_interrupted_run_keeps_what_is_finished(capsys, monkeypatch, folder, fitted):
    out, *_ = fitted

    def interrupted(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "fit", interrupted)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    code, _, err = run(capsys, "fit", folder, "--out", out, "--seed", "9")
    assert code == 130
    assert "run the same command to resume" in err
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


# -- the command and the system ----------------------------------------------------------


def in_shell(line, *, cwd=None, **environment):
    """Run a line in a shell, in which ``im`` is the command: exit code, output, errors."""
    command = f'im() {{ {shlex.quote(sys.executable)} -m intlmodels "$@"; }}; {line}'
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


UNUSABLE_FOLDERS = [
    *("", " ", "a\nb", "file", "file/x", "x" * 300, "/dev/null/x", "/dev/null", "/proc/x"),
    *("dangling", "dangling/x", "circle", "circle/x", "fifo", "fifo/x", "new/" + "x" * 300),
]


@pytest.fixture
def odd_places(tmp_path, monkeypatch):
    """A folder in which nearly everything is something else."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / "file").write_text("mine")
    (place / "dangling").symlink_to("nowhere")
    (place / "circle").symlink_to("circle")
    os.mkfifo(place / "fifo")
    return place


COMMANDS_THAT_WRITE = [
    *("fit", "report", "export", "sensitivity", "reconstruct", "calibrate", "compare", "audit"),
    "claims",
]


@unix
@pytest.mark.parametrize("out", UNUSABLE_FOLDERS)
@pytest.mark.parametrize("command", COMMANDS_THAT_WRITE)
def test_an_unusable_output_folder_is_refused_before_any_work(
    capsys, folder, odd_places, command, out
):
    before = below(odd_places)
    code, printed, err = run(capsys, command, folder, "--out", out)
    assert (code, printed) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert below(odd_places) == before
    assert (odd_places / "file").read_text() == "mine"
    if command != "claims":
        assert "folder" in err


@unix
@pytest.mark.parametrize("out", ["file/x", "/proc/x", "x" * 300])
def test_counts_and_new_studies_refuse_such_a_folder_as_well(capsys, tmp_path, odd_places, out):
    register = write_register(tmp_path / "register")
    for arguments in (("reduce", register, "--out", out), ("new", out, "--model", "share")):
        code, _, err = run(capsys, *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert below(odd_places) == ["circle", "dangling", "fifo", "file"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EROFS, "Read-only file system", "x/y.csv"), "x/y.csv: cannot be used"),
        (PermissionError(errno.EACCES, "Permission denied", "a\nb"), r"a\nb: cannot be used"),
        (MemoryError(), "out of memory"),
        (RuntimeError("can't start new thread"), "out of memory"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_the_system_refuses_is_one_line(capsys, monkeypatch, error, says):
    def failing(name):
        raise error

    monkeypatch.setattr(cli, "load", failing)
    code, _, err = run(capsys, "check", "rochester")
    assert code == (130 if isinstance(error, KeyboardInterrupt) else 2)
    assert err.count("\n") == 1
    assert says in err


@pytest.mark.parametrize("error", [KeyError("x"), OSError("no number"), ImportError("x")])
def test_a_mistake_of_the_program_shows_its_traceback_and_is_no_failed_fit(
    capsys, monkeypatch, error
):
    def failing(name):
        raise error

    monkeypatch.setattr(cli, "load", failing)
    code, _, err = run(capsys, "check", "rochester")
    assert code == 70
    assert err.startswith("Traceback")


@unix
@pytest.mark.parametrize(
    ("line", "expected", "says"),
    [
        ("im check rochester > /dev/full", 2, "No space left on device"),
        ("im --help > /dev/full", 2, "No space left on device"),
        ("im check rochester >&-", 2, "the output cannot be written"),
        ("im check rochester <&- | head -1", 0, None),
        ("im check nowhere 2> /dev/full", 2, ""),
        ("im check nowhere 2>&-", 2, ""),
        ("im check rochester <&- >&- 2>&-", 2, ""),
        ("{ im check rochester; exit $?; } | true; exit ${PIPESTATUS[0]}", 2, "Broken pipe"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_one_line(line, expected, says, unbuffered):
    code, _, err = in_shell(line, PYTHONUNBUFFERED=unbuffered)
    assert code == expected
    if says is not None:
        assert says in err
        assert err.count("\n") == (says != "")


def test_labels_are_printed_whatever_the_locale(tmp_path):
    hostile_study(tmp_path / "study")
    code, out, err = in_shell(
        f"im check {tmp_path / 'study'}", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    assert (code, err) == (0, "")
    assert "variants of this study's own: none" in out


def test_the_package_runs_as_a_module_and_knows_its_version():
    code, out, _ = in_shell("im --version")
    assert (code, out) == (0, f"intlmodels {metadata.version('intlmodels')}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("check",),
        ("check", "rochester", "norway"),
        ("fit", "rochester", "--draws", "many"),
        ("fit", "rochester", "--nonsense"),
        ("fit", "rochester", "--draws"),
        ("--nonsense",),
    ],
)
def test_a_command_that_cannot_be_read_is_one_line(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@unix
def test_a_missing_argument_shows_how_it_is_given(capsys):
    code, _, err = run(capsys, "fit")
    assert code == 2
    assert err == (
        "error: Missing argument 'STUDY...'; "
        "Example: intlmodels fit rochester --variants all --seed 7\n"
    )


def test_the_help_says_of_each_command_a_whole_sentence(capsys):
    _, out, _ = run(capsys, "--help")
    listed = out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(listed) == 17
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


def test_a_home_that_cannot_be_written_is_replaced_by_a_temporary_cache(tmp_path):
    (tmp_path / "tmp").mkdir()
    script = (
        "from intlmodels.core.processes import require_caches\n"
        "require_caches(); require_caches()\n"
        "import pytensor, matplotlib\n"
        "print(pytensor.config.compiledir, matplotlib.get_cachedir())\n"
    )
    home = {
        "HOME": "/dev/null/home",
        "TMPDIR": str(tmp_path / "tmp"),
        "PYTHONWARNINGS": "error,ignore::DeprecationWarning",
    }
    for name in ("MPLCONFIGDIR", "PYTENSOR_FLAGS", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        home[name] = ""
    done = in_shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(script)}", **home)
    code, out, err = done
    assert code == 0, err
    assert [place.startswith(str(tmp_path / "tmp")) for place in out.split()] == [True, True]
    assert err.count("\n") == 1
    assert "/dev/null/home/.pytensor cannot be written: a temporary one is used" in err
    assert below(tmp_path / "tmp") == []


@unix
@pytest.mark.parametrize("file", ["study.toml", "table"])
@pytest.mark.parametrize("kind", ["fifo", "zero", "folder", "loop", "sparse", "socket"])
def test_special_files_in_a_study_are_refused_at_once(capsys, folder, file, kind):
    path = folder / file
    if file == "table":
        path = next(iter(sorted(folder.glob("*.csv"))))
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "sparse":
        with path.open("wb") as file_:
            file_.truncate(2 * 10**9)
    else:
        os.mknod(path, stat.S_IFSOCK | 0o600)
    code, out, err = run(capsys, "check", folder)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert path.name in err


@unix
@pytest.mark.parametrize(
    "name",
    ["", " ", "a\0b", "x" * 300, "x/" * 3000, "/dev/zero", "..", "http://x.org/y", "~none/x"],
)
def test_whatever_names_no_study_is_one_line(capsys, tmp_path, monkeypatch, name):
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    code, out, err = run(capsys, "check", name)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


@unix
@pytest.mark.parametrize("after", [0.0, 0.4, 1.5])
def test_an_interrupt_at_any_moment_is_one_line(folder, tmp_path, after):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "intlmodels", "fit", folder, "--out", out, "--draws", "500000"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert "to be fitted" in process.stderr.readline()
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: the helpers as well
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines() == [
        "interrupted: finished fits are saved; run the same command to resume"
    ]
    assert below(out) == []


def test_every_error_of_a_file_is_a_line(capsys, tmp_path):
    path = write_study(tmp_path / "study")
    toml = path / "study.toml"
    text = toml.read_text().replace('unit = "percent"', 'unit = "fraction"')
    toml.write_text(text.replace("rounding_width = 5", "rounding_width = 0.05"))
    code, out, err = run(capsys, "check", path)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 7
    assert all(line.startswith("error: ") for line in lines)
    assert "row 2, column" in lines[0]
