"""People are told: real servers, real commands, real processes. And whoever fails or hangs stops nothing."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxyswitch import notify
from proxyswitch.errors import Interrupted
from proxyswitch.notify import Event, Kind, sending
from proxyswitch.settings import Local, Notify, Seconds
from proxyswitch.settings_notify import KINDS
from proxyswitch.system import clock, proc, signals
from proxyswitch.system.run import Command, Result
from tests.bare import bare_python
from tests.notify.receivers import mail, silence, web
from tests.ports import free_port
from tests.system.helpers import eventually

KEY = "s3cr3t-k3y"
EVENT = Event(
    kind=Kind.FAILED, app="web", version="2.1", slot="green", old_version="2.0", old_slot="blue", reason="it is ill"
)
WORDS = "web 2.1 failed: it is ill"
LIMIT = 0.5

Said = Callable[..., list[str]]


def entry(**more: Any) -> Notify:
    """Tells of everything."""
    return Notify(**{"events": list(KINDS), **more})


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    """Tell, and return what was reported. No key is anywhere in it, nor in anything that was printed."""

    def tell(*entries: Notify, event: Event = EVENT, folder: str | None = None) -> list[str]:
        lines: list[str] = []
        notify.tell(entries, event, lines.append, folder=folder)
        printed = capfd.readouterr()
        assert (printed.out, printed.err) == ("", "")
        assert KEY not in "".join(lines)
        assert all(line.startswith("warning: notify ") and "\n" not in line for line in lines)
        return lines

    return tell


# by HTTP


def test_a_post_of_an_object(said: Said) -> None:
    with web() as server:
        assert said(entry(url=f"http://{server.host}/hook/{KEY}?a=b c&d=ä")) == []
    (posted,) = server.posted
    assert posted.path == f"/hook/{KEY}?a=b%20c&d=%C3%A4"
    assert posted.headers["Content-Type"] == "application/json"
    assert posted.json == json.loads(json.dumps(notify.event.facts(EVENT)))
    assert posted.json["text"] == WORDS  # all that Slack needs


def test_text_and_headers(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", f"{KEY}\n")
    headers = {"authorization": "Bearer ${TOKEN}", "Title": "wéb"}
    with web(201) as server:
        assert said(entry(url=f"http://{server.host}", format="text", headers=headers)) == []
    (posted,) = server.posted
    assert (posted.path, posted.body.decode()) == ("/", WORDS)
    assert posted.headers["Authorization"] == f"Bearer {KEY}"
    assert posted.headers["Title"].encode("latin-1").decode() == "wéb"
    assert posted.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_name_and_password_in_the_url(said: Said) -> None:
    with web() as server:
        assert said(entry(url=f"http://me:{KEY}%21@{server.host}/")) == []
    assert server.posted[0].headers["Authorization"] == f"Basic {base64.b64encode(f'me:{KEY}!'.encode()).decode()}"


@pytest.mark.parametrize("status", [301, 403, 500, 599])
def test_an_answer_that_is_no_yes(said: Said, status: int) -> None:
    with web(status, f"no: {KEY}".encode()) as server:
        (line,) = said(entry(url=f"http://me:{KEY}@{server.host}/{KEY}"))
    assert line.startswith(f"warning: notify 1 (http://{server.host}): the answer was {status}")


def test_nobody_there(said: Said) -> None:
    port = free_port()
    (line,) = said(entry(url=f"http://127.0.0.1:{port}/{KEY}"))
    assert line == f"warning: notify 1 (http://127.0.0.1:{port}): connection refused"


@pytest.mark.parametrize(
    ("url", "headers", "reason"),
    [
        (f"http://127.0.0.1:99999/{KEY}", {}, "notify 1 (url): the URL or a header cannot be used"),
        (
            f"http://127.0.0.1:1/{KEY}",
            {"A": f"{KEY}\nB: c"},
            "notify 1 (http://127.0.0.1:1): the URL or a header cannot be used",
        ),
        (f"http://me:{KEY}/x@127.0.0.1/", {}, "notify 1 (url): the URL or a header cannot be used"),
        (f"http://[{KEY}/", {}, "notify 1 (url): the URL or a header cannot be used"),
    ],
)
def test_a_url_that_cannot_be_used(said: Said, url: str, headers: dict[str, str], reason: str) -> None:
    (line,) = said(entry(url=url, headers=headers))
    assert reason in line


def test_no_tls_there(said: Said) -> None:
    with web() as server:
        (line,) = said(entry(url=f"https://{server.host}/{KEY}"))
    assert line.startswith(f"warning: notify 1 (https://{server.host}): TLS failed")


# by apprise


def test_apprise(said: Said) -> None:
    with web() as server:
        assert said(entry(apprise=f"json://{server.host}/{KEY}")) == []
        assert said(entry(apprise=f"ntfy://{server.host}/alerts")) == []
    first, second = (posted.json for posted in server.posted)
    assert (first["message"], first["type"]) == (WORDS, "failure")
    assert first["title"] == second["title"] == f"web: failed ({os.uname().nodename})"
    assert (second["topic"], second["message"]) == ("alerts", WORDS)


def test_apprise_sends_a_mail(said: Said) -> None:
    with mail() as (host, heard):
        assert said(entry(apprise=f"mailto://{host}?from=web@shop.example&to=ops@shop.example&mode=insecure")) == []
    text = "\n".join(heard)
    assert "rcpt TO:<ops@shop.example>" in text
    assert "Subject: web: failed" in text
    assert WORDS in text


@pytest.mark.parametrize("kind", KINDS)
def test_apprise_is_told_every_kind(said: Said, kind: str) -> None:
    with web() as server:
        assert said(entry(apprise=f"json://{server.host}"), event=Event(kind=kind, app="web")) == []
    assert server.posted[0].json["type"] in ("info", "success", "warning", "failure")


def test_what_apprise_says_of_a_failure_is_not_shown(said: Said) -> None:
    with web(403, f"no: {KEY}".encode()) as server:
        assert said(
            entry(apprise=f"json://me:{KEY}@{server.host}/{KEY}"),
            entry(apprise=f"ntfy://{server.host}/{KEY}"),
        ) == [
            "warning: notify 1 (json): the answer was 403 Forbidden",
            "warning: notify 2 (ntfy): the answer was 403 Forbidden",
        ]
    port = free_port()
    assert said(entry(apprise=f"ntfy://{KEY}:{KEY}@127.0.0.1:{port}/{KEY}")) == [
        "warning: notify 1 (ntfy): there was no connection, or it broke"
    ]


@pytest.mark.parametrize("url", [f"slack://{KEY}", f"nosuch://{KEY}", "mailto://"])
def test_a_url_that_apprise_does_not_know(said: Said, url: str) -> None:
    (line,) = said(entry(apprise=url))
    assert (
        line == f"warning: notify 1 ({url.partition(':')[0]}): apprise does not know such a URL, or a part of it is missing"
    )


def test_a_url_without_a_scheme_is_not_shown(said: Said) -> None:
    (line,) = said(entry(apprise=f"{KEY}:x"))
    assert line.startswith("warning: notify 1 (apprise): apprise does not know")


def test_without_apprise(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", bare_python(tmp_path))
    with web() as server:
        assert said(entry(apprise=f"json://{server.host}"), entry(url=f"http://{server.host}")) == [
            "warning: notify 1 (json): apprise is not installed: pip install 'proxyswitch[notify]'"
        ]
    assert len(server.posted) == 1  # a plain POST needs none


def test_files_in_the_working_folder_are_not_run(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "apprise", "logging"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    with web() as server:
        assert said(entry(apprise=f"json://{server.host}"), entry(url=f"http://{server.host}")) == []


def test_what_anything_else_prints_is_not_shown(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a library could, before our words and after them."""
    site = tmp_path / "sitecustomize.py"
    loud = (
        f"import atexit, os, sys\nprint({KEY!r}, end='', flush=True)\n"
        f"os.write(2, b{KEY!r})\natexit.register(print, {KEY!r})\n"
    )
    site.write_text(loud)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    port = free_port()
    told = [entry(url=f"http://127.0.0.1:{port}/{KEY}"), entry(apprise=f"json://127.0.0.1:{port}/{KEY}")]
    assert said(*told) == [
        f"warning: notify 1 (http://127.0.0.1:{port}): connection refused",
        "warning: notify 2 (json): there was no connection, or it broke",
    ]
    site.write_text(f"{loud}os._exit(1)")
    assert said(*told) == [
        f"warning: notify 1 (http://127.0.0.1:{port}): it ended with status 1",
        "warning: notify 2 (json): it ended with status 1",
    ]


# by a command


def test_a_command(said: Said, tmp_path: Path) -> None:
    script = "cat > told; env > known; pwd > here; echo out; echo err >&2"
    assert said(entry(command=script), folder=str(tmp_path)) == []
    assert json.loads((tmp_path / "told").read_text())["text"] == WORDS
    known = (tmp_path / "known").read_text()
    assert f"PROXYSWITCH_TEXT={WORDS}\n" in known
    assert "PROXYSWITCH_EVENT=failed\n" in known
    assert (tmp_path / "here").read_text() == f"{tmp_path}\n"
    assert said(entry(command=["sh", "-c", 'test "$1" = "a b"', "x", "a b"])) == []


def test_a_reason_of_any_size(said: Said, tmp_path: Path) -> None:
    long = Event(kind=Kind.FAILED, app="web", reason="x\0" * 1_000_000)
    assert said(entry(command="cat > told"), event=long, folder=str(tmp_path)) == []
    assert len(json.loads((tmp_path / "told").read_text())["reason"]) == 1_000_000


def test_a_command_that_fails(said: Said, tmp_path: Path) -> None:
    failing = [f"echo {KEY}; echo {KEY} >&2; exit 3", ["/no/such", KEY], [str(tmp_path), KEY], [f"\0{KEY}"], "kill -TERM $$"]
    assert said(*[entry(command=command) for command in failing]) == [
        "warning: notify 1 (command): it ended with status 3",
        "warning: notify 2 (command): it cannot be run: No such file or directory",
        "warning: notify 3 (command): it cannot be run: Permission denied",
        "warning: notify 4 (command): it cannot be run: its words cannot be used",
        "warning: notify 5 (command): it was ended by signal 15 (SIGTERM)",
    ]


def test_a_command_that_leaves_something_running_is_not_waited_for(said: Said, tmp_path: Path) -> None:
    try:
        assert said(entry(command=f"sleep 600 & echo $! > {tmp_path}/pid")) == []
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)


# who hangs


def test_a_command_that_hangs_is_ended_with_all_that_it_started(said: Said, tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/self; trap '' TERM; sleep 600"
    (line,) = said(entry(command=script, timeout=Seconds(LIMIT)))
    assert line == "warning: notify 1 (command): it did not end within 0.5 s, and was ended"
    pids = [int((tmp_path / name).read_text()) for name in ("child", "self")]
    assert eventually(lambda: all(proc.identify(pid) is None for pid in pids))


def test_those_who_hang_hold_nobody(said: Said) -> None:
    limit: dict[str, Any] = {"timeout": Seconds(LIMIT)}
    with silence() as silent, web() as server:
        lines = said(
            entry(url=f"http://{silent}/{KEY}", **limit),
            entry(apprise=f"json://{silent}/{KEY}", **limit),
            entry(url=f"https://{silent}/{KEY}", **limit),
            entry(command="sleep 600", **limit),
            entry(url=f"http://{server.host}/"),
        )
    assert len(server.posted) == 1
    assert lines == [
        f"warning: notify 1 (http://{silent}): it did not end within 0.5 s, and was ended",
        "warning: notify 2 (json): it did not end within 0.5 s, and was ended",
        f"warning: notify 3 (https://{silent}): it did not end within 0.5 s, and was ended",
        "warning: notify 4 (command): it did not end within 0.5 s, and was ended",
    ]


def test_three_that_hang_take_no_longer_than_one(said: Said) -> None:
    with silence() as silent:
        begun = clock.now()
        lines = said(*[entry(url=f"http://{silent}/", timeout=Seconds(1)) for _ in range(3)])
    assert clock.now() - begun < 2
    assert len(lines) == 3


def test_the_process_ends_with_it() -> None:
    """A program that tells somebody who hangs is not kept from its end, nor leaves anybody behind."""
    with silence() as silent:
        code = (
            "from proxyswitch.notify import Event, tell\nfrom proxyswitch.settings import Notify, Seconds\n"
            f"entry = Notify(events=['done'], apprise='json://{silent}', timeout=Seconds({LIMIT}))\n"
            "tell([entry], Event(kind='done', app='web'), print)\nprint('end', flush=True)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[1:] == ["end"]
    assert not [pid for pid in proc.pids() if f"json://{silent}" in proc.title(pid)]


def test_a_signal_ends_them(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 600"

    def interrupt() -> None:
        if eventually((tmp_path / "pid").exists):
            os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=interrupt)
    sender.start()
    with pytest.raises(Interrupted), signals.interruptible():
        notify.tell([entry(command=script)], EVENT, lambda _: None)
    sender.join()
    assert proc.identify(int((tmp_path / "pid").read_text())) is None


# who is asked, and where the secrets are


def test_only_those_are_told_who_asked(said: Said, tmp_path: Path) -> None:
    def of(name: str, **more: Any) -> Notify:
        return Notify(command=f"echo $PROXYSWITCH_EVENT $PROXYSWITCH_APP >> {tmp_path}/{name}", **more)

    entries = [of("usual"), of("done", events=["done"]), of("shop", events=list(KINDS), apps=["shop", "api"])]
    for kind in KINDS:
        for app in ("web", "shop"):
            assert said(*entries, event=Event(kind=kind, app=app)) == []
    both = [f"{kind} {app}" for kind in KINDS for app in ("web", "shop")]
    told = {path.name: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert told["usual"] == [line for line in both if line.startswith(("failed", "rolled_back", "drain_overdue"))]
    assert told["done"] == ["done web", "done shop"]
    assert told["shop"] == [f"{kind} shop" for kind in KINDS]


def test_nobody(said: Said) -> None:
    assert said() == []


def test_secrets_from_the_environment(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    with web() as server:
        monkeypatch.setenv("HOOK", f"{server.host}/{KEY}")
        monkeypatch.setenv("WHOLE", f"http://{server.host}/whole")
        assert said(entry(url="http://${HOOK}"), entry(apprise="json://${HOOK}/x"), entry(url="${WHOLE}")) == []
    assert sorted(posted.path for posted in server.posted) == [f"/{KEY}", f"/{KEY}/x", "/whole"]


def test_a_variable_that_is_not_set_is_that_ones_trouble_alone(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", " ")
    monkeypatch.setenv("WRONG", KEY)
    with web() as server:
        lines = said(
            entry(url="https://chat.example/${GONE}"),
            entry(apprise="ntfy://${EMPTY}"),
            entry(url=f"http://{server.host}", headers={"A": "${GONE}"}),
            entry(url="${WRONG}"),
            entry(url=f"http://{server.host}"),
        )
    assert lines == [
        "warning: notify 1 (url): the environment variable GONE is not set",
        "warning: notify 2 (apprise): the environment variable EMPTY is not set",
        f"warning: notify 3 (http://{server.host}): the environment variable GONE is not set",
        "warning: notify 4 (url): the URL does not begin with http:// or https://",
    ]
    assert len(server.posted) == 1


def test_a_secret_in_a_file(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "hook"
    with web() as server:
        path.write_text(f"http://{server.host}/{KEY}\n")
        assert said(entry(url_file=Local(path))) == []
        path.write_text(f"json://{server.host}/{KEY}\n")
        assert said(entry(apprise_file=Local(path))) == []
    assert [posted.path for posted in server.posted] == [f"/{KEY}", f"/{KEY}"]


def test_a_file_that_holds_no_url(said: Said, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "two").write_text(f"http://a/{KEY}\nhttp://b/{KEY}\n")
    (tmp_path / "bytes").write_bytes(b"\xff")
    reasons = {
        "gone": "cannot be read: No such file or directory",
        "pipe": "is no file",
        "empty": "must hold one URL, and nothing else",
        "two": "must hold one URL, and nothing else",
        "bytes": "is no text",
    }
    assert said(*[entry(url_file=Local(tmp_path / name)) for name in reasons]) == [
        f"warning: notify {number} (url): {tmp_path}/{name} {reason}"
        for number, (name, reason) in enumerate(reasons.items(), 1)
    ]


def test_no_key_is_a_word_of_a_command_that_everybody_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Command] = []

    def run_all(commands: list[Command]) -> list[Result]:
        seen.extend(commands)
        return [Result(0, "", "", 0.1) for _ in commands]

    monkeypatch.setattr(sending, "run_all", run_all)
    notify.tell([entry(url=f"https://a/{KEY}"), entry(apprise=f"ntfy://{KEY}")], EVENT, lambda _: None)
    assert len(seen) == 2
    assert KEY not in "".join(str(command) for command in seen)
    assert all(command.env is None for command in seen)


def test_a_mistake_of_our_own_does_not_stop_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError(KEY)

    monkeypatch.setattr(sending, "run_all", broken)
    lines: list[str] = []
    notify.tell([entry(command="true")], EVENT, lines.append)
    assert lines == [f"warning: it could not be told that {WORDS}: RuntimeError"]
