"""What a variable in a pass would change is said outright, in the location, and only where nothing is in effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conf.adopt_helpers import BLUE, POOL, Adopter, site
from tests.nginx_check import Nginx

HOST, REDIRECT = "proxy_set_header Host app;", "proxy_redirect http://app/ /;"
CACHE = "proxy_cache_path cache keys_zone=c:1m;\n"


@pytest.fixture
def adopted(tmp_path: Path, nginx: Nginx) -> Adopter:
    return Adopter(tmp_path, nginx)


# server, location, the lines before the pass
KEPT: dict[str, tuple[str, str, list[str]]] = {
    "all by default": ("", "proxy_pass http://app;", [HOST, REDIRECT]),
    "as it is written": (
        "",
        "proxy_pass https://APP;",
        ["proxy_set_header Host APP;", "proxy_redirect https://APP/ /;", "proxy_ssl_name APP;"],
    ),
    "its own host": ("", "proxy_set_header HOST $host; proxy_pass http://app;", [REDIRECT]),
    "an empty host": ("", 'proxy_set_header Host ""; proxy_pass http://app;', [REDIRECT]),
    "an inherited host": ("proxy_set_header Host $host;", "proxy_pass http://app;", [REDIRECT]),
    "an inherited host that is hidden": (
        "proxy_set_header Host $host;",
        "proxy_set_header X 1; proxy_pass http://app;",
        [HOST, REDIRECT],
    ),
    "inherited headers are repeated": (
        'proxy_set_header X "a b"; proxy_set_header Y 2;',
        "proxy_redirect off; proxy_pass http://app;",
        ['proxy_set_header X "a b";', "proxy_set_header Y 2;", HOST],
    ),
    "inherited headers with the name": (
        "proxy_set_header X ${proxy_host}1; proxy_set_header Host $host;",
        "proxy_redirect off; proxy_pass http://app;",
        ["proxy_set_header X app1;", "proxy_set_header Host $host;"],
    ),
    "another variable that begins so": (
        "proxy_set_header Host $proxy_port;",
        "proxy_redirect off; proxy_pass http://app;",
        [],
    ),
    "an inherited redirect": (f"proxy_redirect http://x/ /; {HOST}", "proxy_pass http://app;", []),
    "an inherited redirect with the name": (
        f"proxy_redirect http://$proxy_host/ $scheme://$host/; {HOST}",
        "proxy_pass http://app;",
        ["proxy_redirect http://app/ $scheme://$host/;"],
    ),
    "a cookie with the name": (
        f"proxy_cookie_domain $proxy_host $host; proxy_redirect off; {HOST}",
        "proxy_pass http://app;",
        ["proxy_cookie_domain app $host;"],
    ),
    "a header of the answer": (
        f"add_header X $proxy_host; add_header Y 1; proxy_redirect off; {HOST}",
        "proxy_pass http://app;",
        ["add_header X app;", "add_header Y 1;"],
    ),
    "a cache": (
        f"proxy_cache c; proxy_redirect off; {HOST}",
        "proxy_pass http://app;",
        ["proxy_cache_key http://app$request_uri;"],
    ),
    "a cache with a key": (f"proxy_cache c; proxy_cache_key $uri; proxy_redirect off; {HOST}", "proxy_pass http://app;", []),
    "a cache that is off": (f"proxy_cache c; proxy_redirect off; {HOST}", "proxy_cache off; proxy_pass http://app;", []),
    "a cache, and a page of its own": (
        f"proxy_cache c; proxy_redirect off; {HOST} error_page 500 /50x.html; location = /50x.html {{ root /srv; }}",
        "proxy_pass http://app;",
        ["proxy_cache_key http://app$request_uri;"],
    ),
    "a cache, and a fallback with a name": (
        f"proxy_cache c; proxy_redirect off; {HOST} location /t {{ try_files $uri @x; }} location @x {{ return 204; }}",
        "proxy_pass http://app;",
        ["proxy_cache_key http://app$request_uri;"],
    ),
    "a cache with the name in its key": (
        f"proxy_cache c; proxy_cache_key $proxy_host$uri; proxy_redirect off; {HOST}",
        "proxy_pass http://app;",
        ["proxy_cache_key app$uri;"],
    ),
    "a name for TLS": (f"proxy_ssl_name x; proxy_redirect off; {HOST}", "proxy_pass https://app;", []),
    "grpc": ("grpc_set_header X 1;", "grpc_pass app;", ["grpc_set_header X 1;", "grpc_set_header Host app;"]),
    "grpc with a host": ("grpc_set_header Host $host;", "grpc_pass grpcs://app;", ["grpc_ssl_name app;"]),
    "uwsgi": ("", "uwsgi_pass uwsgi://app;", []),
    "uwsgi by TLS": ("", "uwsgi_pass suwsgi://app;", ["uwsgi_ssl_name app;"]),
    "fastcgi": ("proxy_cache c;", "fastcgi_pass app;", []),
    "scgi": ("", "scgi_pass app;", []),
    "two passes that need nothing": (
        f"proxy_redirect off; {HOST}",
        f"if ($arg_a) {{ proxy_pass http://{BLUE}; }} proxy_pass http://app;",
        [],
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_kept(name: str, adopted: Adopter) -> None:
    server, location, lines = KEPT[name]
    text = adopted(site(location, server=f"    {server}\n", http=CACHE)).text()
    _, _, body = text.partition("    location / {\n")
    rows = [row.strip() for row in body.split("\n    }\n")[0].split("\n")]
    assert rows[1:-1] == lines


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("proxy_redirect default;", REDIRECT),
        ("proxy_redirect default; proxy_redirect http://x/ /y/;", f"{REDIRECT} proxy_redirect http://x/ /y/;"),
        ("proxy_redirect http://$proxy_host:80/ /;", "proxy_redirect http://app:80/ /;"),
        ('add_header X "${proxy_host}";', f'add_header X "app"; {REDIRECT}'),
    ],
)
def test_own_lines_are_edited_where_they_stand(before: str, after: str, adopted: Adopter) -> None:
    text = adopted(site(f"proxy_pass http://app; proxy_set_header Host $proxy_host; {before}")).text()
    own = after.removesuffix(f" {REDIRECT}") if before.startswith("add_header") else after
    assert f"proxy_set_header Host app; {own}" in text
    assert text.count(REDIRECT) == after.count(REDIRECT)


def test_settings_of_http_and_of_locations_around(adopted: Adopter) -> None:
    inner = "location /in { proxy_pass http://app; }"
    text = adopted(site(f"proxy_set_header Host x; proxy_redirect off; {inner}", http="proxy_set_header Y 1;\n")).text()
    assert HOST not in text
    assert REDIRECT not in text
    text = adopted(site(inner, http="proxy_set_header Y 1;\n")).text()
    assert f"proxy_set_header Y 1;\n            {HOST}\n            {REDIRECT}\n" in text


def test_locations_inside_that_pass_to_the_pool_too(adopted: Adopter) -> None:
    text = adopted(site("proxy_pass http://app; location /in { proxy_pass http://app; } location /s { return 204; }")).text()
    assert text.count(HOST) == text.count(REDIRECT) == 2


def test_settings_from_an_included_file(adopted: Adopter) -> None:
    files: dict[str, str | bytes] = {
        "nginx.conf": site("include params; proxy_pass http://app;", POOL),
        "params": "proxy_set_header Host $http_host;\nproxy_set_header X-Real-IP $remote_addr;\n",
    }
    made = adopted(files)
    assert "proxyswitch" not in made.text("params")
    assert HOST not in made.text()


@pytest.mark.parametrize(
    ("server", "location", "lines"),
    [
        ("", "", ["access_log LOG"]),
        ("access_log OWN;", "", ["access_log OWN;", "access_log LOG"]),
        (
            "access_log OWN; access_log OWN2 combined;",
            "",
            ["access_log OWN;", "access_log OWN2 combined;", "access_log LOG"],
        ),
        ("access_log OWN;", "access_log off;", ["access_log LOG"]),
        ("", "access_log OWN;", ["access_log LOG", "access_log OWN;"]),
    ],
)
def test_logs(server: str, location: str, lines: list[str], adopted: Adopter) -> None:
    log = f"{adopted.folder}/log"

    def named(text: str) -> str:
        return text.replace("OWN", f"{adopted.folder}/own").replace("LOG", f"{log} proxyswitch buffer=32k flush=1s;")

    body = f"{named(location)} proxy_set_header Host x; proxy_redirect off; proxy_pass http://app;"
    made = adopted(site(body, server=named(server)), log=log)
    parts = [part.strip() + ";" for line in made.location() for part in line.split(";")]
    assert [part for part in parts if part.startswith("access_log")] == [named(line) for line in lines]
    assert made.text().index("log_format proxyswitch") < made.text().index("server {")


def test_a_location_inside_that_is_logged_too(adopted: Adopter) -> None:
    text = site("proxy_set_header Host x; proxy_redirect off; proxy_pass http://app; location /in { return 204; }")
    made = adopted(text, log=f"{adopted.folder}/log")
    assert f"nginx.conf:12: requests of this location are written into {adopted.folder}/log too" in made.warnings
