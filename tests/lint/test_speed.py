"""Lint is quick enough for a hook: what it loads, and what many files cost, as a ratio within one run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import REPO

HEAVY = {"rich", "jinja2", "sqlglot", "msgspec", "psutil", "pyhaproxy", "pygments", "tomllib"}
NGINX = """\
upstream app{n} {{
    server 127.0.0.1:3001;
    server 127.0.0.1:3002 backup;
}}
server {{
    listen 80;
    server_name a{n}.example.com;
    location / {{
        proxy_pass http://app{n};
        proxy_set_header Host $host;
    }}
    location /static/ {{ root /srv/www; expires 1h; }}
}}
"""
HAPROXY = """\
frontend f{n}
    bind :80
    default_backend b{n}
backend b{n}
    balance roundrobin
    server a 127.0.0.1:3001 check
    server b 127.0.0.1:3002 check backup
"""
LOADED = """\
import os, sys
leave = os._exit
def tell(status):
    print(*sys.modules, file=sys.stderr)
    leave(status)
os._exit = tell
from proxyswitch.cli import main
main()
"""


def run(folder: Path, *words: str, code: str = "from proxyswitch.cli import main; main()") -> str:
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    argv = [sys.executable, "-c", code, *words]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done
    return done.stderr


def seconds(folder: Path, *words: str) -> float:
    """The least of three runs: the others waited for somebody else."""

    def once() -> float:
        begun = time.monotonic()
        run(folder, *words)
        return time.monotonic() - begun

    return min(once() for _ in range(3))


def test_configs_load_nothing_that_costs_time(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(NGINX.format(n=1))
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(n=1))
    (tmp_path / "pyproject.toml").write_text("[project]\n")  # one that says nothing of us
    modules = set(run(tmp_path, "lint", "nginx.conf", "haproxy.cfg", code=LOADED).split())
    assert "proxyswitch.lint.nginx.run" in modules
    assert "proxyswitch.lint.haproxy.run" in modules
    assert not modules & HEAVY
    assert not any(
        name.startswith(("proxyswitch.settings", "proxyswitch.release", "proxyswitch.proxies")) for name in modules
    )
    (tmp_path / "proxyswitch.toml").write_text('[lint]\nignore = ["sql"]\n')
    modules = set(run(tmp_path, "lint", "nginx.conf", code=LOADED).split())
    assert {"msgspec", "proxyswitch.settings_lint"} <= modules  # so the look above can see it
    assert "proxyswitch.settings" not in modules


def test_many_files_cost_little_more_than_the_start(tmp_path: Path) -> None:
    for n in range(150):
        (tmp_path / f"nginx-{n}.conf").write_text(NGINX.format(n=n))
        (tmp_path / f"haproxy-{n}.cfg").write_text(HAPROXY.format(n=n))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 300
    ratio = seconds(tmp_path, "lint", *names) / seconds(tmp_path, "--version")
    assert ratio < 20, f"300 files take {ratio:.1f} times as long as the start"
