"""What cannot be brought into instant mode is refused, with the line and the reason; every one is a config nginx takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxyswitch.conf.nginx import adopt, chain
from proxyswitch.conf.nginx.adopt import Refused
from tests.conf.adopt_helpers import BLUE, GREEN, HEAD, POOL, Adopter, site, wanted_of
from tests.nginx_check import Nginx

PLAIN = "proxy_pass http://app;"
CACHE = "proxy_cache_path cache keys_zone=c:1m;\n"


@pytest.fixture
def adopted(tmp_path: Path, nginx: Nginx) -> Adopter:
    return Adopter(tmp_path, nginx)


def pool(body: str) -> str:
    return f"upstream app {{ server {BLUE}; server {GREEN} down; {body} }}\n"


def refused(adopted: Adopter, files: str | dict[str, str | bytes], **wish: Any) -> str:
    """The message, with the folder's name taken out of it."""
    with pytest.raises(Refused) as caught:
        adopted(files, **wish)
    assert caught.value.exit_code == 2
    return "\n".join(caught.value.lines()).replace(f"{adopted.folder}/", "")


CASES: dict[str, tuple[str, str]] = {
    # passes
    "a path": (site("proxy_pass http://app/;"), 'conf:12: "proxy_pass http://app/" has a path, /'),
    "a path and a port of its own": (site("proxy_pass http://app/api/;"), "has a path, /api/"),
    "no pass": (site("return 204;"), "no location passes requests to app"),
    "another pass": (
        site(PLAIN, http="server { listen 81; location / { set $memcached_key 1; memcached_pass app; } }\n"),
        'conf:5: "memcached_pass" passes to app too',
    ),
    "a set": (
        site(PLAIN, http="server { listen 81; location / { set $x app; proxy_pass http://$x; } }\n"),
        'conf:5: a variable can be app here, and "proxy_pass http://$x" at nginx.conf:5 passes to a variable',
    ),
    "a map": (
        site(PLAIN, http="map $uri $x { default http://app; }\nserver { listen 81; location / { proxy_pass $x; } }\n"),
        "conf:5: a variable can be app here",
    ),
    "a map of a set": (
        site(
            PLAIN,
            http="map $uri $x { default app; }\n"
            "server { listen 81; location / { set $y a$x; set $z $x; proxy_pass http://$z; } }\n",
        ),
        "conf:5: a variable can be app here",
    ),
    "a split": (
        site(PLAIN, http="split_clients $uri $x { * app; }\nserver { listen 81; location / { proxy_pass http://$x; } }\n"),
        "conf:5: a variable can be app here",
    ),
    "a geo": (
        site(PLAIN, http="geo $x { default app; }\nserver { listen 81; location / { proxy_pass http://$x; } }\n"),
        "conf:5: a variable can be app here",
    ),
    # the pool
    "hash": (
        site(PLAIN, f"upstream app {{ hash $uri; server {BLUE}; server {GREEN} down; }}\n"),
        "conf:5: nginx takes no backup",
    ),
    "ip_hash": (site(PLAIN, f"upstream app {{ ip_hash; server {BLUE}; server {GREEN} down; }}\n"), 'beside "ip_hash"'),
    "random": (site(PLAIN, f"upstream app {{ random; server {BLUE}; server {GREEN} down; }}\n"), 'beside "random"'),
    "in stream": (
        f"pid nginx.pid; events {{}}\nstream {{ {POOL} server {{ listen 81; proxy_pass app; }} }}",
        "conf:2: app is a pool of stream: nginx has no flag for connections",
    ),
    "no such pool": (site(PLAIN.replace("app", "other"), POOL.replace("app", "other")), "the pools are: other"),
    "nothing idle": (
        site(PLAIN, f"upstream app {{ server {BLUE}; server {GREEN}; }}\n"),
        "conf:5: no server of app is left for the slot green\nstate: nothing was changed\nnext: say where the other",
    ),
    "names taken": (
        site(PLAIN, f"{POOL}upstream app_green {{ server {GREEN}; }}\n"),
        "conf:9: there is a pool app_green",
    ),
    "variables taken": (
        site(PLAIN, server="    set $app_slot x;\n"),
        "conf:11: $app_slot is in use already, and instant mode needs the name",
    ),
    "another variable taken": (
        site(PLAIN, server='    set $x "${app_gate}";\n    set $app_gate 1;\n'),
        "${app_gate is in use",
    ),
    # the place
    "limit_except": (
        site(f"limit_except GET {{ allow 10.0.0.0/8; deny all; }} {PLAIN}"),
        'conf:12: nginx tests nothing inside "limit_except"',
    ),
    "limit_except and satisfy any": (site(f"satisfy any; limit_except GET {{ deny all; }} {PLAIN}"), "limit_except"),
    "a pass in limit_except": (
        site("limit_except GET { proxy_pass http://app; }"),
        "limit_except",
    ),
    # defaults that cannot be kept
    "a cache and a rewrite": (
        site(f"proxy_cache c; {PLAIN}", server="    rewrite ^/a /b;\n", http=CACHE),
        'which follows the URI that "rewrite" at nginx.conf:12 may change',
    ),
    "a cache and try_files": (
        site(f"proxy_cache c; {PLAIN}", server="    location /t { try_files $uri /x; }\n", http=CACHE),
        'conf:14: the cache key of nginx.conf:14 is nginx\'s default, which follows the URI that "try_files" at',
    ),
    "a cache and error_page": (
        site(f"proxy_cache c; {PLAIN}", http=f"{CACHE}error_page 404 /404.html;\n"),
        '"error_page" at',
    ),
    "two passes": (
        site(f"if ($arg_a) {{ proxy_pass http://{GREEN}; }} {PLAIN}"),
        "conf:12: this location has another pass at nginx.conf:12, and the two would need different settings",
    ),
    "two schemes": (site(f"if ($arg_a) {{ proxy_pass https://app; }} {PLAIN}"), "this location has another pass at"),
    "a location inside": (
        site(f"{PLAIN} location /in {{ proxy_pass http://{GREEN}; }}"),
        "conf:12: this location would inherit the proxy_set_header that the one around it, at nginx.conf:11, needs",
    ),
    "a map by $proxy_host": (site(PLAIN, http="map $proxy_host $x { default 1; }\n"), "conf:5: a map by $proxy_host"),
    "a log by $proxy_host": (
        site(f"access_log $proxy_host.log; {PLAIN}"),
        'conf:12: "access_log" says $proxy_host, which would become another name',
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, adopted: Adopter) -> None:
    text, message = CASES[name]
    adopted.config(text)
    if "stream {" not in text:
        adopted.check()
    assert message in refused(adopted, text, accepted=False)


def test_a_shared_name_that_is_taken(adopted: Adopter) -> None:
    text = site(PLAIN, http="map $uri $proxyswitch_uri { default 1; }\n")
    assert "conf:5: $proxyswitch_uri is in use already" in refused(adopted, text)
    text = site(PLAIN, http="log_format proxyswitch '$uri';\n")
    assert "conf:5: proxyswitch is in use already" in refused(adopted, text, log=f"{adopted.folder}/x.log")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sticky cookie id;", 'two pools with "sticky" would not be what one is'),
        ("queue 9;", '"queue"'),
        ("state /x;", '"state"'),
        ("ntlm;", '"ntlm"'),
        ("check interval=1;", '"check"'),
        ("", '"health_check" needs a pool by its name'),
        ("server a:1 resolve;", 'a server line with "resolve" cannot be put in two pools'),
        ("server a service=http;", 'a server line with "service=http"'),
        ("server a:1 route=a;", 'a server line with "route=a"'),
    ],
)
def test_what_this_nginx_does_not_know(line: str, message: str, adopted: Adopter) -> None:
    """Of the commercial version, of newer ones, or of others' modules."""
    text = site(f"{PLAIN}{'' if line else ' health_check;'}", pool(line))
    assert message in refused(adopted, text, accepted=False, green=(GREEN, "a:1", "a:80"))


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"blue": (BLUE,), "green": (BLUE,)}, f"{BLUE} cannot be in both slots"),
        ({"blue": (BLUE,), "green": ("127.0.0.1:3003",)}, f"conf:7: {GREEN} of app is in neither slot"),
        ({"blue": ("3001",)}, "--blue '3001' is no address"),
        ({"green": ("127.0.0.1:99999",)}, "--green '127.0.0.1:99999': port 99999 is out of range"),
        ({"green": (GREEN, GREEN)}, f"--green {GREEN} is given twice"),
        ({"flags": "flags"}, "'flags': the flag folder stands in tests of nginx"),
        ({"flags": "/srv/my flags"}, "'/srv/my flags'"),
        ({"flags": "/srv/$x"}, "'/srv/$x'"),
        ({"flags": "/srv/../x"}, "'/srv/../x'"),
        ({"sticky": "cookie:a b"}, "--sticky cookie:a b: expected cookie:NAME"),
        ({"sticky": "ip"}, "--sticky ip: expected"),
        ({"log": "x.log"}, "'x.log': the log needs an absolute path"),
        ({"pool": "app/x"}, "'app/x': a pool can be in instant mode if its name"),
    ],
)
def test_wishes(wish: dict[str, object], message: str, adopted: Adopter) -> None:
    assert message in refused(adopted, site(PLAIN), **wish)


def test_both_slots_live(adopted: Adopter) -> None:
    text = site(PLAIN, f"upstream app {{ server {BLUE}; server {GREEN}; }}\n")
    said = refused(adopted, text, blue=(BLUE,), green=(GREEN,))
    assert f"conf:5: both slots of app take traffic: {BLUE}, {GREEN}" in said
    assert f"next: take one out first: proxyswitch switch app {BLUE}" in said


def test_nobody_live(adopted: Adopter) -> None:
    text = site(PLAIN, f"upstream app {{ server {BLUE} down; server {GREEN} down; }}\n")
    assert "no server of app takes traffic" in refused(adopted, text, blue=(BLUE,), green=(GREEN,))


def test_an_address_that_only_nginx_knows(adopted: Adopter) -> None:
    text = site(PLAIN, f"upstream app {{ server {BLUE}; server 127.1:3002 down; }}\n")
    assert "conf:5: the address 127.1:3002 is in a form" in refused(adopted, text, accepted=False)


def test_already_in_instant_mode(adopted: Adopter) -> None:
    text = adopted(site(PLAIN)).text()
    assert "the pool app is in instant mode already" in refused(adopted, text)


def test_servers_from_an_include(adopted: Adopter) -> None:
    files: dict[str, str | bytes] = {"nginx.conf": site(PLAIN, "upstream app { include servers; }\n")}
    files["servers"] = f"server {BLUE};\nserver {GREEN} down;\n"
    assert "servers:1: the pool app has server lines in an included file" in refused(adopted, files)
    files["nginx.conf"] = site(PLAIN, pool("include servers;"))
    files["servers"] = "keepalive 8;\n"
    assert "servers:1: the pool app gets 'keepalive' from an included file" in refused(adopted, files)


def test_a_pool_that_is_two(adopted: Adopter) -> None:
    files: dict[str, str | bytes] = {
        "nginx.conf": site(PLAIN, "include pool;\n") + "stream { include pool; }\n",
        "pool": POOL,
    }
    assert "pool:1: the pool app shares its lines with app at pool:1" in refused(adopted, files, accepted=False)


DIFFERENT: dict[str, tuple[dict[str, str | bytes], str]] = {
    "a location with other headers": (
        {
            "nginx.conf": f"{HEAD}{POOL}include site/*;\n}}\n",
            "site/a": "server { listen 81; include loc; }",
            "site/b": "server { listen 82; proxy_set_header X b; include loc; }",
            "loc": f"location / {{ {PLAIN} }}",
        },
        'loc:1: "location" is reached from the server at site/a:1 and from the server at site/b:1',
    ),
    "headers of another pool": (
        {
            "nginx.conf": f"{HEAD}{POOL}upstream other {{ server {BLUE}; }}\ninclude site;\n}}\n",
            "site": "server { listen 81; location / { proxy_pass http://app; include h; }\n"
            "location /o { proxy_pass http://other; include h; } }",
            "h": "proxy_set_header Host $proxy_host;",
        },
        'h:1: "proxy_set_header" is reached from the location at site:1 and from the location at site:2',
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_one_file_that_would_have_to_be_two(name: str, adopted: Adopter) -> None:
    files, message = DIFFERENT[name]
    adopted.config(files)
    adopted.check()
    assert message in refused(adopted, files)


def test_a_pass_outside_of_any_location() -> None:
    text = b"upstream app { server a:1; server b:1 down; } proxy_pass http://app;"
    config = chain.load("/x/nginx.conf", chain.Names(lambda _: text))
    with pytest.raises(Refused, match=r'/x/nginx\.conf:1: "proxy_pass" stands in no location'):
        adopt.adopt(config, wanted_of())


def test_a_log_where_nginxs_own_default_is_not_known(adopted: Adopter) -> None:
    text = site(PLAIN).replace("access_log off;\n", "")
    assert "no access_log is in effect" in refused(adopted, text, accepted=False, log="/srv/x.log")
    made = adopted(text, accepted=False, log="/srv/x.log", default_log="/srv/access.log")
    assert "access_log /srv/access.log;\n        access_log /srv/x.log proxyswitch buffer=32k flush=1s;\n" in made.text()
