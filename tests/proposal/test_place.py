"""Where the proposal goes: never over a file that is there, unless told to; and then a copy is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.proposal import place
from proxyswitch.system import files


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROXYSWITCH_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_new_file(tmp_path: Path, state: Path) -> None:
    file = tmp_path / "a.toml"
    assert place.put(str(file), "a = 1\n", force=False) == ""
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("a = 1\n", 0o644)
    assert not state.exists()
    assert os.listdir(tmp_path) == ["a.toml"]


def test_one_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        place.put(str(file), "a = 1\n", force=False)
    (tmp_path / "link.toml").symlink_to("nowhere")
    with pytest.raises(UsageError, match="is there already"):
        place.put(str(tmp_path / "link.toml"), "a = 1\n", force=False)
    assert file.read_text() == "mine"


def test_one_that_comes_meanwhile_stays(tmp_path: Path) -> None:
    """What was looked for before the write can be there at the write."""
    file = tmp_path / "a.toml"
    file.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        files.create(str(file), b"ours")
    assert file.read_text() == "mine"
    assert os.listdir(tmp_path) == ["a.toml"]


def test_told_to_it_keeps_a_copy_and_the_mode(tmp_path: Path, state: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("mine")
    file.chmod(0o640)
    kept = Path(place.put(str(file), "a = 1\n", force=True))
    assert kept.read_text() == "mine"
    assert state in kept.parents
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("a = 1\n", 0o640)
    assert place.put(str(tmp_path / "new.toml"), "a = 1\n", force=True) == ""
    assert (tmp_path / "new.toml").read_text() == "a = 1\n"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cannot write: No such file or directory"):
        place.put(str(tmp_path / "none" / "a.toml"), "", force=False)
