"""Instant mode without root: who may write the flag folder may switch, and needs nothing else."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.instant_support import InstantBench
from tests.e2e.test_user import USER, code, readable_python

__all__ = ["code"]
pytestmark = pytest.mark.root


@pytest.fixture
def roots(
    tmp_path_factory: pytest.TempPathFactory, nginx_binary: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InstantBench]:
    """root's nginx and config, in a folder that everybody may read."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-instant-"))
    folder.chmod(0o755)
    made = InstantBench(folder)
    monkeypatch.setenv("PROXYSWITCH_STATE", str(made.state))
    try:
        made.set_up()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def as_user(place: InstantBench, code: Path, *words: str) -> tuple[int, str, str]:
    """The command as an ordinary user, whose own state folder is elsewhere."""
    home = place.folder / "home"
    home.mkdir(exist_ok=True)
    shutil.chown(home, USER, pwd.getpwnam(USER).pw_gid)
    argv = ["runuser", "-u", USER, "--", readable_python(USER), *place.argv(*words)[1:]]
    import subprocess

    env = {"PATH": os.environ["PATH"], "PROXYSWITCH_STATE": str(home / "state"), "PYTHONPATH": str(code)}
    done = subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_user_who_may_write_the_flag_may_switch(roots: InstantBench, code: Path) -> None:
    status, _, err = as_user(roots, code, "switch", "app_backend", "green")
    assert (status, "no permission to set the flag" in err, roots.flag) == (2, True, "pct-0"), err
    shutil.chown(roots.flags, group=pwd.getpwnam(USER).pw_gid)
    roots.flags.chmod(0o775)
    for words, flag in ((("switch", "app_backend", "green", "--drain", "20s"), "pct-100"), (("rollback",), "pct-0")):
        status, _, err = as_user(roots, code, *words)
        assert (status, roots.flag) == (0, flag), err
    status, _, err = as_user(roots, code, "canary", "app_backend", "5%")
    assert (status, roots.flag) == (0, "pct-5"), err
    status, _, err = as_user(roots, code, "maintenance", "app_backend", "on")
    assert (status, roots.run("show", "--json").json["pools"][0]["closed"][:6]) == (0, "closed"), err
    assert roots.run("maintenance", "app_backend", "off").code == 0
    assert roots.run("switch", "app_backend", "blue").code == 0
