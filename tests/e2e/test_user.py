"""As an ordinary user: a private nginx works as well as root's, and what is not allowed is said before anything is done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.e2e.support import REPO, Bench, Run, bench, eventually

pytestmark = pytest.mark.root
USER, OTHER = "www-data", "backup"


def readable_python(user: str) -> str:
    """A Python of our version that the user may run: ours, or else the machine's own."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        argv = ["runuser", "-u", user, "--", python, "-c", "import ctypes"]
        if (
            os.path.exists(python)
            and subprocess.run(argv, capture_output=True, cwd="/", check=False, timeout=60).returncode == 0
        ):
            return python
    missing("a python that ordinary users may run", "apt-get install --no-install-recommends python3")
    raise AssertionError


@pytest.fixture(scope="module")
def code() -> Iterator[Path]:
    """A copy of the package, and of what it needs, that every user can read."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-code-"))
    try:
        shutil.copytree(REPO / "proxyswitch", folder / "proxyswitch", ignore=shutil.ignore_patterns("__pycache__"))
        for name in sorted(needed()):
            copy_distribution(name, folder)
        subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True, timeout=60)
        yield folder
    finally:
        shutil.rmtree(folder)


def needed(name: str = "proxyswitch") -> set[str]:
    """The names of everything that the package needs at run time."""
    found: set[str] = set()
    for line in metadata.requires(name) or []:
        word = line.partition(";")[0].split("<")[0].split(">")[0].split("=")[0].split("!")[0].split("~")[0].strip()
        if "extra ==" not in line and installed(word):
            found |= {word} | needed(word)
    return found


def installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def copy_distribution(name: str, folder: Path) -> None:
    for file in metadata.files(name) or []:
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.suffix != ".pyc" and source.is_file():
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


@pytest.fixture
def own(code: Path, nginx_binary: str) -> Iterator[Bench]:
    """An ordinary user's own nginx runs in a folder of that user."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-user-"))
    try:
        with bench(folder, USER, readable_python(USER), str(code)) as place:
            place.write(place.instance("1"))
            place.start()
            yield place
    finally:
        shutil.rmtree(folder)


def by(user: str, place: Bench, *words: str, **env: str) -> Run:
    """Run the command as that user, with that in the environment."""
    pairs = [f"{key}={value}" for key, value in {"PROXYSWITCH_STATE": "", **env}.items()]
    argv = ["runuser", "-u", user, "--", "env", *pairs, *place.argv(*words)]
    done = subprocess.run(argv, env=place.environment(), cwd="/", capture_output=True, text=True, check=False, timeout=60)
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder of the other user."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-other-"))
    shutil.chown(folder, OTHER)
    yield folder
    shutil.rmtree(folder)


def test_a_private_nginx_is_switched_and_back(own: Bench) -> None:
    new = own.instance("2")
    result = own.run("switch", "app_backend", f"127.0.0.1:{new}", "--drain", "30s", "--json")
    assert (result.code, result.json["changed"]) == (0, True), result.err
    assert own.version() == "2"
    assert own.pools.owner() == USER
    assert own.run("rollback", "app_backend").code == 0
    assert own.version() == "1"


def test_the_state_lies_where_xdg_says_and_is_private(own: Bench) -> None:
    env = {"PROXYSWITCH_STATE": "", "XDG_STATE_HOME": str(own.folder / "xdg")}
    result = own.run("switch", "app_backend", f"127.0.0.1:{own.instance('2')}", env=env)
    assert result.code == 0, result.err
    state = own.folder / "xdg" / "proxyswitch"
    assert (state / "history.jsonl").exists()
    assert state.stat().st_mode & 0o777 == 0o700


def test_the_state_lies_in_the_home_folder_without_xdg(own: Bench) -> None:
    target = f"127.0.0.1:{own.instance('2')}"
    result = by(USER, own, "switch", "app_backend", target, XDG_STATE_HOME="", HOME=str(own.folder))
    assert result.code == 0, result.err
    assert (own.folder / ".local/state/proxyswitch/history.jsonl").exists()


def test_without_nginx_running_only_what_cannot_be_opened_is_warned_of(own: Bench) -> None:
    """A user's `nginx -t` may fail on root's log although the syntax is right; nothing else counts as right."""
    log = own.folder / "locked.log"
    own.conf.write_text(own.conf.read_text().replace("access_log off;", f"access_log {log};"))
    master = own.master
    own.checked(["/bin/kill", str(master.pid)])
    assert eventually(lambda: not (own.folder / "nginx.pid").exists())
    log.touch(0o600)
    shutil.chown(log, "root")
    result = own.run("switch", "app_backend", f"127.0.0.1:{own.instance('2')}")
    assert result.code == 0, result.err
    assert "nginx tested the syntax only" in result.err
    assert str(log) in result.err


def test_what_another_user_may_not_change_is_said_first(own: Bench, elsewhere: Path) -> None:
    own.folder.chmod(0o755)
    with own.nothing_done():
        result = by(OTHER, own, "switch", "app_backend", "127.0.0.1:3002", PROXYSWITCH_STATE=str(elsewhere / "state"))
    assert result.code == 2, result
    assert f"{own.pools}: no permission to write in {own.folder}" in result.err
    assert "sudo" in result.err
    assert "Traceback" not in result.err


def test_a_folder_that_the_user_may_not_enter_is_no_missing_file(own: Bench, elsewhere: Path) -> None:
    own.folder.chmod(0o700)
    result = by(OTHER, own, "show", PROXYSWITCH_STATE=str(elsewhere / "state"))
    assert result.code == 2, result
    assert f"{own.conf}: no permission" in result.err


def test_a_group_that_the_user_is_not_in_is_said_first(own: Bench) -> None:
    shutil.chown(own.pools, USER, "root")
    with own.nothing_done():
        result = own.run("switch", "app_backend", "127.0.0.1:3002")
    assert result.code == 2, result
    assert "it belongs to a group (id 0) that you are not in" in result.err


def test_a_file_of_another_user_in_a_shared_folder_is_left(own: Bench, elsewhere: Path) -> None:
    own.folder.chmod(0o777)
    with own.nothing_done():
        result = by(OTHER, own, "switch", "app_backend", "127.0.0.1:3002", PROXYSWITCH_STATE=str(elsewhere / "state"))
    assert result.code == 2, result
    assert "it belongs to another user, and replacing it would change its owner" in result.err


def test_a_master_of_another_user_is_not_reloaded(own: Bench, elsewhere: Path) -> None:
    own.folder.chmod(0o777)
    shutil.chown(own.pools, OTHER, OTHER)
    with own.nothing_done():
        result = by(OTHER, own, "switch", "app_backend", "127.0.0.1:3002", PROXYSWITCH_STATE=str(elsewhere / "state"))
    assert result.code == 2, result
    assert f"no permission to reload nginx (pid {own.master.pid})" in result.err


def test_a_state_folder_of_another_user_is_named(own: Bench) -> None:
    own.folder.chmod(0o755)
    assert own.run("switch", "app_backend", f"127.0.0.1:{own.instance('2')}").code == 0
    with own.nothing_done():
        result = by(OTHER, own, "switch", "app_backend", "127.0.0.1:3002", PROXYSWITCH_STATE=str(own.state))
    assert result.code == 2, result
    assert str(own.state) in result.err
    assert "PROXYSWITCH_STATE" in result.err or "run it as" in result.err


def test_a_config_that_the_user_cannot_read_is_named(own: Bench, elsewhere: Path) -> None:
    own.folder.chmod(0o755)
    own.pools.chmod(0o600)
    for words in (("show",), ("switch", "app_backend", "127.0.0.1:3002")):
        with own.nothing_done():
            result = by(OTHER, own, *words, PROXYSWITCH_STATE=str(elsewhere / "state"))
        assert result.code == 2, result
        assert str(own.pools) in result.err
        assert "ermission denied" in result.err or "no permission" in result.err


def test_looking_needs_no_permission_to_write(own: Bench, elsewhere: Path) -> None:
    own.folder.chmod(0o755)
    result = by(OTHER, own, "get", "app_backend", PROXYSWITCH_STATE=str(elsewhere / "state"))
    assert (result.code, result.err) == (0, "")
    assert not (elsewhere / "state").exists()


def test_root_keeps_the_owner_of_the_file(own: Bench) -> None:
    shutil.chown(own.pools, USER, "adm")
    own.pools.chmod(0o640)
    own.user = ""
    own.python, own.path = sys.executable, str(REPO)
    try:
        result = own.run("switch", "app_backend", f"127.0.0.1:{own.instance('2')}")
    finally:
        own.user = USER
    assert result.code == 0, result.err
    assert (own.pools.owner(), own.pools.group(), own.pools.stat().st_mode & 0o777) == (USER, "adm", 0o640)
    assert own.version() == "2"
