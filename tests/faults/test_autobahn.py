"""Autobahn's fuzzing client against an echo on both servers: no new failure beside those the servers have by themselves.

It runs under Python 2.7 only, and is installed into .local/ on the first run. Messages beyond our own bound of
128 KiB (9.*) and compression, which is off (12.*, 13.*), are left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.fixtures import only_long
from tests.faults.servers import ROOT, Server, SQLiteStore

PACKAGES = ROOT / ".local" / "autobahn"
RUN = "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()"
OF_THEIR_OWN = {
    "uvicorn": {"7.1.5"},
    "daphne": {"1.1.1", "1.2.1", "6.1.1", "6.1.2"},
}


def runs(interpreter: str | Path) -> bool:
    return subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def python2() -> str:
    """An interpreter that finds the suite."""
    places = [shutil.which("python2.7"), *sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python2.7"))]
    found = next((str(place) for place in places if place and runs(place)), None)
    if found is None:
        pytest.skip("Autobahn's suite needs Python 2.7")
    if not PACKAGES.exists():
        wanted = ["autobahntestsuite==0.8.2", "unittest2"]
        install = [found, "-m", "pip", "install", "--quiet", "--target", str(PACKAGES), *wanted]
        if subprocess.run(install, capture_output=True, check=False).returncode != 0:
            shutil.rmtree(PACKAGES, ignore_errors=True)
            pytest.skip("Autobahn's suite could not be installed")
    return found


@only_long
@pytest.mark.parametrize("name", ["uvicorn", "daphne"])
def test_autobahn_finds_nothing_that_is_ours(
    name: str, python2: str, serve: Callable[..., Server], sqlite: SQLiteStore, tmp_path: Path
) -> None:
    server = serve(sqlite, faults="echoes", is_daphne=name == "daphne")
    specification = {
        "outdir": str(tmp_path / "report"),
        "servers": [{"agent": name, "url": f"ws://127.0.0.1:{server.port}/echo"}],
        "cases": ["*"],
        "exclude-cases": ["9.*", "12.*", "13.*"],
        "exclude-agent-cases": {},
    }
    (tmp_path / "cases.json").write_text(json.dumps(specification))
    run = [python2, "-c", RUN, str(PACKAGES), "-m", "fuzzingclient", "-s", str(tmp_path / "cases.json")]
    quiet = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run(run, cwd=tmp_path, env=quiet, capture_output=True, check=True, timeout=400)
    results = json.loads((tmp_path / "report" / "index.json").read_text())[name]
    failed = {case for case, result in results.items() if "FAILED" in result.values()}
    assert len(results) > 200
    assert failed <= OF_THEIR_OWN[name], failed - OF_THEIR_OWN[name]
