"""The releases that generated configs are judged by are those that we say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.generate import matrix

KNOWN = {"bookworm": ((1, 22), (2, 6)), "trixie": ((1, 26), (3, 0)), "sid": ((1, 30), (3, 2))}


@pytest.mark.root
@pytest.mark.parametrize("suite", matrix.SUITES)
def test_versions(suite: str, tmp_path: Path) -> None:
    root = matrix.copy(suite, tmp_path)
    nginx, haproxy = (tuple(map(int, root.version(name).split("."))) for name in ("nginx", "haproxy"))
    assert (nginx[:2], haproxy[:2]) >= KNOWN[suite]
    root.put("/etc/nginx/nginx.conf", "events {}\nhttp { upstream a { server 127.0.0.1:1; } }\n")
    assert root.run("nginx", "-t").returncode == 0
    root.put("/etc/nginx/nginx.conf", "events {}\nhttp { upstream a { } }\n")
    assert "no servers are inside upstream" in root.run("nginx", "-t").stderr
    root.put("/etc/haproxy/haproxy.cfg", "frontend a\n    bind 127.0.0.1:1\n    mode http\n    timeout client 1s\n")
    assert root.run("haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg").returncode == 0
