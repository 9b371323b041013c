"""Which files lint takes for what, and what it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxyswitch.lint.finding import Source
from proxyswitch.lint.kinds import kind_of
from tests.lint.command import lint

SITE = "server {\n    listen 80;\n    location / { proxy_pass http://127.0.0.1:3001; }\n}\n"
PART = "backend app\n    server a 127.0.0.1:3001\n"
APACHE = "<VirtualHost *:80>\n    ServerName a.example\n    ErrorLog /var/log/a.log\n</VirtualHost>\n"
INI = "[global]\nuser = www\n"

# path, text, kind
KNOWN = [
    *(
        (name, "", "nginx")
        for name in ("nginx.conf", "deploy/nginx.conf", "nginx-prod.conf", "nginx/a.conf", "nginx/conf.d/a.conf")
    ),
    *(
        (name, "", "nginx")
        for name in ("shop.nginx", "shop.nginxconf", "shop.nginx.conf", "conf.d/empty.conf", "sites-enabled/empty")
    ),
    *(
        (name, SITE, "nginx")
        for name in ("conf.d/a.conf", "sites-available/a.example.com", "sites-enabled/a", "my.conf", "site")
    ),
    ("a.conf", "server {\n    listen 80\n", "nginx"),
    ("a.conf", "upstream app { server 127.0.0.1:1; }", "nginx"),
    ("a.conf", "map $host $pool {\n", "nginx"),
    ("a.conf", "proxy_set_header Host $host;\n", "nginx"),
    *(
        (name, "", "haproxy")
        for name in ("haproxy.cfg", "haproxy-prod.cfg", "haproxy/10-web.cfg", "etc/haproxy/conf.d/a.cfg")
    ),
    *((name, "", "haproxy") for name in ("shop.haproxy", "shop.haproxy.cfg", "HAProxy.CFG")),
    *((name, PART, "haproxy") for name in ("conf/10-web.cfg", "lb.cfg", "lb.conf", "conf.d/lb.conf")),
    ("lb.cfg", "global\n    daemon\n", "haproxy"),
    ("m.sql", "", "sql"),
    *((name, "", "settings") for name in ("proxyswitch.toml", "deploy/proxyswitch.toml")),
]
FOREIGN = [
    ("setup.cfg", "[metadata]\nname = a\n"),
    ("setup.cfg", "global\n"),
    ("nginx/php-fpm.conf", INI),
    ("nginx/supervisord.conf", "[program:a]\ncommand=x ; y\n"),
    ("redis.conf", "bind 127.0.0.1\nport 6379\n"),
    ("sshd_config", "Port 22\nMatch User a\n"),
    ("my.cnf", INI),
    ("php.ini", INI),
    ("haproxy/errors.ini", INI),
    ("supervisord.conf", INI),
    ("httpd.conf", "Listen 80\n"),
    ("sites-available/000-default.conf", APACHE),
    ("conf.d/vhosts.conf", APACHE),
    ("nginx/apache-vhost.conf", APACHE),
    ("named.conf", 'options { directory "/x"; };\nzone "a" { type master; };\n'),
    ("bind/a.conf", 'zone "a" {\n    type master;\n};\n'),
    ("keepalived/a.conf", "vrrp_instance a {\n    state MASTER\n}\n"),
    ("a.conf", "key = value\n"),
    ("etc/init.d/haproxy", "#!/bin/sh\nstart() {\n    set -e;\n}\n"),
    ("a.conf", ""),
    ("pyproject.toml", ""),
    ("notes.md", "server {\n"),
    ("app.js", "server {\n"),
    ("nginx.conf.j2", SITE),
    ("haproxy.cfg.tmpl", PART),
    ("templates/default.conf.template", SITE),
    ("nginx.conf.erb", SITE),
]


@pytest.mark.parametrize(("path", "text", "kind"), KNOWN, ids=lambda x: str(x)[:30])
def test_a_file_is_known_by_its_name_or_its_text(path: str, text: str, kind: str) -> None:
    assert kind_of(Source(path, text.encode())) == kind


@pytest.mark.parametrize(("path", "text"), FOREIGN, ids=lambda x: str(x)[:30])
def test_files_of_others_are_not_taken(path: str, text: str) -> None:
    assert kind_of(Source(path, text.encode())) == ""
    assert kind_of(Source(f"/srv/{path}", text.encode())) == ""


def test_the_folder_in_which_one_works_says_nothing_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "nginx-shop").mkdir()
    (tmp_path / "nginx-shop/a.conf").write_text("key = value\n")
    lint("a.conf", folder=tmp_path / "nginx-shop", code=2)
    lint(str(tmp_path / "nginx-shop/a.conf"), folder=tmp_path / "nginx-shop", code=2)
    lint("nginx-shop/a.conf", folder=tmp_path, code=1)


def test_a_template_is_refused_unless_it_is_said_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf.j2").write_text(SITE)
    done = lint("nginx.conf.j2", folder=tmp_path, code=2)
    assert "nginx.conf.j2: a template is no config yet" in done.stderr
    lint("--kind", "nginx", "nginx.conf.j2", folder=tmp_path, code=0)


def test_a_folder_with_an_nginx_conf_is_that_whole_config(tmp_path: Path) -> None:
    (tmp_path / "etc/conf.d").mkdir(parents=True)
    (tmp_path / "etc/nginx.conf").write_text("events {}\nhttp {\n    include conf.d/*.conf;\n}\n")
    (tmp_path / "etc/conf.d/a.conf").write_text("server { location / { fastcgi_pass gone; } }\n")
    done = lint("etc", folder=tmp_path, code=1)
    assert "etc/conf.d/a.conf:1:36: error nginx/upstream-undefined" in done.stdout


def test_a_folder_of_haproxy_is_one_config(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/10.cfg").write_text("global\n    daemon\n")
    (tmp_path / "etc/20.cfg").write_text("frontend f\n    bind :80\n    default_backend app\n")
    assert "20.cfg:3:21: error haproxy/backend-undefined" in lint("etc", folder=tmp_path, code=1).stdout
    (tmp_path / "etc/30.cfg").write_text(PART)
    lint("etc", folder=tmp_path, code=0)


@pytest.mark.parametrize("names", [(), ("a.conf",), ("setup.cfg",)])
def test_a_folder_without_either_says_what_to_name(names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name in names:
        (tmp_path / "etc" / name).write_text("[metadata]\n")
    done = lint("etc", folder=tmp_path, code=2)
    assert "etc: there is no config file in it: neither nginx.conf nor files of HAProxy" in done.stderr
    assert "next: name the files themselves" in done.stderr


def test_a_file_that_is_named_twice_is_judged_once(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("server {\n")
    (tmp_path / "link").symlink_to("a.conf")
    done = lint("./a.conf", "a.conf", "link", str(tmp_path / "a.conf"), folder=tmp_path, code=1)
    assert done.stdout.startswith("./a.conf:2:1: error nginx/syntax")
    assert done.stdout.count("\n") == 1


def test_what_is_no_text_or_too_large_is_said(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_bytes(b"\x7fELF\0\1")
    with open(tmp_path / "haproxy.cfg", "wb") as file:
        file.truncate(100 << 20)
    (tmp_path / "bad.conf").write_text("server {\n")
    done = lint("nginx.conf", "haproxy.cfg", "bad.conf", folder=tmp_path, code=2)
    assert "nginx.conf: this is no text" in done.stderr
    assert "haproxy.cfg: larger than 16 MB" in done.stderr
    assert "bad.conf:2:1: error nginx/syntax" in done.stdout


def test_a_file_that_does_not_parse_is_told_whatever_is_asked(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("server {\n")
    (tmp_path / "haproxy.cfg").write_text('backend app\n    server "a\n')
    done = lint("a.conf", "haproxy.cfg", "--select", "nginx/single-server", folder=tmp_path, code=1)
    assert "a.conf:2:1: error nginx/syntax" in done.stdout
    assert "haproxy.cfg:2:12: error haproxy/syntax" in done.stdout
    lint("a.conf", "haproxy.cfg", "--ignore", "nginx/syntax", "--ignore", "haproxy", folder=tmp_path, code=0)


def test_other_encodings_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"# Stra\xdfe\nserver { location / { return 200 'gr\xfc\xdfe'; }\n")
    (tmp_path / "haproxy.cfg").write_bytes(b"# Stra\xdfe\nfrontend f\xfc\n    bind :80\n")
    for format_ in ("text", "json", "github", "sarif"):
        done = lint("a.conf", "haproxy.cfg", "--format", format_, folder=tmp_path, code=1)
        assert "nginx/syntax" in done.stdout


def test_standard_input_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a.conf").write_text("server { location / { fastcgi_pass gone; } }\n")
    main = "events {}\nhttp { include a.conf; }\n"
    done = lint("-", "--stdin-filename", "etc/nginx.conf", stdin=main, folder=tmp_path, code=1)
    assert "etc/a.conf:1:36: error nginx/upstream-undefined" in done.stdout
    (one,) = json.loads(
        lint("-", "--stdin-filename", "m.sql", "--json", stdin="DROP TABLE a;", folder=tmp_path, code=1).stdout
    )
    assert one["path"] == "m.sql"
    assert "notes.txt: by its name" in lint("-", "--stdin-filename", "notes.txt", stdin="x", folder=tmp_path, code=2).stderr


def test_without_a_file_it_says_what_to_name(tmp_path: Path) -> None:
    done = lint(folder=tmp_path, code=2)
    assert "no file was named" in done.stderr
    assert "next: name the files to look at, - for standard input" in done.stderr


def test_a_rule_is_explained(tmp_path: Path) -> None:
    done = lint("--explain", "nginx/single-server", folder=tmp_path, code=0)
    assert done.stdout.startswith("nginx/single-server (info)\n\nA pool has a single server")
    assert "\nFAIL\n    upstream app {\n" in done.stdout
    done = lint("--explain", "nginx/single-servr", folder=tmp_path, code=2)
    assert "there is no rule 'nginx/single-servr': did you mean 'nginx/single-server'?" in done.stderr
    assert "'nginx' is no rule by itself" in lint("--explain", "nginx", folder=tmp_path, code=2).stderr


def test_blocks_that_never_end_are_told_and_no_bug_of_ours(tmp_path: Path) -> None:
    (tmp_path / "deep.conf").write_text(f"http {{\n{'location / { ' * 3000}{'}' * 3001}\n")
    done = lint("deep.conf", "--kind", "nginx", folder=tmp_path, code=1)
    assert "error nginx/syntax: blocks stand more than 100 deep in each other" in done.stdout
    (tmp_path / "deep.conf").write_text(f"http {{\nserver {{\n{'location / { ' * 50}{'}' * 52}\n")
    assert "nginx/syntax" not in lint("deep.conf", "--kind", "nginx", folder=tmp_path, code=0).stdout
