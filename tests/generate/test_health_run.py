"""The health endpoint of each framework, run for real: what it depends on is well, gone, or hangs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from proxyswitch.polling import until
from tests.conftest import REPO
from tests.generate.support import files
from tests.ports import free_port
from tests.runners import frameworks
from tests.runners.frameworks import LIMIT, Dependencies

ALL = ("database", "redis", "http")
NAMES = ("flask", "fastapi", "django", "express", "go")
CLIENTS = 20


@pytest.fixture(scope="module")
def needs() -> Iterator[Dependencies]:
    with frameworks.dependencies() as found:
        yield found


@dataclass(frozen=True)
class Endpoint:
    pid: int
    url: str

    def ask(self, path: str = "/health") -> tuple[int, Any, Message]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=20) as answer:
                return answer.status, json.load(answer), answer.headers
        except HTTPError as error:
            with error:
                return error.code, json.load(error), error.headers

    def soon(self, wanted: Callable[[Any], bool]) -> tuple[int, Any, Message]:
        """The first answer whose body is as wanted: a machine with much to do may be late with one."""
        found = until(lambda: answer if wanted((answer := self.ask())[1]) else None, LIMIT)
        assert found
        return found

    def seconds(self) -> float:
        began = time.monotonic()
        assert self.ask()[0] == 503
        return time.monotonic() - began

    def judged(self) -> int:
        """The exit code of our own check of it."""
        words = ["health", f"{self.url}/health", "--field", "status=healthy", "--field", "version=7"]
        argv = [sys.executable, "-m", "proxyswitch", *words]
        return subprocess.run(argv, cwd=REPO, capture_output=True, timeout=60, check=False).returncode

    @property
    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    @property
    def held(self) -> int:
        """Its open files and threads."""
        return len(os.listdir(f"/proc/{self.pid}/fd")) + self.threads


@pytest.fixture(scope="module", params=NAMES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, list[str]]:
    """The framework, the folder with its endpoint, and the command that starts the app."""
    frameworks.needed()
    folder = tmp_path_factory.mktemp(request.param)
    for name, text in files(f"health --framework {request.param} --check database --check redis --check http").items():
        (folder / name).write_text(text)
    return request.param, folder, frameworks.command(request.param, folder)


@pytest.fixture(scope="module")
def endpoint(made: tuple[str, Path, list[str]], needs: Dependencies) -> Iterator[Endpoint]:
    with _started(made, dict(needs.env)) as found:
        yield found


class _started:
    def __init__(self, made: tuple[str, Path, list[str]], env: dict[str, str]) -> None:
        framework, folder, argv = made
        self.port = free_port()
        env |= {"PORT": str(self.port), "APP_VERSION": "7", **frameworks.environment(framework)}
        self.run = frameworks.running(argv, self.port, env, folder)

    def __enter__(self) -> Endpoint:
        return Endpoint(self.run.__enter__(), f"http://127.0.0.1:{self.port}")

    def __exit__(self, *error: Any) -> None:
        self.run.__exit__(*error)


def is_well(body: Any) -> bool:
    return bool(body["status"] == "healthy")


def test_all_is_well(endpoint: Endpoint) -> None:
    status, body, headers = endpoint.soon(is_well)
    assert (status, body["status"], body["version"]) == (200, "healthy", "7"), body
    assert set(body["checks"]) == set(ALL)
    assert all(check["ok"] is True and isinstance(check["ms"], int) for check in body["checks"].values())
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"].startswith("application/json")
    assert until(lambda: endpoint.judged() == 0 or None, LIMIT)


def test_one_that_hangs_makes_it_ill_and_the_others_are_told_as_they_are(endpoint: Endpoint, needs: Dependencies) -> None:
    with needs.frozen("redis"):
        status, body, headers = endpoint.ask()
        assert (status, body["status"]) == (503, "unhealthy")
        assert {name: check["ok"] for name, check in body["checks"].items()} == {
            "database": True,
            "redis": False,
            "http": True,
        }
        assert body["checks"]["redis"]["error"]
        assert headers["Cache-Control"] == "no-store"
        assert endpoint.judged() == 1
        assert endpoint.ask("/health/live")[:2] == (200, {"status": "healthy", "version": "7"})
    endpoint.soon(is_well)


def test_it_answers_within_a_second_though_all_hang_and_nothing_piles_up(endpoint: Endpoint, needs: Dependencies) -> None:
    endpoint.soon(is_well)
    before, threads = endpoint.held, endpoint.threads
    with needs.frozen(*ALL):
        assert any(endpoint.seconds() < 1 for _ in range(5))  # side by side, and no driver's own time-out
        with ThreadPoolExecutor(CLIENTS) as clients:
            asked = [clients.submit(endpoint.ask) for _ in range(CLIENTS)]
            most = 0
            while wait(asked, timeout=0.05).not_done:
                most = max(most, endpoint.threads)
        assert {one.result()[0] for one in asked} == {503}
        assert most <= threads + CLIENTS + 8  # some servers have a thread for a client; the checks must not multiply them
        assert until(lambda: endpoint.held <= before + 16 or None, LIMIT), (before, endpoint.held)
    endpoint.soon(is_well)
    assert until(lambda: endpoint.held <= before + 8 or None, LIMIT), (before, endpoint.held)


@pytest.mark.parametrize("redis", ["redis://:hunter2@127.0.0.1:hunter2/0", "redis://:hunter2@127.0.0.1:{port}/0"])
def test_what_is_gone_is_told_without_a_secret(made: tuple[str, Path, list[str]], redis: str) -> None:
    """An address that is wrong, too: libraries like to repeat the whole of it."""
    env = {
        "DATABASE_URL": f"postgres://app:hunter2@127.0.0.1:{free_port()}/postgres?sslmode=disable",
        "REDIS_URL": redis.format(port=free_port()),
        "UPSTREAM_URL": f"http://app:hunter2@127.0.0.1:{free_port()}/",
    }
    with _started(made, env) as ill:
        for _ in range(2):  # it is still there after the first
            status, body, _ = ill.ask()
            assert status == 503
            assert not any(check["ok"] for check in body["checks"].values())
            assert all(check["error"] for check in body["checks"].values())
            assert "hunter2" not in json.dumps(body)
        assert ill.ask("/health/live")[0] == 200
        assert ill.judged() == 1
