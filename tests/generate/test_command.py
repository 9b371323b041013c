"""The command: where values come from, and what it says when they are missing or wrong."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from proxyswitch import polling
from proxyswitch.errors import UsageError
from tests.conftest import REPO
from tests.e2e.support import LIMIT
from tests.generate.support import files, generate

TOML = """\
[apps.{name}]
pool = "{name}_pool"
slots = {{ blue = "127.0.0.1:4001", green = "127.0.0.1:4002" }}
process.command = ["app"]
"""
UPSTREAM = "nginx-upstream --nginx-version 1.22"
ADDRESSES = "--blue 127.0.0.1:3001 --green 127.0.0.1:3002"


def run(*words: str, cwd: Path, **named: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "proxyswitch", "generate", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, cwd=cwd, **named)  # type: ignore[call-overload,no-any-return]


def settings(folder: Path, *names: str) -> Path:
    path = folder / "proxyswitch.toml"
    path.write_text("\n".join(TOML.format(name=name) for name in names))
    return path


def test_what_is_missing_is_named_with_its_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        generate(f"{UPSTREAM} --name shop")
    assert "--blue (Where the version that serves now listens)" in caught.value.what
    assert "--help" in caught.value.next_step


def test_an_app_of_the_settings_gives_what_it_knows(tmp_path: Path) -> None:
    path = settings(tmp_path, "web", "api")
    (text,) = files(f"{UPSTREAM} --app api --config {path}").values()
    assert "upstream api_pool {" in text
    assert "server 127.0.0.1:4002" in text
    assert text.startswith(f"# proxyswitch generate nginx-upstream --app api --nginx-version 1.22 --config {path}\n")


def test_an_option_goes_before_the_settings(tmp_path: Path) -> None:
    path = settings(tmp_path, "web")
    (text,) = files(f"{UPSTREAM} --app web --pool other --config {path}").values()
    assert "upstream other {" in text
    assert "--app web" in text or "--pool other --app web" in text


def test_the_only_app_is_meant_where_something_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(tmp_path, "web")
    monkeypatch.chdir(tmp_path)
    (text,) = files(UPSTREAM).values()
    assert "--app web" in text.splitlines()[0]
    (text,) = files(f"{UPSTREAM} --name shop {ADDRESSES}").values()
    assert "--app" not in text.splitlines()[0]
    assert "shop_backend" in text


def test_with_several_apps_one_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(tmp_path, "web", "api")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="needs --name"):
        generate(UPSTREAM)
    with pytest.raises(UsageError, match="did you mean 'web'"):
        generate(f"{UPSTREAM} --app wev")


def test_the_head_repeats_the_command_and_it_makes_the_same(tmp_path: Path) -> None:
    (text,) = files(f"{UPSTREAM} --name shop {ADDRESSES} --keepalive 5").values()
    words = shlex.split(text.splitlines()[0].removeprefix("# proxyswitch generate "))
    assert files(shlex.join(words)) == {"shop-upstream.conf": text}


def test_a_kind_that_is_not_there_is_guessed(tmp_path: Path) -> None:
    done = run("nginx-upstrem", cwd=tmp_path)
    assert done.returncode == 2
    assert "nginx-upstream" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--name 'a;b'", "--name: 'a;b' is no name"),
        ("--name 'a\nb'", "--name: 'a\\nb' is no name"),
        ("--name 'a{b'", "--name: 'a{b' is no name"),
        ("--name 'a\"b'", "--name"),
        ("--blue 127.0.0.1:99999", "--blue: '127.0.0.1:99999': port 99999"),
        ("--keepalive -1", "--keepalive: '-1'"),
        ("--nginx-version x", "--nginx-version: 'x' is no version"),
        ("--template-dir /nowhere", "/nowhere: no such folder"),
        ("--config /nowhere", "no such settings file"),
    ],
)
def test_what_is_wrong_names_its_option(tmp_path: Path, words: str, says: str) -> None:
    done = run("nginx-upstream", "--name", "shop", *shlex.split(ADDRESSES), *shlex.split(words), cwd=tmp_path)
    assert done.returncode == 2, done
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_own_templates_have_the_same_variables_and_the_head_names_them(tmp_path: Path) -> None:
    (tmp_path / "nginx-upstream.conf.j2").write_text("# of {{ name | comment }}: {{ blue | nginx }}\n")
    (text,) = files(f"{UPSTREAM} --name shop {ADDRESSES} --template-dir {tmp_path}").values()
    assert text.endswith("# of shop: 127.0.0.1:3001\n")
    assert f"--template-dir {tmp_path}" in text.splitlines()[0]


def test_where_a_version_is_not_known_it_says_what_it_took(tmp_path: Path) -> None:
    words = ("nginx-upstream", "--name", "shop", *shlex.split(ADDRESSES))
    done = run(*words, cwd=tmp_path, env={"PATH": "/nowhere", "PYTHONPATH": str(REPO)})
    if "nginx is installed here" in done.stderr:  # nginx may be in a place that needs no PATH
        assert "made for 1.22" in done.stderr
    assert done.returncode == 0, done.stderr


def test_json_of_an_error(tmp_path: Path) -> None:
    done = run("nginx-upstream", "--json", "--name", "a;b", *shlex.split(ADDRESSES), cwd=tmp_path)
    assert json.loads(done.stdout)["exit"] == 2


def test_on_a_terminal_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    """And a wrong answer is asked for again; the head has the answers as options."""
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    out = tmp_path / "out"
    argv = ["env", f"PYTHONPATH={REPO}", sys.executable, "-m", "proxyswitch", "generate", *shlex.split(UPSTREAM)]
    inner = f"{shlex.join(argv)} > {out}; echo ended $?; exec sleep 600"
    start = [*tmux, "new-session", "-d", "-x", "80", "-y", "40", "-c", str(tmp_path), inner]
    subprocess.run(start, check=True, timeout=60)
    try:
        for question, answer in (
            ("The app's name:", "a;b"),
            ("is no name", "shop"),
            ("serves now listens:", "127.0.0.1:3001"),
            ("next version will listen:", "127.0.0.1:3002"),
        ):
            _until(tmux, question)
            subprocess.run([*tmux, "send-keys", answer, "Enter"], check=True, timeout=60)
        _until(tmux, "ended 0")
    finally:
        subprocess.run([*tmux, "kill-server"], check=True, timeout=60)
    assert out.read_text().startswith(
        f"# proxyswitch generate nginx-upstream --name shop {ADDRESSES} --nginx-version 1.22\n"
    )


def _until(tmux: list[str], text: str) -> None:
    def seen() -> bool | None:
        shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True, timeout=60)
        return text in shown.stdout or None

    assert polling.until(seen, LIMIT, first=0.02, longest=0.1), text
