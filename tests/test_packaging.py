"""What a release says of itself, in one voice."""

import re
import tomllib
from pathlib import Path

import pytest

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
        text = path.read_text(encoding="utf-8")
        for line in re.findall(r"bash \.ci/run(.*)$", text, re.MULTILINE):
            assert set(line.split()) <= set(steps)
        for target in re.findall(r"make ([\w-]+)$", text, re.MULTILINE):
            assert f"\n{target}:" in makefile
