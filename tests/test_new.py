"""New studies: the templates are studies that run, and a refusal leaves nothing behind."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import intlmodels
from intlmodels import cli
from intlmodels import studies as new
from intlmodels.fitting import jobs
from intlmodels.studies import load_study, new_study, study_name
from intlmodels.studies import schema as studytoml
from intlmodels.studies.claims import CLAIM, CLAIM_PART
from intlmodels.studies.groups import GROUP
from mockfit import mock_fit
from test_cli import below, run

ROOT = Path(__file__).parent.parent
TEMPLATES = Path(intlmodels.__file__).parent / "studies" / "templates"
#: Template -> the options that ask for it.
OPTIONS = {
    "share": ("--model", "share"),
    "panel": ("--model", "share", "--rows"),
    "decay": ("--model", "decay"),
    "decisions": ("--model", "decay", "--decisions"),
}
FILES = {
    "share": ["README.md", "firms.csv", "study.toml"],
    "panel": ["README.md", "firms.csv", "rows.csv", "study.toml"],
    "decay": ["README.md", "counts.csv", "firms.csv", "study.toml"],
    "decisions": ["README.md", "decisions.csv", "firms.csv", "study.toml"],
}
MODEL = {"share": "share", "panel": "share", "decay": "decay", "decisions": "decay"}


def made_from(template, folder):
    return new_study(folder, MODEL[template], template == "decisions", template == "panel")


def text_of(template, name="study.toml"):
    return (TEMPLATES / template / name).read_text(encoding="utf-8")


# -- what is made ------------------------------------------------------------------------


def test_every_template_has_options():
    folders = [path.name for path in TEMPLATES.iterdir() if path.is_dir()]
    assert sorted(folders) == sorted(OPTIONS)
    assert set(new.MODELS) == set(studytoml.VOCABULARIES)


@pytest.mark.parametrize("template", OPTIONS)
def test_new_makes_a_study_that_check_understands(capsys, tmp_path, monkeypatch, template):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "new", "valley", *OPTIONS[template])
    assert (code, err) == (0, "")
    assert below(tmp_path) == ["valley", *(f"valley/{name}" for name in FILES[template])]
    assert all(name in out for name in FILES[template])
    assert "intlmodels check valley" in out
    code, out, err = run(capsys, "check", "valley")
    assert (code, err) == (0, "")
    assert out.startswith("valley: MADE-UP EXAMPLE")
    study = load_study("valley")
    assert (study.name, study.model) == ("valley", MODEL[template])
    assert study.normalizations == ()


@pytest.mark.parametrize("template", OPTIONS)
def test_nobody_can_take_an_example_for_data(template):
    study = load_study(TEMPLATES / template)
    assert study.title.startswith("MADE-UP EXAMPLE")
    assert "do not exist" in study.title
    assert study.source.startswith("Made up")
    assert "not to be cited" in study.source
    assert "made up" in study.limits[0]
    assert all(firm.startswith("Made-up ") for firm in study.firms)
    assert text_of(template).startswith("# MADE-UP EXAMPLE")
    assert "Nothing in this folder is data" in text_of(template, "README.md")


@pytest.mark.parametrize("template", OPTIONS)
def test_the_guide_names_the_folder_and_commands_that_there_are(tmp_path, template):
    made = made_from(template, tmp_path / "my valley")
    guide = (made / "README.md").read_text(encoding="utf-8")
    assert "intlmodels check 'my valley'" in guide
    assert "reports/my-valley/index.html" in guide
    assert not re.search(r"\b(FOLDER|NAME|FILE)\b", guide)
    commands = {command.callback.__name__ for command in cli.app.registered_commands}
    assert set(re.findall(r"intlmodels ([a-z]+) ", guide)) <= commands
    for file in re.findall(r"\*\*`(\w+\.\w+)`\*\*", guide):
        assert (made / file).is_file()
    toml = (made / "study.toml").read_text(encoding="utf-8")
    for table in re.findall(r"`(\[+[a-z.]+)(?:…)?\]+`", guide):
        assert table in toml
    assert 'name = "my-valley"' in toml


def test_the_function_does_the_same(tmp_path):
    made = intlmodels.new_study(tmp_path / "valley", model="decay", decisions=True)
    assert made == tmp_path / "valley"
    assert load_study(made).decisions is not None


def test_an_empty_folder_is_filled_where_it_is(capsys, tmp_path, monkeypatch):
    folder = tmp_path / "valley"
    folder.mkdir()
    monkeypatch.chdir(folder)
    before = folder.stat().st_ino
    code, _, err = run(capsys, "new", ".", "--model", "share")
    assert (code, err) == (0, "")
    assert folder.stat().st_ino == before
    assert below(folder) == FILES["share"]
    assert load_study(".").name == "valley"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("valley", "valley"),
        ("Valley_2-b", "Valley_2-b"),
        ("my valley (2024)", "my-valley-2024"),
        ("Zw\xf6lf T\xe4ler", "Zwolf-Taler"),
        ("_x", "x"),
        ("\u8c37", "study"),
        ("x" * 80, "x" * 64),
    ],
)
def test_the_name_of_the_study_follows_the_folder(tmp_path, folder, name):
    assert study_name(folder) == name
    assert load_study(new_study(tmp_path / folder, "share")).name == name


def test_a_folder_may_be_called_as_what_is_replaced(tmp_path):
    guide = (new_study(tmp_path / "NAME", "share") / "README.md").read_text(encoding="utf-8")
    assert "intlmodels check NAME " in guide
    assert "reports/NAME/" in guide


@pytest.mark.skipif(sys.platform == "win32", reason="folders there have no such permissions")
def test_what_is_made_has_the_usual_permissions(tmp_path):
    made = new_study(tmp_path / "valley", "share")
    (tmp_path / "usual").mkdir()
    assert made.stat().st_mode == (tmp_path / "usual").stat().st_mode


# -- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("full", "--model", "share"), "full: the folder is not empty"),
        (("file", "--model", "share"), "file: this is a file"),
        (("file/valley", "--model", "share"), "the parent folder file does not exist"),
        (("no/valley", "--model", "share"), "the parent folder no does not exist"),
        (("rochester", "--model", "share"), "a study of the package is called 'rochester'"),
        (("./norway", "--model", "decay"), "a study of the package is called 'norway'"),
        (("valley", "--model", "shares"), "did you mean 'share'"),
        (("valley",), "expected 'share' (a share of every firm, such as exports) or 'decay'"),
        (("valley", "--model", "share", "--decisions"), "are of the model 'decay'"),
        (("valley", "--model", "decay", "--rows"), "are of the model 'share'"),
        (("", "--model", "share"), "expected the path of a folder"),
        (("a\nb", "--model", "share"), "expected the path of a folder"),
        (("x" * 300, "--model", "share"), "cannot create this folder"),
        (("~nobody-of-that-name/x", "--model", "share"), "cannot create this folder"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(capsys, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = below(tmp_path)
    code, out, err = run(capsys, "new", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert says in err
    assert below(tmp_path) == before
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to this user"
)
def test_a_place_that_cannot_be_written_is_refused(capsys, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    code, _, err = run(capsys, "new", tmp_path / "closed" / "valley", "--model", "share")
    assert code == 2
    assert "cannot create this folder (Permission denied)" in err
    assert below(tmp_path) == ["closed"]


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("broken", ["write_bytes", "rename"])
def test_what_breaks_off_leaves_nothing(capsys, tmp_path, monkeypatch, there, broken):
    folder = tmp_path / "valley"
    if there:
        folder.mkdir()
    real, calls = getattr(Path, broken), []

    def failing(path, *arguments, **keywords):
        calls.append(path)
        if len(calls) == (2 if there or broken == "write_bytes" else 1):
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **keywords)

    monkeypatch.setattr(Path, broken, failing)
    code, _, err = run(capsys, "new", folder, "--model", "share")
    monkeypatch.undo()
    assert code == 2
    assert "cannot create this folder (No space left on device)" in err
    assert below(tmp_path) == (["valley"] if there else [])


def test_new_imports_nothing_heavy(tmp_path):
    script = (
        "import sys\n"
        "from intlmodels import cli\n"
        "try:\n    cli.main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pymc', 'pytensor', 'nutpie', 'pandas', 'scipy', 'matplotlib', 'xarray'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    arguments = ["new", str(tmp_path / "valley"), "--model", "share"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_help_has_an_example(capsys):
    code, out, _ = run(capsys, "new", "--help")
    assert code == 0
    assert "Example: intlmodels new valley --model share" in out


# -- the templates and the vocabulary ----------------------------------------------------


def keys_of(model):
    """Every key and kind that study.toml may have for a model."""
    vocabulary = studytoml.VOCABULARIES[model]
    found = {*vocabulary.top, *(key for table in vocabulary.tables.values() for key in table.keys)}
    for table in vocabulary.named.values():
        found |= {*table.keys}
    if model == "share":
        found |= {*studytoml.keys_of(studytoml.GroupingTable)}
    for kinds in vocabulary.kinds.values():
        found |= {*kinds, *(key for table in kinds.values() for key in table.keys)}
    # Of rules there are too many for a template: a command lists them.
    return {*found, *CLAIM, *CLAIM_PART, *GROUP, "intlmodels claims"}


#: Those that show everything; the example of a panel names the one of shares for the rest.
WHOLE = [template for template in OPTIONS if template != "panel"]


@pytest.mark.parametrize("template", WHOLE)
def test_a_template_mentions_every_key_that_a_study_may_have(template):
    text = text_of(template)
    assert {key for key in keys_of(MODEL[template]) if not re.search(rf"\b{key}\b", text)} == set()


def uncommented(text):
    """A template with every line of comment that holds a table or a key put to use."""
    return re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("template", OPTIONS)
def test_what_stands_in_comments_is_in_the_vocabulary(tmp_path, template):
    text = uncommented(text_of(template))
    assert len(tomllib.loads(text)) > len(tomllib.loads(text_of(template)))
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    read = studytoml.read_study_toml(tmp_path)
    kinds = set(studytoml.VOCABULARIES[MODEL[template]].kinds["variants"])
    assert {variant.kind for variant in read.variants.values()} == (
        kinds if template in WHOLE else {"terms"}
    )
    assert {"draws", "tune", "chains", "seed", "target_accept"} <= set(read.fit.written)


@pytest.mark.parametrize("template", OPTIONS)
def test_the_line_with_the_name_is_there_once(template):
    assert text_of(template).count(new._NAME_LINE) == 1


def test_a_wheel_carries_the_templates():
    wheel = pytest.importorskip("hatchling.builders.wheel")
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("not in a checkout")
    carried = {
        file.distribution_path for file in wheel.WheelBuilder(str(ROOT)).recurse_included_files()
    }
    for template, names in FILES.items():
        assert {f"intlmodels/studies/templates/{template}/{name}" for name in names} <= carried


# -- fits --------------------------------------------------------------------------------


def test_the_example_of_the_share_model_gives_a_whole_report(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "fit", mock_fit)
    made, out = new_study(tmp_path / "valley", "share"), tmp_path / "out"
    code, _, err = run(capsys, "fit", made, "--out", out)
    assert code == 0, err
    text = (out / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# MADE-UP EXAMPLE")
    text += (out / "appendix.md").read_text(encoding="utf-8")
    assert "No firm was selected" in text
    assert "Not data, and not to be cited" in text
    assert "New firms" in text
    code, out, _ = run(capsys, "audit", made)
    assert code == 0
    assert "for 24 of 24" in out


@pytest.mark.parametrize("template", ["decay", "decisions"])
def test_the_examples_of_the_decay_model_give_whole_reports(capsys, tmp_path, template):
    made, out = tmp_path / "valley", tmp_path / "out"
    new_study(made, "decay", template == "decisions")
    # So few draws need not converge; the report is whole either way.
    settings = ("--draws", "300", "--tune", "300", "--chains", "2", "--cores", "1")
    code, _, err = run(capsys, "fit", made, "--out", out, *settings)
    assert code in (0, 1), err
    text = (out / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# MADE-UP EXAMPLE")
    text += (out / "appendix.md").read_text(encoding="utf-8")
    assert "The paper's claims" in text
    assert ("not led by a peer, after 2012 from 5 to 6 (late-alone)" in text) == (
        template == "decay"
    )


@pytest.mark.slow
@pytest.mark.parametrize("template", OPTIONS)
def test_examples_converge_in_every_variant(capsys, tmp_path, template):
    made = made_from(template, tmp_path / "valley")
    # Of a panel its own variants only: with every other likelihood it takes a quarter of an hour.
    which = "default,no-moderator" if template == "panel" else "all"
    code, _, err = run(capsys, "fit", made, "--variants", which, "--out", tmp_path / "out")
    assert code == 0, err
    assert "DID NOT CONVERGE" not in err
