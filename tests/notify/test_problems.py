"""What `doctor` says of those who are to be told, before anybody is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.notify import problems
from proxyswitch.settings import Local, Notify
from tests.bare import run_bare
from tests.e2e.support import Bench, bench

KEY = "s3cr3t-k3y"


def told(*entries: Notify) -> list[str]:
    found = [str(problem) for problem in problems(entries)]
    assert KEY not in "".join(found)
    return found


def test_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", KEY)
    (tmp_path / "hook").write_text(f"https://chat.example/{KEY}")
    os.chmod(tmp_path / "hook", 0o640)
    assert (
        told(
            Notify(url="https://chat.example/${TOKEN}", headers={"A": "${TOKEN}"}),
            Notify(url_file=Local(tmp_path / "hook")),
            Notify(apprise="ntfy://topic"),
            Notify(command=["true"]),
            Notify(command="no such thing"),
        )
        == []
    )


def test_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GONE", raising=False)
    assert told(
        Notify(url=f"https://{KEY}:${{GONE}}@chat.example/"),
        Notify(url=f"https://chat.example/{KEY}", headers={"A": "${GONE}"}),
        Notify(apprise_file=Local(tmp_path / "gone")),
        Notify(command=["no-such-program", KEY]),
    ) == [
        "notify 1 (url): the environment variable GONE is not set (set it where releases are run)",
        "notify 2 (https://chat.example): the environment variable GONE is not set (set it where releases are run)",
        f"notify 3 (apprise): {tmp_path}/gone cannot be read: No such file or directory",
        "notify 4 (command): there is no such program (write its whole path)",
    ]


@pytest.mark.parametrize("mode", [0o644, 0o602])
def test_a_secret_that_everybody_may_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "hook"
    path.write_text(f"https://chat.example/{KEY}")
    os.chmod(path, mode)
    (line,) = told(Notify(url_file=Local(path)))
    assert line == f"notify 1 (https://chat.example): everybody may read or change {path} (chmod 600 {path})"


def test_without_apprise(tmp_path: Path) -> None:
    code = (
        "from proxyswitch.notify import problems\nfrom proxyswitch.settings import Notify\n"
        "print(*problems([Notify(apprise='ntfy://topic'), Notify(url='https://chat.example')]))"
    )
    assert run_bare(tmp_path, code) == ["notify 1 (ntfy): apprise is not installed (pip install 'proxyswitch[notify]')"]


@pytest.fixture
def stopped(tmp_path: Path, nginx_binary: str, nginx_globals: str) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.write(9)
        yield made


def test_doctor_lists_them(stopped: Bench) -> None:
    assert stopped.run("doctor").code == 0
    (stopped.folder / "proxyswitch.toml").write_text(
        f'[[notify]]\nurl = "https://chat.example/{KEY}/${{GONE}}"\n\n[metrics]\ntextfile = "nowhere/web.prom"\n'
    )
    done = stopped.run("doctor")
    assert done.code == 1
    assert "notify 1 (url): the environment variable GONE is not set" in done.out
    assert f"metrics: there is no folder {stopped.folder}/nowhere" in done.out
    assert KEY not in done.out + done.err
