"""health: every combination is right for its language, what is asked for is in it, and what is refused."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.generate import checking
from proxyswitch.generate.kinds import load
from proxyswitch.generate.kinds.health import FRAMEWORKS
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Rejected
from tests.conftest import REPO
from tests.generate.support import files, generate
from tests.runners import frameworks

CHECKS = ("database", "redis", "http")
WAYS = [way for count in (1, 2, 3) for way in itertools.combinations(CHECKS, count)]
PACKAGES = {
    "flask": {"database": "psycopg", "redis": "redis", "http": "urllib"},
    "fastapi": {"database": "psycopg", "redis": "redis", "http": "httpx"},
    "django": {"database": "django.db", "redis": "redis", "http": "urllib"},
    "express": {"database": '"pg"', "redis": '"redis"', "http": "fetch("},
    "go": {"database": "lib/pq", "redis": "redigo", "http": "http.DefaultClient"},
}


def text(framework: str, checks: tuple[str, ...], more: str = "") -> str:
    asked = " ".join(f"--check {check}" for check in checks)
    (made,) = files(f"health --framework {framework} {asked} {more}").values()
    return made


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_brings_the_package_of_what_is_asked_and_no_other(framework: str) -> None:
    for way in WAYS:
        _, _, body = text(framework, way).partition("\n")
        assert {check for check, package in PACKAGES[framework].items() if package in body} == set(way)
        names = re.findall(r'"(database|redis|http)":', body) or re.findall(r"^  (database|redis|http)\b[:,]", body, re.M)
        assert set(names) == set(way)


@pytest.mark.parametrize("framework", ["flask", "fastapi", "django"])
def test_python_is_as_ruff_wants_it(framework: str, tmp_path: Path) -> None:
    for way in WAYS:
        (tmp_path / f"health_{'_'.join(way)}.py").write_text(text(framework, way))
    ruff = [sys.executable, "-m", "ruff"]
    rules = ["--select", "E,F,W,I,B,C4,UP,SIM,RET,PL,RUF", "--config", str(REPO / "pyproject.toml")]
    checks = ([*ruff, "check", *rules, "."], [*ruff, "format", "--check", "--config", str(REPO / "pyproject.toml"), "."])
    for argv in checks:
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout


def test_go_is_as_gofmt_wants_it(tmp_path: Path) -> None:
    frameworks.needed()
    for way in WAYS:
        (tmp_path / f"{'_'.join(way)}.go").write_text(text("go", way))
    argv = [str(frameworks.GO / "gofmt"), "-e", "-d", "."]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == ""


def test_node_reads_it() -> None:
    for way in WAYS:
        argv = ["node", "--check", "-"]
        subprocess.run(argv, input=text("express", way), text=True, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_path_and_deadline_are_those_that_were_said(framework: str) -> None:
    made = text(framework, ("http",), "--health /status/ready --timeout 250ms")
    slash = "" if framework == "django" else "/"
    assert f'"{slash}status/ready"' in made
    assert f'"{slash}status/ready/live"' in made
    assert re.search(r"(DEADLINE|const deadline) = (0\.25|250)\b", made)


def test_an_app_brings_its_path(tmp_path: Path) -> None:
    def of(url: str) -> str:
        settings = '[apps.web]\nslots = {a = "127.0.0.1:1", b = "127.0.0.1:2"}\npool = "p"\nprocess = {command = ["a"]}\n'
        (tmp_path / "proxyswitch.toml").write_text(settings + (f'health = {{url = "{url}"}}\n' if url else ""))
        return generate(f"health --framework flask --app web --config {tmp_path / 'proxyswitch.toml'}")

    assert '"/status/up"' in of("http://{address}/status/up")
    assert all('"/health"' in of(url) for url in ("", "http://{address}/", "tcp://{address}"))


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        *(("framework", word) for word in ("rails", "Flask", "flask\n", "flask;", 'fl"ask', "../flask")),
        *(("check", word) for word in ("mysql", "database\n", "redis;", "{http}", "'http'")),
        *(
            ("health", word)
            for word in ("health", "/", "/a/", "//", "/a b", "/a\n", '/a"', "/a'", "/{a}", "/a;b", "/:a", "/<a>", "/*")
        ),
        *(("timeout", word) for word in ("0", "1s", "2", "-1", "soon", "10ms", "1\n")),
    ],
)
def test_rubbish_is_refused(option: str, bad: str) -> None:
    words = [] if option == "framework" else ["--framework", "flask"]
    with pytest.raises(UsageError, match=f"--{option}: "):
        generate("health", *words, f"--{option}", bad)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_its_language_refuses_is_not_written(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frameworks.needed()
    monkeypatch.setenv("PATH", str(frameworks.GO), prepend=":")
    (part,) = (one for one in load("health").parts if one.when({"framework": framework}))
    good = text(framework, CHECKS)
    assert checking.check(Made(part, f"/x/{part.path}", good), {}) == ""
    with pytest.raises(Rejected, match=rf"refuses /x/{part.path}: "):
        checking.check(Made(part, f"/x/{part.path}", good + "\n)\n"), {})
