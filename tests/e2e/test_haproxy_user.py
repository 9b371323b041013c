"""As an ordinary user: a private HAProxy works as well as the one of root, and what is not allowed is said first."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import test_user
from tests.e2e.haproxy_pairs import again, done, lasts, pair, states, versions
from tests.e2e.haproxy_support import CONF, WITH_STATE, HaproxyBench, haproxy_bench
from tests.e2e.test_user import OTHER, USER, by, readable_python

pytestmark = pytest.mark.root

copied, elsewhere = test_user.code, test_user.elsewhere  # fixtures


@contextmanager
def private(copied: Path, conf: str = CONF, *, master: bool = True) -> Iterator[HaproxyBench]:
    """An ordinary user's own HAProxy runs in a folder of that user."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-user-"))
    try:
        with haproxy_bench(folder, USER, readable_python(USER), str(copied)) as place:
            yield pair(place, conf=conf, master=master)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def own(copied: Path, haproxy_binary: str) -> Iterator[HaproxyBench]:
    with private(copied) as place:
        yield place


@pytest.mark.parametrize("master", [True, False], ids=["master and worker", "one process"])
def test_a_private_haproxy_is_switched_reloaded_and_taken_back(copied: Path, haproxy_binary: str, master: bool) -> None:
    with private(copied, WITH_STATE, master=master) as place:
        place.save_state()
        done(place.run("switch", "app_backend", "app-green", "--drain", "30s"))
        assert (versions(place), place.conf.owner(), place.state_file.owner()) == ({"2"}, USER, USER)
        again(place, "switch", "app_backend", "app-green")
        done(place.run("rollback"))
        old = place.workers_now
        done(place.run("switch", "app_backend", "app-green", "--mode", "reload"))
        assert not place.workers_now <= old
        assert versions(place) == {"2"}
        lasts(place)


def test_root_keeps_the_owner_of_the_files(copied: Path, haproxy_binary: str) -> None:
    with private(copied, WITH_STATE) as place:
        place.save_state()
        for path in (place.conf, place.state_file):
            path.chmod(0o640)
        place.user = ""
        try:
            done(place.run("switch", "app_backend", "app-green"))
        finally:
            place.user = USER
        assert {(p.owner(), p.stat().st_mode & 0o777) for p in (place.conf, place.state_file)} == {(USER, 0o640)}
        assert versions(place) == {"2"}


# what another user may not do


def refused(place: HaproxyBench, elsewhere: Path, *words: str, code: int = 2) -> str:
    """What the other user is told; nothing is changed."""
    with place.nothing_done():
        result = by(
            OTHER, place, *(words or ("switch", "app_backend", "app-green")), PROXYSWITCH_STATE=str(elsewhere / "state")
        )
    assert result.code == code, result
    assert "Traceback" not in result.err
    return result.err


def test_a_config_that_may_not_be_written_is_said_first(own: HaproxyBench, elsewhere: Path) -> None:
    own.folder.chmod(0o755)
    own.admin.chmod(0o666)
    said = refused(own, elsewhere)
    assert f"{own.conf}: no permission to write in {own.folder}" in said
    assert "sudo" in said


def test_a_config_of_another_user_in_a_shared_folder_is_left(own: HaproxyBench, elsewhere: Path) -> None:
    own.folder.chmod(0o777)
    own.admin.chmod(0o666)
    assert "it belongs to another user, and replacing it would change its owner" in refused(own, elsewhere)


def test_a_config_that_may_not_be_read_is_named(own: HaproxyBench, elsewhere: Path) -> None:
    own.folder.chmod(0o755)
    own.conf.chmod(0o600)
    for words in (("show",), ("switch", "app_backend", "app-green")):
        assert f"{own.conf}: permission denied" in refused(own, elsewhere, *words)


def test_a_socket_that_may_not_be_opened_is_named(own: HaproxyBench, elsewhere: Path) -> None:
    """The socket has mode 600; the config is the other user's own."""
    own.folder.chmod(0o777)
    shutil.chown(own.conf, OTHER, OTHER)
    said = refused(own, elsewhere, code=3)
    assert f"{own.admin}: this user may not connect to it" in said
    assert "next: run it as a user who may" in said


def test_a_socket_that_may_be_opened_is_enough_for_a_change_at_runtime(own: HaproxyBench, elsewhere: Path) -> None:
    own.folder.chmod(0o777)
    own.admin.chmod(0o666)
    shutil.chown(own.conf, OTHER, OTHER)
    done(by(OTHER, own, "switch", "app_backend", "app-green", PROXYSWITCH_STATE=str(elsewhere / "state")))
    assert (versions(own), states(own)["app-blue"], own.conf.owner()) == ({"2"}, "drain", OTHER)


def test_a_process_of_another_user_is_not_reloaded(own: HaproxyBench, elsewhere: Path) -> None:
    own.folder.chmod(0o777)
    own.admin.chmod(0o666)
    shutil.chown(own.conf, OTHER, OTHER)
    said = refused(own, elsewhere, "switch", "app_backend", "app-green", "--mode", "reload")
    assert "ermission" in said
    assert str(own.master.pid) in said or str(own.master_socket) in said


def test_a_state_file_of_another_user_is_said_first(copied: Path, haproxy_binary: str, elsewhere: Path) -> None:
    with private(copied, WITH_STATE) as place:
        place.save_state()
        place.folder.chmod(0o777)
        place.admin.chmod(0o666)
        shutil.chown(place.conf, OTHER, OTHER)
        said = refused(place, elsewhere)
        assert f"{place.state_file}: it belongs to another user" in said


def test_looking_needs_only_the_socket(own: HaproxyBench, elsewhere: Path) -> None:
    own.folder.chmod(0o755)
    own.admin.chmod(0o666)
    result = by(OTHER, own, "get", "app_backend", PROXYSWITCH_STATE=str(elsewhere / "state"))
    assert (result.code, result.out, result.err) == (0, f"127.0.0.1:{own.blue}\n", "")
    assert not (elsewhere / "state").exists()
