"""What a pool is besides its servers: where it stands, what keeps clients, agents, what maintenance would cut."""

from __future__ import annotations

import pytest

from proxyswitch.conf.haproxy import config as configs
from proxyswitch.conf.haproxy import pools
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.servers import MAX_TEMPLATES, grouped, keywords
from tests.conf.haproxy_helpers import FOLDER, loaded, pool, servers


def named(name: str) -> dict[str, str]:
    found = pools.backends(configs.load([str(FOLDER / name)]))
    return {backend.name: backend.keeps() for backend in found}


def test_what_keeps_clients_on_their_server_is_named() -> None:
    assert named("persistence.cfg") == {
        "app": "the cookie SRV",
        "prefixed": "the cookie JSESSIONID",
        "dynamic": "the cookie SRV",
        "rewritten": "the cookie SERVERID",
        "sticky": "a stick table",
        "sticky-elsewhere": "a stick table",
        "tables": "",
        "ruled": "",
    }


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("mode http\n cookie A insert", "the cookie A"),
        ("mode tcp\n cookie A insert", ""),
        ("cookie A insert", ""),  # tcp is what holds without a mode
        ("stick on src", "a stick table"),
        ("stick match src", "a stick table"),
        ("stick store-request src", ""),
        ("stick-table type ip size 1k", ""),
        ("persist rdp-cookie(x)", ""),
        ("persist rdp-cookie", "the RDP cookie"),
        ("option rdp-cookie\n no option rdp-cookie", ""),
        ("mode http\n # cookie A insert", ""),
        ("http-request set-header cookie A", ""),
    ],
)
def test_each_way_to_keep_clients(text: str, keeps: str) -> None:
    assert pool(f"backend app\n {text}\n server a a:1\n".encode()).keeps() == keeps


def test_what_keeps_clients_may_be_inherited() -> None:
    data = (
        b"defaults\n mode http\n cookie A insert\nbackend a\n server a a:1\ndefaults\n mode http\nbackend b\n server a a:1\n"
    )
    assert [b.keeps() for b in pools.backends(loaded(data))] == ["the cookie A", ""]


@pytest.mark.parametrize(
    ("lines", "option"),
    [
        ("", None),
        ("option httpchk GET /x", ["option", "httpchk", "GET", "/x"]),
        ("option httpchk\n no option httpchk", None),
        ("no option httpchk\n option httpchk", ["option", "httpchk"]),
        ("option httpchk # x", ["option", "httpchk"]),
        ("option http", None),
    ],
)
def test_an_option_is_in_effect_until_it_is_taken_back(lines: str, option: list[str] | None) -> None:
    assert pool(f"backend app\n {lines}\n".encode()).option("httpchk") == option
    inherited = pool(f"defaults\n {lines}\nbackend app\n".encode())
    assert inherited.option("httpchk") == option


def test_a_pool_says_where_it_is_and_of_what_kind() -> None:
    data = b"# x\nlisten web\n mode http\n server a a:1\n\nbackend app\n\n server a a:1 # x\n server b b:2\n"
    web, app = pools.backends(loaded(data))
    assert (web.kind, web.context, str(web.where)) == ("listen", "http", "/conf/haproxy.cfg:2")
    assert (app.kind, app.context, str(app.where)) == ("backend", "tcp", "/conf/haproxy.cfg:6")
    assert [str(s.where) for s in app.pool().servers] == ["/conf/haproxy.cfg:8", "/conf/haproxy.cfg:9"]
    assert app.pool().proxy == "haproxy"


def test_what_is_no_pool() -> None:
    data = b"""
listen stats
 bind :1
frontend www
 bind :2
 server a a:1
peers p
 server a a:1
ring r
 server a a:1
backend
 server a a:1
defaults
 server a a:1
backend empty
"""
    assert [b.name for b in pools.backends(loaded(data))] == ["empty"]


def test_pools_of_one_name() -> None:
    data = b"backend app\n server a a:1\nlisten app\n server b b:2\nbackend app2\n server a a:1\n"
    assert [servers(b)[0].name for b in pools.backends(loaded(data), "app")] == ["a", "b"]
    assert pools.backends(loaded(data), "ap") == []


def test_agents_and_what_maintenance_would_cut() -> None:
    data = b"""backend app
 default-server agent-check on-marked-down shutdown-sessions
 server a a:1
 server b b:2 no-agent-check on-marked-down none
 server c c:3 no-agent-check agent-check cookie no-agent-check
 server d d:4 cookie shutdown-sessions
"""
    rows = pool(data).lines
    assert [row.agent for row in rows] == [True, False, True, True]
    assert [row.cuts for row in rows] == [True, False, True, True]
    assert not any(row.agent or row.cuts for row in pool(b"backend app\n server a a:1 cookie agent-check\n").lines)


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ("3", ["s1", "s2", "s3"]),
        ("5-7", ["s5", "s6", "s7"]),
        ("4-4", ["s4"]),
        ("7-5", []),
        ("x", []),
        ("1-", []),
        ("-3", []),
    ],
)
def test_the_servers_of_a_template(numbers: str, names: list[str]) -> None:
    backend = pool(f"backend app\n server-template s {numbers} a:1 weight 2 disabled\n".encode())
    assert [s.name for s in servers(backend)] == names
    assert all((s.address, s.weight, s.down) == ("a:1", 2, True) for s in servers(backend))
    assert all(row.template for row in backend.lines)


def test_an_absurd_template_does_not_fill_the_memory() -> None:
    assert len(pool(b"backend app\n server-template s 1-999999999 a:1\n").lines) <= MAX_TEMPLATES + 1


@pytest.mark.parametrize(
    "line", ["server", "server a", "server-template", "server-template s 3", 'server a ""', "server #a a:1"]
)
def test_a_line_that_is_not_complete_is_no_server(line: str) -> None:
    assert pool(f"backend app\n {line}\n".encode()).lines == ()


def test_keywords_with_their_arguments() -> None:
    words = ["check", "weight", "7", "cookie", "weight", "backup", "disabled", "inter", "2s"]
    said = keywords(words)
    assert (said.weight, said.down, said.backup) == (7, True, True)
    assert said.params == ("check", "cookie", "weight", "inter", "2s")
    assert list(grouped(["check", "cookie", "a", "b", "inter"])) == [["check"], ["cookie", "a"], ["b"], ["inter"]]
    assert keywords([]) == (None, None, None, ())


def test_a_pool_is_sure_when_no_server_line_hangs_on_the_unknown() -> None:
    data = b"backend app\n server a a:1\n.if defined(X)\n server b b:2\n.endif\n"
    assert not pool(data).sure
    assert pool(data, facts=Facts({})).sure
    assert pool(data.replace(b"server b b:2", b"option x")).sure


def test_blanks_of_unicode_are_no_blanks() -> None:
    data = "backend app\n server a a:1 cookie x\u00a0y\u2003z\x1c\n".encode()
    assert servers(pool(data))[0].params == ("cookie", "x\u00a0y\u2003z\x1c")
