"""Which log the tries of a pool in instant mode are in, as the config says."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.conf.nginx import chain, instant, instant_log
from proxyswitch.conf.nginx.instant_log import Logs
from tests.conf.helpers import write

LINE = "access_log /logs/tries.log proxyswitch buffer=32k flush=1s;"
PASS = "proxy_pass http://$p_slot;"
SITE = """\
http {{
    upstream p_blue {{ server 127.0.0.1:3001; }}
    upstream p_green {{ server 127.0.0.1:3002; }}
    upstream other {{ server 127.0.0.1:3003; }}
    {http}
    server {{
        set $p_slot p_blue;
        if (-e /flags/p/green/$bucket) {{ set $p_slot p_green; }}
        {server}
    }}
}}
"""


def logs(folder: Path, server: str, http: str = "", **files: str) -> Logs:
    """The logs of the pool p; a look at whether there is one at all never misses it."""
    texts = {"nginx.conf": SITE.format(http=http, server=server), **{f"{name}.conf": text for name, text in files.items()}}
    config = chain.load(write(folder, {name: text.encode() for name, text in texts.items()}))
    (found,) = instant.find(config)
    seen = instant_log.logs(config, found)
    assert instant.may_have_log(config) or not seen.paths
    return seen


@pytest.mark.parametrize(
    "server",
    [
        f"location / {{ {LINE} {PASS} }}",
        f"{LINE} location / {{ {PASS} }}",
        f"location / {{ {LINE} location /a {{ {PASS} }} }}",
        f"location / {{ {LINE} if ($arg_x) {{ {PASS} }} }}",
        f"location / {{ access_log /a main; {LINE} {PASS} }}",
        "location / { access_log '/logs/tries.log' \"proxyswitch\"; proxy_pass http://${p_slot}; }",
        f"location / {{ {LINE} grpc_pass $p_slot; }}",
        f"location / {{ access_log /logs/tries.log\n    proxyswitch;\n {PASS} }}",
    ],
)
def test_it_is_found(tmp_path: Path, server: str) -> None:
    assert logs(tmp_path, server) == (("/logs/tries.log",), ())


def test_in_an_included_file_and_for_all_of_http(tmp_path: Path) -> None:
    found = logs(tmp_path, "include more.conf;", more=f"location / {{ include log.conf; {PASS} }}", log=LINE)
    assert found == (("/logs/tries.log",), ())
    assert logs(tmp_path, f"location / {{ {PASS} }}", http=LINE).paths == ("/logs/tries.log",)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "access_log off;",
        "access_log /logs/tries.log;",
        "access_log /logs/proxyswitch main;",
        "# access_log /logs/tries.log proxyswitch;\n",
        "access_log syslog:server=unix:/dev/log proxyswitch;",
        "access_log /logs/$host.log proxyswitch;",
        "access_log /logs/tries.gz proxyswitch gzip=4 flush=1s;",
    ],
)
def test_what_cannot_be_read_is_none(tmp_path: Path, line: str) -> None:
    paths, without = logs(tmp_path, f"location / {{ {line} {PASS} }}")
    assert (paths, [where.line for where in without]) == ((), [9 + line.count("\n")])


def test_a_log_in_a_location_hides_the_inherited_one(tmp_path: Path) -> None:
    server = f"{LINE}\nlocation / {{ {PASS} }}\nlocation /a {{ access_log off; {PASS} }}"
    assert [where.line for where in logs(tmp_path, server).without] == [11]


def test_the_log_of_another_pool_is_not_taken(tmp_path: Path) -> None:
    assert logs(tmp_path, f"location / {{ {LINE} proxy_pass http://other; }}") == ((), ())


def test_one_file_for_many_locations_and_two_files(tmp_path: Path) -> None:
    both = f"location / {{ {LINE} {PASS} }} location /a {{ {LINE} {PASS} }}"
    assert logs(tmp_path, both).paths == ("/logs/tries.log",)
    assert logs(tmp_path, both + f"location /b {{ access_log b proxyswitch; {PASS} }}").paths == ("/logs/tries.log", "b")
