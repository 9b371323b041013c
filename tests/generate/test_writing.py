"""generate on disk: what is written over, what is not, and what is left when a run dies or cannot write."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.generate import head
from tests.conftest import REPO
from tests.disks import tmpfs
from tests.e2e.test_user import USER, code, readable_python

__all__ = ["code"]

BLUE = ("--blue", "127.0.0.1:3001")
GREEN = ("--green", "127.0.0.1:3002")
CONF = "events {}\nhttp {\n    include conf.d/*.conf;\n}\n"


class Place:
    """A folder with an nginx.conf that includes what is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "conf.d" / "shop-upstream.conf"
        self.file.parent.mkdir()
        (folder / "nginx.conf").write_text(CONF)
        self.environment = {**os.environ, "PROXYSWITCH_STATE": str(folder / "state"), "PYTHONPATH": str(REPO)}

    def words(self, *more: str) -> list[str]:
        shared = ["--nginx-conf", str(self.folder / "nginx.conf"), "--output", str(self.file)]
        return ["generate", "nginx-upstream", "--name", "shop", *BLUE, *GREEN, *shared, *more]

    def run(self, *more: str, by: tuple[str, ...] = ("proxyswitch",), **named: object) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", *by, *self.words(*more)]
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            argv, capture_output=True, text=True, check=False, timeout=60, env=self.environment, cwd=REPO, **named
        )

    def names(self) -> set[str]:
        return set(os.listdir(self.file.parent))


@pytest.fixture
def place(tmp_path: Path, nginx_binary: str) -> Place:
    assert nginx_binary
    return Place(tmp_path)


def test_a_new_file_is_written_and_told_once(place: Place) -> None:
    done = place.run("--write")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[0] == f"{place.file}: written"
    assert done.stderr.splitlines()[1].startswith("next: ")
    assert not head.edited(place.file.read_text())
    assert place.file.stat().st_mode & 0o777 == 0o644
    assert place.names() == {place.file.name}
    again = place.run("--write")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_what_is_printed_is_what_is_written(place: Place) -> None:
    printed = place.run().stdout
    place.run("--write")
    assert place.file.read_text() == printed


def test_what_we_made_and_nobody_edited_is_written_anew_with_its_mode(place: Place) -> None:
    place.run("--write")
    place.file.chmod(0o640)
    done = place.run("--write", "--keepalive", "99")
    assert done.returncode == 0
    assert "written anew" in done.stderr
    assert "keepalive 99;" in place.file.read_text()
    assert place.file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(place: Place) -> None:
    real = place.folder / "real.conf"
    place.file.symlink_to(real)
    place.run("--write")
    place.run("--write", "--keepalive", "99")
    assert place.file.is_symlink()
    assert "keepalive 99;" in real.read_text()


def test_an_edit_by_hand_is_shown_and_kept(place: Place) -> None:
    place.run("--write")
    edited = place.file.read_text().replace("keepalive 16;", "keepalive 17;  # mine")
    place.file.write_text(edited)
    done = place.run("--write", "--keepalive", "99")
    assert done.returncode == 2
    assert "was edited since it was made" in done.stderr
    assert "nothing was changed" in done.stderr
    assert "+    keepalive 17;  # mine" in done.stdout
    assert "+    keepalive 99;" in done.stdout
    assert "both touch the same lines" in done.stdout
    assert place.file.read_text() == edited


def test_on_another_machine_the_edit_is_seen_too(place: Place) -> None:
    place.run("--write")
    place.file.write_text(place.file.read_text() + "# mine\n")
    shutil.rmtree(place.folder / "state")
    done = place.run("--write", "--keepalive", "99")
    assert done.returncode == 2
    assert "-# mine" in done.stdout


def test_force_writes_over_it_and_keeps_a_copy(place: Place) -> None:
    place.file.write_text("upstream mine { server 127.0.0.1:9; }\n")
    done = place.run("--write", "--force")
    assert done.returncode == 0
    copy = done.stderr.split("is kept in ")[1].splitlines()[0]
    assert Path(copy).read_text() == "upstream mine { server 127.0.0.1:9; }\n"
    assert head.mark(place.file.read_text())


def test_a_file_of_somebody_else_is_not_written_over(place: Place) -> None:
    place.file.write_text("# mine\n")
    done = place.run("--write")
    assert (done.returncode, done.stdout) == (2, "")
    assert "was not made by generate" in done.stderr
    assert place.file.read_text() == "# mine\n"


def test_diff_shows_what_would_change_and_writes_nothing(place: Place) -> None:
    new = place.run("--diff")
    assert new.returncode == 1
    assert "--- /dev/null" in new.stdout
    assert not place.file.exists()
    assert not (place.folder / "state").exists()
    place.run("--write")
    same = place.run("--diff")
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")
    assert "+    keepalive 99;" in place.run("--diff", "--keepalive", "99").stdout
    assert place.run("--diff", "--write").returncode == 2


def test_json(place: Place) -> None:
    printed = json.loads(place.run("--json").stdout)
    assert [printed["kind"], *printed["files"][0]] == ["nginx-upstream", "path", "text"]
    diff = json.loads(place.run("--json", "--diff").stdout)
    assert [f["path"] for f in diff["files"]] == [str(place.file)]
    assert json.loads(place.run("--json", "--write").stdout) == {
        "changed": True,
        "files": [str(place.file)],
        "kept": [],
        "untested": [],
    }
    assert json.loads(place.run("--json", "--write").stdout) == {"changed": False, "files": [], "kept": [], "untested": []}
    place.file.write_text(place.file.read_text() + "# mine\n")
    refused = json.loads(place.run("--json", "--write", "--keepalive", "9").stdout)
    assert (refused["exit"], refused["state"]) == (2, "nothing was changed")


# nginx tests it before it is there


def test_what_nginx_refuses_is_not_written(place: Place) -> None:
    other = place.file.parent / "other.conf"
    other.write_text("upstream shop_backend { server 127.0.0.1:1; }\n")
    done = place.run("--write")
    assert done.returncode == 3
    assert "nothing was changed" in done.stderr
    assert 'duplicate upstream "shop_backend"' in done.stderr
    assert str(place.file) in done.stderr or str(other) in done.stderr
    assert ".proxyswitch-" not in done.stderr
    assert place.names() == {"other.conf"}
    assert sorted(os.listdir(place.folder)) == ["conf.d", "nginx.conf", "state"]
    assert not os.listdir(place.folder / "state" / "generated")


def test_the_file_that_is_there_does_not_count_twice(place: Place) -> None:
    place.run("--write")
    assert place.run("--write", "--keepalive", "9").returncode == 0


def test_what_no_config_includes_is_tested_alone_and_that_is_said(place: Place) -> None:
    (place.folder / "nginx.conf").write_text("events {}\n")
    done = place.run("--write")
    assert done.returncode == 0
    assert "does not include" in done.stderr
    assert "tested alone" in done.stderr


# faults


@pytest.mark.root
def test_a_full_disk_leaves_what_was_there(place: Place) -> None:
    with tmpfs(place.folder) as mount:
        disk = mount("size=64k")
        small = Place(disk)
        small.environment["PROXYSWITCH_STATE"] = place.environment["PROXYSWITCH_STATE"]
        (disk / "ballast").write_bytes(b"x" * 40960)
        done = small.run("--write", "--template-dir", str(_large_template(place.folder)))
        assert done.returncode == 3, done.stderr
        assert "No space left" in done.stderr
        assert not small.names()


def _large_template(folder: Path) -> Path:
    own = folder / "own"
    own.mkdir()
    (own / "nginx-upstream.conf.j2").write_text("# x\n" * 15000 + "upstream shop_backend { server 127.0.0.1:3001; }\n")
    return own


@pytest.fixture
def roots(nginx_binary: str) -> Iterator[Place]:
    """A config of root's, in a folder that everybody may read."""
    assert nginx_binary
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-generate-"))
    folder.chmod(0o755)
    try:
        yield Place(folder)
    finally:
        shutil.rmtree(folder)


@pytest.mark.root
@pytest.mark.parametrize("there", [True, False])
def test_an_ordinary_user_without_the_right_changes_nothing(roots: Place, code: Path, there: bool) -> None:
    if there:
        roots.run("--write")
    before = {name: (roots.file.parent / name).read_text() for name in roots.names()}
    shutil.copytree(REPO / "templates", code / "templates", dirs_exist_ok=True)
    home = roots.folder / "home"
    home.mkdir()
    shutil.chown(home, USER)
    env = {"PATH": os.environ["PATH"], "PROXYSWITCH_STATE": str(home / "state"), "PYTHONPATH": str(code)}
    argv = ["runuser", "-u", USER, "--", readable_python(USER), "-m", "proxyswitch"]
    argv += roots.words("--write", "--keepalive", "9")
    done = subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert re.search("no permission|Permission denied", done.stderr)
    assert "Traceback" not in done.stderr
    assert {name: (roots.file.parent / name).read_text() for name in roots.names()} == before


def test_a_folder_that_is_not_there(place: Place) -> None:
    place.file = place.folder / "no" / "x.conf"
    done = place.run("--write")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert str(place.folder / "no") in done.stderr


def _points(place: Place, folder: Path, *more: str) -> list[str]:
    trace = folder / "trace"
    place.environment["CHAOS_TRACE"] = str(trace)
    place.run("--write", *more, by=("tests.chaos.killer", "0", "before", "--"))
    del place.environment["CHAOS_TRACE"]
    return trace.read_text().splitlines()


@pytest.mark.parametrize("mode", ["before", "after", "partial", "full", "term"])
def test_whole_or_not_at_all_wherever_it_ends(tmp_path: Path, nginx_binary: str, mode: str) -> None:
    """At each effect of a run that writes anew: the file is the old one or the new one, and the next run ends well."""
    assert nginx_binary
    model = tmp_path / "model"
    model.mkdir()
    first = Place(model)
    first.run("--write")
    count = len(_points(first, tmp_path, "--keepalive", "99"))
    assert count > 8
    for number in range(1, count + 1, 2 if mode == "before" else 5):
        folder = tmp_path / f"{mode}{number}"
        folder.mkdir()
        place = Place(folder)
        place.run("--write")
        old = place.file.read_text()
        killed = place.run("--write", "--keepalive", "99", by=("tests.chaos.killer", str(number), mode, "--"))
        there = place.file.read_text()
        assert there == old or ("keepalive 99;" in there and not head.edited(there)), (number, killed)
        assert "Traceback" not in killed.stderr, killed
        assert place.run("--write", "--keepalive", "99").returncode == 0
        assert "keepalive 99;" in place.file.read_text()
        assert place.names() == {place.file.name}, number
