"""The fixtures are configs that real nginx accepts, and that we read without loss."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxyswitch.conf.nginx import chain, pools
from tests.conftest import FIXTURES
from tests.nginx_check import Nginx, copy_fixture, make_certificate

NAMES = sorted(p.name for p in (FIXTURES / "nginx").iterdir() if p.is_dir())
ACCEPTED = [name for name in NAMES if name != "lua"]


def test_there_are_fixtures() -> None:
    assert NAMES == ["includes", "lua", "odd", "plain", "sites", "stream", "variables"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_nginx_accepts(name: str, nginx: Nginx, tmp_path: Path) -> None:
    conf = copy_fixture(name, tmp_path)
    if name == "sites":
        make_certificate(conf.parent / "certs")
    done = nginx.test(conf)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_read_without_loss(name: str) -> None:
    config = chain.load(str(FIXTURES / "nginx" / name / "nginx.conf"))
    for real, document in config.documents.items():
        assert document.dumps() == Path(real).read_bytes()


def found(name: str) -> dict[str, list[str]]:
    config = chain.load(str(FIXTURES / "nginx" / name / "nginx.conf"))
    return {f"{u.context} {u.name}": [line.server.address for line in u.lines] for u in pools.upstreams(config)}


def test_pools_of_the_fixtures() -> None:
    assert found("plain") == {"http app": ["127.0.0.1:3001"]}
    assert found("stream") == {
        "stream app": ["127.0.0.1:5432", "unix:/run/app-db.sock"],
        "stream dns": ["127.0.0.1:5353", "[::1]:5353"],
        "http app": ["127.0.0.1:3001", "unix:/run/app.sock"],
    }
    assert found("includes") == {
        "http app": ["127.0.0.1:3001", "127.0.0.1:3002"],
        "http mixed": ["127.0.0.1:3009", "127.0.0.1:3011", "127.0.0.1:3012"],
        "http api": ["127.0.0.1:3021", "127.0.0.1:3022"],
    }
    assert found("lua") == {"http app": ["0.0.0.1"], "http plain": ["127.0.0.1:3001"]}
    assert found("sites").keys() == {"http app", "http app2", "http app_backend", "http app_backend_v2"}
    assert found("odd")["http app"] == ["127.0.0.1:3001", "127.0.0.1:3002", "127.0.0.1:3003"]


def test_links_are_kept_in_git() -> None:
    assert os.path.islink(FIXTURES / "nginx/sites/sites-enabled/shop")
