"""The command line and the package where what only POSIX systems have is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import concurrent.futures, os, sys
import noposix

noposix.hide()

from intlmodels import cli
from intlmodels.core import processes
from intlmodels.fitting import jobs
from mockfit import mock_fit


class Threads(concurrent.futures.ThreadPoolExecutor):
    # In place of processes, which the standard library of POSIX cannot start like this.

    _processes = {}

    def __init__(self, count, **_):
        super().__init__(count)


processes._Helpers = Threads

jobs.fit = mock_fit
for command in ("new valley --model share", "check valley", "priors valley", "audit norway",
                "fit valley --cores 1", "fit valley --cores 1", "export valley --width 89"):
    code = cli.run(command.split())
    assert code == 0, command
sys.stdout.write("done")
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
def test_key_paths_run_without_posix(tmp_path):
    tests = Path(__file__).parent
    path = f"{tests.parent / 'src'}:{tests}"
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={"PYTHONPATH": path, "PATH": "", "HOME": str(tmp_path), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.endswith("done")
    assert (tmp_path / "reports" / "valley" / "index.html").is_file()
    assert (tmp_path / "reports" / "valley" / "paper" / "references.bib").is_file()
