"""What a release says of itself, in one voice."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from intlmodels.paper import methods

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(
    not (ROOT / "CITATION.cff").is_file(), reason="these files are in the checkout"
)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def citation():
    """Lines ``key: value`` of the citation; ``make release-check`` holds it against its schema."""
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+): (.+)$", text, re.MULTILINE))


def test_the_citation_is_of_this_version(project):
    found = citation()
    assert found["version"] == project["version"]
    assert found["license"] == project["license"]
    assert {"cff-version", "message", "title", "type"} <= set(found)
    assert found["date-released"].partition("-")[0] == methods.RELEASED
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_locked_version_is_one_that_is_allowed(project):
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))

    def parts(version):
        return [int(number) for number in re.findall(r"\d+", version)]

    for need in project["dependencies"]:
        name, least = re.match(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", need).groups()
        assert parts(locked[name]) >= parts(least), need


def test_the_workflow_runs_steps_that_there_are():
    steps = re.findall(r"^([\w-]+)\(\) \{", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for line in [step["run"] for job in jobs for step in job["steps"] if "run" in step]:
            match line.split():
                case "bash", ".ci/run", *names:
                    assert set(names) <= set(steps)
                case "make", target, *_:
                    assert f"\n{target.partition('$')[0]}" in makefile


def test_a_commit_is_checked_as_make_lint_and_types_do():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hooks = [hook["entry"] for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = re.findall(r"^(?:lint|types):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    lines = [line.split() for line in "".join(recipes).splitlines()]
    assert [
        " ".join(line).replace("@$(BIN)", ".venv/bin").removesuffix(" .") for line in lines
    ] == [hook.replace(" --force-exclude", "") for hook in hooks]
