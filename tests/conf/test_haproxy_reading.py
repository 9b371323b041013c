"""What we read in every fixture is what a running HAProxy has made of it."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from proxyswitch.conf.haproxy import config as configs
from proxyswitch.conf.haproxy import parse, pools
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.errors import ConfigError
from proxyswitch.model import Server
from tests.conf.haproxy_helpers import ENV, FOLDER, HEAD, bad, facts_of, good, loaded
from tests.conf.haproxy_live import Live, live, on_loopback

# in HAProxy's own spelling: we leave these addresses alone
UNREAD = re.compile(r"tcp|stream|uxst|abns|_http|[:*]|.*\*|127\.1:|.*:[+-]|.*abc$|.*\\")
# HAProxy complains of how the line is split, or of blocks; what words mean is left to it
SYNTAX = {
    "bad-condition.cfg": (18, 1),
    "bad-double-quote.cfg": (17, 37),
    "bad-else-after-else.cfg": (20, 1),
    "bad-error-line.cfg": (18, 1),
    "bad-hex.cfg": (18, 45),
    "bad-no-endif.cfg": (19, 1),
    "bad-no-if.cfg": (18, 1),
    "bad-nul.cfg": (18, 3),
    "bad-out-of-section.cfg": (2, 5),
    "bad-quote-in-dropped-block.cfg": (19, 5),
    "bad-single-quote.cfg": (17, 37),
    "bad-variable-name.cfg": (18, 24),
    "bad-variable.cfg": (16, 22),
}


@pytest.mark.parametrize("name", good())
def test_a_good_fixture_comes_back_byte_for_byte(name: str) -> None:
    data = (FOLDER / name).read_bytes()
    assert parse(data, name).dumps() == data


@pytest.mark.parametrize("name", bad())
def test_a_bad_fixture_is_refused_where_its_lines_cannot_be_split(name: str) -> None:
    data = (FOLDER / name).read_bytes()
    if name not in SYNTAX:
        assert parse(data, name).dumps() == data
        return
    with pytest.raises(ConfigError) as error:
        parse(data, name)
    assert (error.value.path, (error.value.line, error.value.column)) == (name, SYNTAX[name])


def ours(config: Config) -> dict[tuple[str, str], Server]:
    found = [
        ((backend.name, server.name), server) for backend in pools.backends(config) for server in backend.pool().servers
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def compare(config: Config, there: Live) -> None:
    """Names, addresses, weights, `disabled`, `backup`; of pools the mode and the way to pick a server."""
    read, states, stats = ours(config), there.states(), there.stats()
    assert read.keys() == states.keys()
    for key, server in read.items():
        row = states[key]
        # 0x01: in maintenance; 0x04: because the config says so
        assert (server.name, server.weight, server.down) == (
            key[1],
            int(row["srv_iweight"]),
            bool(int(row["srv_admin_state"]) & 0x05),
        )
        if key in stats:  # not where the whole backend is disabled
            assert server.backup == (stats[key]["bck"] == "1")
        assert same_address(server, row), (server, row)
    for backend in pools.backends(config):
        if (backend.name, "BACKEND") in stats:
            row = stats[backend.name, "BACKEND"]
            assert backend.context == row["mode"]
            assert backend.balancer in ("", row["algo"]) or row["algo"] in ("roundrobin", "unknown")


def same_address(server: Server, row: dict[str, str]) -> bool:
    """HAProxy shows no path of a unix socket; what we cannot read we must know that we cannot."""
    host, port, name = row["srv_addr"], int(row["srv_port"]), row["srv_fqdn"]
    endpoint = server.endpoint
    if endpoint is None:
        return port == 0 or bool(UNREAD.match(server.address))
    if endpoint.path:
        return (host, port) == ("-", 0)
    with suppress(ValueError):
        return (ip_address(endpoint.host), endpoint.port) == (ip_address(host), port)
    return (endpoint.host, endpoint.port) == (name.lower(), port)


@pytest.mark.parametrize("name", good())
def test_a_fixture_is_read_as_haproxy_reads_it(name: str, haproxy_binary: str, tmp_path: Path) -> None:
    config = configs.load([str(FOLDER / name)], facts_of(haproxy_binary))
    with live(haproxy_binary, tmp_path, [on_loopback((FOLDER / name).read_bytes())], FOLDER) as there:
        compare(config, there)


def test_several_files_are_read_as_haproxy_reads_them(haproxy_binary: str, tmp_path: Path) -> None:
    files = configs.expand([str(FOLDER / "several")])
    assert [Path(f).name for f in files] == sorted(p.name for p in (FOLDER / "several").glob("[!.]*.cfg"))
    config = configs.load(files, facts_of(haproxy_binary))
    with live(haproxy_binary, tmp_path, [on_loopback(Path(f).read_bytes()) for f in files], FOLDER) as there:
        compare(config, there)


WRITTEN = rb"""
backend app
    server "app-blue" '127.0.0.1:3001' cookie "a b" weight "1"0#0
    server app\x2dgreen "${HOST}:3002" cookie $HOST
    server "${NAME-red}" "${HOST-10.0.0.1}:3003" cookie "${NONE-de fault}" "${LIST[*]}"
    server app:'4' 127.0.0.1:"3004" cookie 'c#d' # disabled
    s\x65rver app"_"5 127.0.0.1:3005 cookie \#x\\y "" disabled
    "server" six 127.0.0.1:3006 cookie "\$HOST it"'\'\'s
backend words
    server s1 127.0.0.1:3001 cookie disabled weight 7
    server s2 127.0.0.1:3002 cookie weight disabled
    server s3 127.0.0.1:3003 cookie backup
    server s4 127.0.0.1:3004 redir disabled backup
    server s5 127.0.0.1:3005 source 127.0.0.1:4000 usesrc clientip disabled
    server s6 127.0.0.1:3006 agent-send "disabled backup" weight 3
"""


def test_quotes_escapes_and_variables_are_read_as_haproxy_reads_them(haproxy_binary: str, tmp_path: Path) -> None:
    data = HEAD + WRITTEN
    env = {**ENV, "HOST": "127.0.0.1", "LIST": "disabled weight 3"}
    config = loaded(data, replace(facts_of(haproxy_binary), env=env))
    with live(haproxy_binary, tmp_path, [on_loopback(data)], env=env) as there:
        compare(config, there)
        cookies = {key: row["cookie"] for key, row in there.stats().items() if key[0] == "app" and row["type"] == "2"}
    assert cookies == {key: server.params[1] for key, server in ours(config).items() if key[0] == "app"}
    assert "de fault" in cookies.values()


BLANKS = [
    b"backend app\r\n    server a 127.0.0.1:3001 weight 2\r\n",
    b"backend app\n\x0b server\x0ca\x0b127.0.0.1:3001\tweight\x0c2\x0b\n",
    b"backend app\n server a 127.0.0.1:3001 \r weight 2\n",
    b"backend app\n server a 127.0.0.1:3001 weight 2\r backup disabled\n",
    b"backend app#x\n server a 127.0.0.1:3001#x\n",
    b"backend app\n server a 127.0.0.1:3001\nglobal#x\n maxconn 99\nglobal#'\n maxconn 99\n",
    b"\r backend app\n\r\r server a 127.0.0.1:3001 weight 2 disabled\r\r\n",
    b"backend app\n server a 127.0.0.1:3001 weight \\\n server b 127.0.0.1:3002 cookie \\ \n",
]


@pytest.mark.parametrize("text", BLANKS)
def test_blanks_and_carriage_returns_are_read_as_haproxy_reads_them(
    text: bytes, haproxy_binary: str, tmp_path: Path
) -> None:
    config = loaded(HEAD + text, Facts(ENV))
    with live(haproxy_binary, tmp_path, [on_loopback(HEAD + text)]) as there:
        compare(config, there)


INHERITED = rb"""
defaults one
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    balance leastconn
    default-server weight 20 disabled cookie backup
    default-server backup
defaults two from one
    balance source
    default-server weight 30 enabled
backend a from one
    server s 127.0.0.1:3001
    server t 127.0.0.1:3002 enabled no-backup weight 5
    default-server weight 40
    server u 127.0.0.1:3003
backend b from two
    server s 127.0.0.1:3001
backend c from one
    mode tcp
    balance first
    server s 127.0.0.1:3001 disabled enabled weight 1 weight 2
    server-template t 2 127.0.0.1:3002 no-backup
listen d from two
    bind 127.0.0.1:1
    server s 127.0.0.1:3001
defaults three
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    no option httpclose
    default-server weight 9
listen from from two
    bind 127.0.0.1:1
    server from 127.0.0.1:3001
backend e from three
    server server 127.0.0.1:3001 weight 0
"""


def test_what_is_inherited_is_read_as_haproxy_reads_it(haproxy_binary: str, tmp_path: Path) -> None:
    config = loaded(INHERITED, Facts(ENV))
    with live(haproxy_binary, tmp_path, [on_loopback(INHERITED)]) as there:
        compare(config, there)
    assert [b.balancer for b in pools.backends(config)] == ["leastconn", "source", "first", "source", "source", ""]


CHANGING = b"""
global
    setenv PORT 3001
    presetenv PORT 3009
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
backend a
    server s "127.0.0.1:$PORT"
global
    setenv PORT 3002
    setenv OTHER "1${PORT}"
backend b
    server s "127.0.0.1:$PORT"
    server t "127.0.0.1:$OTHER"
.if streq("$PORT",3002)
global
    unsetenv PORT OTHER
.endif
backend c
    server s "127.0.0.1:${PORT-3003}"
"""


def test_a_variable_has_the_value_of_its_line(haproxy_binary: str, tmp_path: Path) -> None:
    """And the line that is edited later is read with that value, too."""
    config = loaded(CHANGING, facts_of(haproxy_binary))
    with live(haproxy_binary, tmp_path, [CHANGING]) as there:
        compare(config, there)
    assert [s.address[-5:] for s in ours(config).values()] == [":3001", ":3002", "13002", ":3003"]
