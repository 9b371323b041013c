"""`--with-server`: what nginx, HAProxy and gixy themselves say of whole configs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxyswitch.cli import lint_server
from proxyswitch.system.run import Result
from tests.lint.command import lint, tool

NGINX = """\
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    include conf.d/*.conf;
}}
"""


@pytest.fixture
def nginx(tmp_path: Path, nginx_binary: str) -> Path:
    (tmp_path / "etc/conf.d").mkdir(parents=True)
    (tmp_path / "etc/nginx.conf").write_text(NGINX.format(folder=tmp_path))
    site(tmp_path, "server { listen 127.0.0.1:8080; }\n")
    return tmp_path


def site(folder: Path, text: str) -> None:
    (folder / "etc/conf.d/a.conf").write_text(text)


def test_a_good_config_of_nginx_passes(nginx: Path) -> None:
    done = lint("etc/nginx.conf", "--with-server", "--ignore", "server/gixy-x", folder=nginx, code=0)
    assert "server/nginx" not in done.stdout


def test_what_nginx_refuses_is_an_error_at_its_line(nginx: Path) -> None:
    site(nginx, "server {\n    listen 127.0.0.1:8080;\n    add_header a b c d e;\n}\n")
    done = lint("etc/nginx.conf", "--with-server", folder=nginx, code=1)
    assert 'etc/conf.d/a.conf:3:1: error server/nginx: invalid number of arguments in "add_header" directive' in done.stdout


def test_what_nginx_warns_of_is_a_warning(nginx: Path) -> None:
    site(nginx, "server { listen 127.0.0.1:8080; server_name a; }\n" * 2)
    done = lint("etc/nginx.conf", "--with-server", folder=nginx, code=0)
    assert 'etc/nginx.conf:1:1: warning server/nginx: conflicting server name "a" on 127.0.0.1:8080, ignored' in done.stdout


def test_snippets_are_not_given_to_nginx(nginx: Path) -> None:
    site(nginx, "server { listen 127.0.0.1:8080; zzz; }\n")
    assert "server/" not in lint("etc/conf.d/a.conf", "--with-server", folder=nginx, code=0).stdout


def test_what_an_ordinary_user_may_not_open_is_no_fault() -> None:
    def said(text: str) -> list[str]:
        return [f.message for f in lint_server.of_nginx(Result(1, "", text, 0.1), "nginx.conf")]

    denied = '[emerg] 7#7: open() "/run/nginx.pid" failed (13: Permission denied)'
    ok = "nginx: the configuration file /a/nginx.conf syntax is ok"
    log = 'nginx: [alert] could not open error log file: open() "/var/log/e" failed (13: Permission denied)'
    assert said(f"{log}\n{ok}\n2026/11/30 10:00:00 {denied}\nnginx: configuration file /a/nginx.conf test failed") == []
    assert said(f'{log}\nnginx: [emerg] unknown directive "x" in /a/nginx.conf:3') == ['unknown directive "x"']
    assert said("Segmentation fault") == ["Segmentation fault"]


@pytest.fixture
def haproxy(tmp_path: Path, haproxy_binary: str) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/10.cfg").write_text("global\ndefaults\n    mode http\n    timeout client 1s\n    timeout server 1s\n")
    (tmp_path / "etc/20.cfg").write_text("frontend f\n    bind 127.0.0.1:8080\n    default_backend app\n")
    pool(tmp_path, "")
    return tmp_path


def pool(folder: Path, line: str) -> None:
    (folder / "etc/30.cfg").write_text(f"backend app\n    timeout connect 1s\n    server a 127.0.0.1:3001\n{line}")


def test_a_good_config_of_haproxy_passes(haproxy: Path) -> None:
    assert "server/" not in lint("etc", "--with-server", folder=haproxy, code=0).stdout


def test_what_haproxy_refuses_and_warns_of(haproxy: Path) -> None:
    pool(haproxy, "    balanse roundrobin\n")
    done = lint("etc", "--with-server", folder=haproxy, code=1)
    assert "etc/30.cfg:4:1: error server/haproxy: unknown keyword 'balanse' in 'backend' section" in done.stdout
    pool(haproxy, "    option tcplog\n    timeout client 3s\n")
    done = lint("etc", "--with-server", folder=haproxy, code=0)
    assert "etc/30.cfg:5:1: warning server/haproxy: " in done.stdout


def test_a_part_is_not_given_to_haproxy(haproxy: Path) -> None:
    pool(haproxy, "    balance by-chance\n")
    assert "server/haproxy" not in lint("etc/30.cfg", "--with-server", folder=haproxy, code=0).stdout


def test_rules_of_servers_can_be_left_out(haproxy: Path) -> None:
    pool(haproxy, "    balance by-chance\n")
    for name in ("server", "server/haproxy"):
        assert "server/" not in lint("etc", "--with-server", "--ignore", name, folder=haproxy, code=0).stdout


def test_without_the_server_it_says_what_to_install(nginx: Path) -> None:
    (nginx / "bad.conf").write_text("server {\n")
    gone = "import os; os.environ['PATH'] = '/nowhere'; import proxyswitch.cli.lint_server as s; s.PATH = '/nowhere'"
    done = lint("etc/nginx.conf", "bad.conf", "--with-server", folder=nginx, code=2, before=gone)
    assert "--with-server needs nginx, and it is not installed" in done.stderr
    assert "next: apt-get install nginx" in done.stderr
    assert "bad.conf:2:1: error nginx/syntax" in done.stdout
    lint("bad.conf", "--with-server", folder=nginx, code=1, before=gone)  # nothing to ask it


def test_standard_input_is_refused(tmp_path: Path) -> None:
    assert "cannot be used for standard input" in lint("-", "--with-server", folder=tmp_path, code=2).stderr


def test_nothing_is_written_by_asking(haproxy: Path) -> None:
    before = sorted(haproxy.rglob("*"))
    lint("etc", "--with-server", folder=haproxy, code=0)
    assert sorted(haproxy.rglob("*")) == before


# gixy


def with_gixy() -> str:
    return f"import proxyswitch.cli.lint_server as s; s.PATH = {os.path.dirname(tool('gixy'))!r} + ':' + s.PATH"


def test_gixy_is_asked_where_it_is(nginx: Path) -> None:
    site(
        nginx,
        "server {\n    listen 127.0.0.1:8080;\n    location ~ /proxy/(.*) {\n        proxy_pass http://$1;\n    }\n}\n",
    )
    done = lint("etc/nginx.conf", "--with-server", folder=nginx, code=0, before=with_gixy())
    assert "etc/conf.d/a.conf:4:1: warning server/gixy-ssrf: Possible SSRF" in done.stdout
    ignored = ("--ignore", "server/gixy-ssrf")
    done = lint("etc/nginx.conf", "--with-server", *ignored, folder=nginx, code=0, before=with_gixy())
    assert "gixy-ssrf" not in done.stdout
