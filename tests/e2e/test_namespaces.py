"""A proxy in a mount namespace of its own, as systemd gives one to each service with PrivateTmp or a bind mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.system import proc
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.support import Bench, eventually

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

OWN = ["unshare", "--mount", "--"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount", "--"]


def apart_from_us(argv: list[str]) -> list[str]:
    """The command in a mount namespace of its own; ours stays here."""
    return argv if "proxyswitch" in argv else [*OWN, *argv]


class NginxApart(Bench):
    """An nginx as systemd runs it."""

    def as_user(self, argv: list[str]) -> list[str]:
        return apart_from_us(super().as_user(argv))


class HaproxyApart(HaproxyBench):
    """An HAProxy as systemd runs it."""

    def as_user(self, argv: list[str]) -> list[str]:
        return apart_from_us(super().as_user(argv))


@pytest.fixture(params=[NginxApart, HaproxyApart])
def apart(request: pytest.FixtureRequest, tmp_path: Path, nginx_binary: str, haproxy_binary: str) -> Iterator[Bench]:
    """The pool has one live server, version 1."""
    made: Bench = request.param(tmp_path)
    made.write(made.instance("1"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_it_is_found_and_told(apart: Bench) -> None:
    assert proc.link(apart.master.pid, "ns/mnt") != proc.link(os.getpid(), "ns/mnt")
    result = apart.run("switch", "app_backend", f"127.0.0.1:{apart.instance('2')}", "--json")
    assert result.code == 0, result.err
    assert result.json["mode"] in ("reload", "runtime")
    assert apart.version() == "2"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_another_root_is_another_machine(tmp_path: Path) -> None:
    """As in a container: its files are not ours, whatever they are called."""
    script = (
        f"mount -t tmpfs none {tmp_path} && mount --bind / {tmp_path} && cd {tmp_path} && exec chroot {tmp_path} sleep 60"
    )
    child = subprocess.Popen(["unshare", "--mount", "sh", "-c", script])
    try:
        assert eventually(lambda: proc.link(child.pid, "exe").endswith("sleep"))
        assert proc.sees_our_files(os.getpid())
        assert not proc.sees_our_files(child.pid)
    finally:
        child.kill()
        child.wait()
