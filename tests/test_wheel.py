"""The wheel holds what the commands need: a person who installs it has no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPO

BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
USE = """
import proxyswitch, sys
from proxyswitch.demo.stage import build
stage = build(sys.executable)
assert proxyswitch.__file__.startswith(sys.argv[1]), proxyswitch.__file__
print(stage.folder)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=REPO, capture_output=True, text=True, check=True, timeout=100
    )
    with zipfile.ZipFile(folder / done.stdout.strip().splitlines()[-1]) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_the_demo_finds_its_templates_and_its_app(unpacked: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(unpacked), "TMPDIR": str(tmp_path)}
    argv = [sys.executable, "-c", USE, str(unpacked)]
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    made = Path(done.stdout.strip())
    assert {p.name for p in made.iterdir()} == {"nginx", "app.py", "proxyswitch.toml"}


def test_generate_finds_its_templates_and_data(unpacked: Path, tmp_path: Path) -> None:
    words = "haproxy --name shop --blue 127.0.0.1:1 --green 127.0.0.1:2 --cert /a.pem --haproxy-version 2.6"
    argv = [sys.executable, "-m", "proxyswitch", "generate", *words.split()]
    env = {**os.environ, "PYTHONPATH": str(unpacked)}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "guidelines 6.0" in done.stdout


def test_nothing_of_the_tests_is_in_it(unpacked: Path) -> None:
    assert sorted(p.name for p in unpacked.iterdir() if not p.name.endswith(".dist-info")) == ["proxyswitch"]
