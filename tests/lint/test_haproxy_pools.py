"""The rules about pools and servers of HAProxy: where they fire, and above all where they must not."""

from __future__ import annotations

import gc
import http.client
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest

from proxyswitch.conf.haproxy import config as conf
from proxyswitch.conf.haproxy import pools
from proxyswitch.lint.examples import examples
from proxyswitch.lint.finding import Source
from proxyswitch.lint.haproxy import run
from proxyswitch.lint.haproxy.address import host_name, literal, port
from proxyswitch.lint.haproxy.effective import effective
from proxyswitch.lint.haproxy.server_words import refused
from proxyswitch.lint.options import Options
from proxyswitch.lint.rules.haproxy import RULES
from tests.conf.haproxy_helpers import check
from tests.conf.haproxy_live import live
from tests.lint.helpers import in_config
from tests.ports import free_port

A, B, C = (f"    server {n} 127.0.0.1:{p} " for n, p in (("a", 3001), ("b", 3002), ("c", 3003)))
WHOLE = "global\nfrontend www\n    bind 127.0.0.1:8080\n    default_backend app\n"


def pool(*lines: str, name: str = "app") -> str:
    """A backend in http mode with these lines, a server being one that is given as `A + "check"`."""
    return "\n".join((f"backend {name}", "    mode http", *(f"    {line.strip()}" for line in lines))) + "\n"


def fires(rule: str, text: str) -> list[str]:
    """What a rule says of a text."""
    return [f.message for f in in_config("haproxy", text, select=(f"haproxy/{rule}",))]


def quiet(rule: str, *texts: str) -> None:
    for text in texts:
        assert fires(rule, text) == [], text


# what is in effect


@pytest.mark.parametrize(
    ("defaults", "own", "said"),
    [
        ("check inter 2s", "", {"check": "", "inter": "2s"}),
        ("check", "no-check", {"no-check": ""}),
        ("no-check", "check", {"no-check": "", "check": ""}),
        ("inter 2s", "inter 5s cookie check", {"inter": "5s", "cookie": "check"}),
        ("", "cookie", {"cookie": ""}),
    ],
)
def test_what_holds_for_a_server(defaults: str, own: str, said: dict[str, str]) -> None:
    assert effective(tuple(defaults.split()), tuple(own.split())) == said


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1:3001", ("127.0.0.1:3001", "", "3001")),
        ("ipv4@127.0.0.1:3001", ("127.0.0.1:3001", "", "3001")),
        ("[::1]:3001", ("[::1]:3001", "", "3001")),
        ("[::1]", ("", "", "")),
        ("0.0.0.0:80", ("", "", "80")),
        ("127.0.0.1:+10", ("", "", "+10")),
        ("127.0.0.1", ("", "", "")),
        ("127.0.0.1:0", ("", "", "0")),
        (":80", ("", "", "80")),
        ("*:80", ("", "", "80")),
        ("app.internal:80", ("", "app.internal", "80")),
        ("ipv4@app:80", ("", "app", "80")),
        ("app", ("", "app", "")),
        ("localhost:80", ("", "", "80")),
        ("localhost.localdomain:80", ("", "", "80")),
        ("${HOST}:80", ("", "", "")),
        ("unix@/run/a:99999", ("", "", "")),
        ("/run/a.sock", ("", "", "")),
        ("abns@a:1", ("", "", "")),
    ],
)
def test_an_address(address: str, what: tuple[str, str, str]) -> None:
    assert (literal(address), host_name(address), port(address)) == what


# no servers, or none that is in


@pytest.mark.parametrize(
    "line",
    [
        "dispatch 127.0.0.1:3001",
        "errorfile 503 /etc/haproxy/errors/maintenance.http",
        "errorloc 503 https://status.example.com",
        "http-error status 503 content-type text/plain string closed",
        "errorfiles maintenance",
        "http-request return status 200 if { path /ping }",
        "http-request use-service lua.hello",
        "http-request lua.answer",
        "http-request silent-drop",
        "option transparent",
        "redirect prefix https://example.com",
        "stats uri /stats",
        "stick-table type ip size 1m expire 1h store conn_cur",
        "tcp-request content reject",
        "disabled",
    ],
)
def test_a_backend_that_needs_no_server(line: str) -> None:
    assert fires("no-servers", pool("balance source"))
    quiet("no-servers", pool("balance source", line))


def test_a_page_that_all_inherit_makes_no_backend_one_that_only_shows_it() -> None:
    assert fires("no-servers", "defaults\n    errorfile 503 /etc/haproxy/errors/503.http\n" + pool("balance source"))
    assert fires("no-servers", pool("errorfile 500 /etc/haproxy/errors/500.http"))
    assert fires("no-servers", pool("balance source", "option transparent", "no option transparent"))


@pytest.mark.parametrize("line", ["default_backend x", "use_backend x if TRUE", "monitor-uri /", "server a 127.0.0.1:1"])
def test_a_listen_needs_servers_or_another_backend(line: str) -> None:
    text = "listen app\n    bind 127.0.0.1:8080\n"
    assert fires("no-servers", text) == ["app has no server: every request gets 503"]
    quiet("no-servers", f"{text}    {line}\n")


OFF = pool(A + "disabled", B + "disabled")


@pytest.mark.parametrize(
    "line",
    [
        "load-server-state-from-file global",
        "errorfile 503 /etc/haproxy/errors/maintenance.http",
        "http-request return status 200 if { nbsrv lt 1 }",
        "http-request deny",
        "option persist",
        "force-persist if TRUE",
        "disabled",
        C,
        C + "backup",
        C + "disabled agent-check agent-port 9000",
    ],
)
def test_all_disabled_is_no_fault_where_something_else_serves(line: str) -> None:
    assert fires("all-disabled", OFF) == ["app has no server that is on: a and b are disabled, and every request gets 503"]
    quiet("all-disabled", OFF + f"    {line.strip()}\n")


@pytest.mark.parametrize(
    "line", ["load-server-state-from-file none", "http-request deny if { path /x }", "no option persist"]
)
def test_all_disabled_all_the_same(line: str) -> None:
    assert fires("all-disabled", OFF + f"    {line}\n")


def test_all_disabled_where_places_are_to_be_filled_or_a_rule_asks_first() -> None:
    quiet("all-disabled", pool("server-template srv 5 127.0.0.1:3001 disabled"))
    quiet("all-disabled", pool("server s1 127.0.0.1:8181 disabled", "server s2 127.0.0.1:8181 disabled"))
    quiet("all-disabled", OFF + "frontend www\n    use_backend app if { nbsrv(app) gt 0 }\n")
    assert fires("all-disabled", OFF + "frontend www\n    use_backend app if { nbsrv(other) gt 0 }\n")
    quiet("all-disabled", pool(".if defined(BLUE)", A + "disabled", ".else", A, ".endif"))


def test_all_weights_zero() -> None:
    zero = pool(A + "weight 0", B + "weight 0")
    assert fires("all-weight-zero", zero) == ["app gives nobody new a server: a and b have weight 0, which is 503"]
    assert fires("all-weight-zero", pool(A + "weight 0", B + "weight 5 disabled"))
    assert fires("all-weight-zero", pool(A + "weight 0", B + "weight 0 backup"))
    assert fires("all-weight-zero", "defaults\n    default-server weight 0\n" + pool(A))
    quiet(
        "all-weight-zero", pool(A + "weight 0", B), pool(A + "weight 0", B + "backup"), pool(A + "weight 0", B + "weight 1")
    )
    quiet("all-weight-zero", zero + "    use-server a if TRUE\n", zero + "    load-server-state-from-file global\n", OFF)
    quiet("all-weight-zero", pool(A + "weight 0 agent-check agent-port 9000"))


def test_only_backups() -> None:
    assert fires("only-backup", pool(A + "backup", B + "backup", C + "disabled"))
    quiet("only-backup", pool(A + "backup"), pool(A, B + "backup"), pool(A + "backup", B + "backup disabled"))
    quiet("only-backup", "defaults\n    option allbackups\n" + pool(A + "backup", B + "backup"))


# checks


def test_a_server_that_nobody_looks_at() -> None:
    said = fires("server-without-check", pool(A + "check", B, C))
    assert said == ["app: b and c have no check: a dead one keeps getting requests; write `check`"]
    assert fires("server-without-check", pool(A, B + "backup")) == [
        "app: a has no check: a dead one keeps getting requests; write `check`"
    ]
    assert fires("server-without-check", pool(A + "check", B + "backup", C + "backup"))
    assert fires("server-without-check", pool(A + "cookie check", B + "cookie track"))
    assert fires("server-without-check", pool("server-template srv 3 127.0.0.1:3001"))


def test_a_server_that_is_looked_at_or_has_no_other() -> None:
    quiet("server-without-check", pool(A), pool(A, B + "disabled"), pool(A + "check", B + "backup"))
    quiet("server-without-check", pool(A + "track x/a", B + "agent-check agent-port 1", C + "check"))
    quiet("server-without-check", "defaults\n    default-server check\n" + pool(A, B))
    quiet(
        "server-without-check", "defaults base\n    default-server check\ndefaults\nbackend app from base\n" + A + "\n" + B
    )
    quiet("server-without-check", pool(".if defined(X)", "default-server check", ".endif", A, B))


def test_default_server_holds_for_the_servers_behind_it_only() -> None:
    assert fires("server-without-check", pool(A, "default-server check", B)) == [
        "app: a has no check: a dead one keeps getting requests; write `check`"
    ]


@pytest.mark.parametrize(
    "line", ["option httpchk GET /", "option tcp-check", "http-check expect status 200", "tcp-check connect"]
)
def test_checks_that_are_described_but_never_made(line: str) -> None:
    assert fires("check-option-unused", pool(line, A, B))
    assert fires("check-option-unused", pool(line, A + "agent-check agent-port 1"))
    quiet(
        "check-option-unused", pool(line, A, B + "check"), pool(line, A + "track x/a"), pool(line), pool("option httplog", A)
    )


# the same twice


def test_a_name_twice() -> None:
    assert fires("duplicate-server", pool(A, B, A + "disabled")) == ["app has a server a already, in line 3"]
    assert len(fires("duplicate-server", pool("server-template a 9 127.0.0.1:1", "server-template a 5-20 127.0.0.1:1"))) == 1
    quiet("duplicate-server", pool(A, B, "server A 127.0.0.1:3003"), pool(A) + pool(A, name="other"))
    quiet("duplicate-server", pool("disabled", A, A), pool(".if defined(X)", A, ".else", A, ".endif"))
    quiet("duplicate-server", pool('server "$X" 127.0.0.1:1', 'server "$X" 127.0.0.1:2'))


def test_an_address_twice() -> None:
    blue, green = "server blue 127.0.0.1:3001", "server green 127.0.0.1:3001"
    said = "app: blue and green are both at 127.0.0.1:3001: if one fails, so does the other"
    assert fires("duplicate-address", pool(blue, green)) == [said]
    assert fires("duplicate-address", pool(blue, green + " disabled")) == [said]
    assert fires("duplicate-address", pool(blue, "server green ipv4@127.0.0.1:3001 backup")) == [said]
    assert fires("duplicate-address", pool(blue + " ssl verify none", green + " ssl verify none")) == [said]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("127.0.0.1:3001", "127.0.0.1:3002"),
        ("127.0.0.1:3001 disabled", "127.0.0.1:3001 disabled"),
        ("127.0.0.1:3001", "127.0.0.1:3001 ssl verify none"),
        ("127.0.0.1:3001 source 10.0.0.1", "127.0.0.1:3001 source 10.0.0.2"),
        ("127.0.0.1:3001 check port 3101", "127.0.0.1:3001 check port 3102"),
        ("app.internal:80 resolvers dns", "app.internal:80 resolvers dns"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("127.0.0.1:+1", "127.0.0.1:+1"),
        ("127.0.0.1", "127.0.0.1"),
        ("unix@/run/a", "unix@/run/a"),
        ('"$ADDR"', '"$ADDR"'),
    ],
)
def test_two_servers_that_are_not_the_same_place(one: str, other: str) -> None:
    quiet("duplicate-address", pool(f"server a {one}", f"server b {other}"))


def test_one_address_for_rules_to_choose_or_for_a_template() -> None:
    quiet("duplicate-address", pool("use-server b if TRUE", A, "server b 127.0.0.1:3001 weight 0"))
    quiet("duplicate-address", pool("server-template a 3 127.0.0.1:3001"))


# cookies


def test_a_cookie_that_some_servers_lack() -> None:
    assert fires("cookie-not-on-servers", pool("cookie S insert", A + "cookie a", B)) == [
        "app: b has no `cookie`, so the cookie S brings nobody back"
    ]
    assert fires("cookie-not-on-servers", pool("cookie S prefix", A, B))
    assert fires("cookie-not-on-servers", "defaults\n    cookie S insert\n" + pool(A + "cookie a", B))


@pytest.mark.parametrize(
    "text",
    [
        pool("cookie S insert", A + "cookie a", B + "cookie b", C + "backup"),
        pool("cookie S insert", A),
        pool("cookie S insert dynamic", "dynamic-cookie-key k", A, B),
        pool("cookie S", A + "cookie a", B),
        pool("cookie insert", A + "cookie a", B),
        pool("cookie S insert", A + "cookie a", B).replace("mode http", "mode tcp"),
        "defaults\n    cookie S insert\n" + pool(A, B),
        pool(A + "cookie a", B),
        "defaults\n    default-server cookie x\n" + pool("cookie S insert", A, B),
    ],
)
def test_a_cookie_that_is_no_fault(text: str) -> None:
    quiet("cookie-not-on-servers", text)


# names, ends, retries


@pytest.mark.parametrize(
    "rest", ["resolvers dns", "resolvers dns init-addr none", "init-addr 10.0.0.1", "init-addr last,libc,10.0.0.1"]
)
def test_a_host_name(rest: str) -> None:
    assert "does not start" in fires("host-without-resolvers", pool("server a app.internal:80"))[0]
    assert "does not start" in fires("host-without-resolvers", pool("server a app.internal:80 disabled"))[0]
    assert "stays out" in fires("host-without-resolvers", pool("server a app:80 init-addr last,libc,none"))[0]
    assert len(fires("host-without-resolvers", pool("server-template a 5 app.internal:80"))) == 1
    quiet("host-without-resolvers", pool(f"server a app.internal:80 {rest}"))
    quiet("host-without-resolvers", "defaults\n    default-server resolvers dns\n" + pool("server a app.internal:80"))


def test_what_cuts_when_a_server_goes_down() -> None:
    cuts = "check on-marked-down shutdown-sessions"
    assert fires("marked-down-cuts", pool(f"default-server {cuts}", A, B, C))[0].endswith("of a, b and 1 more")
    quiet("marked-down-cuts", pool(A + "on-marked-up shutdown-backup-sessions"), pool(A + "cookie on-marked-down", B))
    quiet("marked-down-cuts", pool(A + cuts).replace("mode http", "mode tcp"))


def test_redispatch() -> None:
    assert fires("no-redispatch", pool(A, B))
    assert fires("no-redispatch", "defaults\n    option redispatch\n" + "defaults\n" + pool(A, B))
    quiet("no-redispatch", pool(A, B).replace("mode http", "mode tcp"), pool(A), pool(A, B + "disabled"))
    quiet("no-redispatch", pool("option redispatch 1", A, B), pool("no option redispatch", A, B))


def test_retries() -> None:
    assert fires("retries-off", pool("retries 0", A))
    assert fires("retries-off", pool("retries none", A)), "no number is 0"
    assert fires("retries-off", pool("retries -1", A))
    one = "defaults\n    retries 0\n" + pool(A) + pool(A, name="two")
    assert len(fires("retries-off", one)) == 1
    quiet(
        "retries-off", pool("retries 10", A), pool("retries 0", "retries 3", A), pool("retries 0"), pool('retries "$N"', A)
    )
    quiet("retries-off", pool("retries 01", A), pool("retries +3", A), pool("retries", A))


def test_hard_stop_after() -> None:
    assert len(fires("no-hard-stop-after", WHOLE + pool(A))) == 1
    assert len(fires("no-hard-stop-after", "global\n    daemon\n" + WHOLE)) == 1
    quiet("no-hard-stop-after", pool(A), "global\n    hard-stop-after 1m\n" + WHOLE, WHOLE.replace("global\n", ""))
    quiet("no-hard-stop-after", "global\n    mworker-max-reloads 5\n" + WHOLE)


# who uses what


OLD = pool(A, name="old")


def test_a_backend_that_nobody_uses() -> None:
    assert fires("backend-unused", WHOLE + pool(A) + OLD) == ["nothing sends requests to old"]
    assert fires("backend-unused", WHOLE + "    use_backend x_%[hdr(a)]_y\n" + OLD) == ["nothing sends requests to old"]
    assert fires("backend-unused", WHOLE + "    # use_backend old\n    monitor-uri /old/x2\n" + OLD.replace("old", "old2"))
    assert fires("backend-unused", WHOLE + pool("server old 127.0.0.1:1") + OLD), "the name of a server is no use"


@pytest.mark.parametrize(
    "line",
    [
        "use_backend old if FALSE",
        "use_backend %[req.hdr(x)]",
        "use_backend o%[req.hdr(x)]",
        "use_backend %[req.hdr(x)]d",
        'use_backend "${POOL}"',
        'use_backend "o${POOL}"',
        "use_backend %[req.hdr(host),lower,map(/etc/haproxy/hosts.map,app)]",
        "http-request deny if { nbsrv(old) lt 1 }",
        "http-request set-header X-N %[be_conn(old)]",
        "http-request track-sc0 src table old",
        "http-request deny if { sc_http_req_rate(0,old) gt 10 }",
        "bind rhttp@old/a",
        "tcp-request session attach-srv old/a",
        "filter spoe engine e config /etc/haproxy/spoe.conf",
    ],
)
def test_a_backend_that_may_be_used(line: str) -> None:
    quiet("backend-unused", WHOLE + f"    {line}\n" + OLD)


def test_a_backend_of_which_nothing_can_be_said() -> None:
    quiet("backend-unused", pool(A) + OLD, WHOLE + pool(A + "track old/a", name="app") + OLD)
    quiet("backend-unused", WHOLE + pool("stick-table type ip size 1m", name="old"), WHOLE + OLD + "    disabled\n")
    quiet("backend-unused", WHOLE + ".if defined(X)\n" + OLD + ".endif\n")
    quiet("backend-unused", WHOLE + "listen old\n    bind 127.0.0.1:1\n" + A + "\n")


@pytest.mark.parametrize(
    "line", ["default_backend x", "use_backend x if FALSE", "default_backend app\n    default_backend x", "use_backend www"]
)
def test_a_backend_that_is_not_there(line: str) -> None:
    text = "global\nfrontend www\n    bind 127.0.0.1:8080\n    " + line + "\n" + pool(A)
    assert len(fires("backend-undefined", text)) == 1
    quiet("backend-undefined", text.replace("global\n", ""))


def test_backends_that_haproxy_does_not_look_for() -> None:
    quiet("backend-undefined", WHOLE.replace("    default", "    default_backend x\n    default") + pool(A))
    quiet("backend-undefined", "defaults\n    default_backend x\n" + WHOLE + pool(A))
    quiet("backend-undefined", WHOLE + "    disabled\n    use_backend x\n" + pool(A))
    quiet(
        "backend-undefined",
        WHOLE + '    use_backend "$X" if TRUE\n    use_backend %fi\n    use_backend l\n' + pool(A) + "listen l\n",
    )
    quiet("backend-undefined", WHOLE + ".if defined(X)\n    use_backend x\n.endif\n" + pool(A))
    quiet("backend-undefined", WHOLE + ".if defined(X)\n" + pool(A) + ".endif\n")


def test_a_backend_of_defaults_that_is_not_there() -> None:
    text = "defaults\n    default_backend x\n" + WHOLE.replace("    default_backend app\n", "") + pool(A)
    assert fires("backend-undefined", text) == ["there is no backend x"]


def test_servers_that_are_not_there() -> None:
    assert fires("server-undefined", pool(A + "track app1")) == ["track app1: app has no server app1"]
    assert fires("server-undefined", pool(A + "track app/b")) == ["track app/b: app has no server b"]
    assert fires("server-undefined", WHOLE + pool(A + "track x/b")) == ["track x/b: there is no backend x"]
    assert fires("server-undefined", WHOLE + pool(A + "track www/b")) == ["track www/b: there is no backend www"]
    assert fires("server-undefined", pool(A + "check", name="x") + pool(A + "track x/blue"))
    assert fires("server-undefined", pool("use-server blu if TRUE", "server blue 127.0.0.1:1")) == [
        "app has no server blu: did you mean blue?"
    ]


def test_servers_that_are_there_or_may_be() -> None:
    quiet("server-undefined", pool(A + "track b", B), pool(A + "track t2", "server-template t 3 127.0.0.1:1"))
    quiet(
        "server-undefined", pool(A + "track x/b"), pool(A + 'track "$X"', B), pool(A + "track b", 'server "$X" 127.0.0.1:1')
    )
    quiet("server-undefined", pool("use-server %[hdr(a)] if TRUE", A), pool("disabled", A + "track b"))
    quiet("server-undefined", pool(".if defined(X)", B, ".endif", name="x") + pool(A + "track x/b"))


# words and values of a server line


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("chek", "check"),
        ("Check", "check"),
        ("wieght 3", "weight"),
        ("backpu", "backup"),
        ("disable", "disabled"),
        ("enable", "enabled"),
        ("resolver x", "resolvers"),
        ("maxcon 5", "maxconn"),
        ("max-conn 5", "maxconn"),
        ("no-chek", "no-check"),
        ("cokie x", "cookie"),
        ("ssll", "ssl"),
    ],
)
def test_a_misspelt_word(word: str, meant: str) -> None:
    said = f"there is no {word.split(maxsplit=1)[0]} in a server line: did you mean {meant}?"
    assert fires("unknown-server-word", pool(A + f"inter 2s {word}")) == [said]
    assert fires("unknown-server-word", pool(f"default-server {word}", A, B)) == [said]
    assert fires("unknown-server-word", f"defaults\n    default-server {word}\n") == [said]


def test_words_that_are_no_slip() -> None:
    quiet("unknown-server-word", pool(A + "check sslv3 send-proxy-v3 force-tlsv14 something-new", B + "cookie chek"))
    quiet("unknown-server-word", pool(A + "check resolvers-x"))
    quiet("unknown-server-word", pool(A + "source 0.0.0.0 usesrc clientip interface eth0 sni-auto strict-maxconn"))
    quiet("unknown-server-word", pool(A + "set-proxy-v2-tlv-fmt(0x20) %[fc_pp_tlv(0x20)] check-pool-conn-name chek"))
    quiet("unknown-server-word", pool(".if defined(X)", A + "chek", ".endif"), pool(A + '"$WORD" chek'))
    quiet("unknown-server-word", pool(A + "# chek"))


def test_the_word_of_a_place() -> None:
    found = in_config("haproxy", "backend app\n    server-template a 3 127.0.0.1:1 check chek\n", select=("haproxy",))
    assert [(f.line, f.column) for f in found if f.rule.endswith("-word")] == [(2, 43)]


REFUSED_TEXT = """
    weight 257, weight -1, inter 2x, inter abc, inter 0, inter 0s, inter -5, inter 1.5s, inter 5u, inter 5S, inter 30d,
    fastinter 0, downinter 0, agent-inter 0, slowstart 5x, pool-purge-delay 5x, rise 0, rise -3, fall abc, id 0,
    error-limit x, on-marked-down foo, on-error foo, observe foo, ssl verify maybe
"""
TAKEN_TEXT = """
    weight 0, weight 256, weight 10%, inter 2, inter 2s5, inter 5min, inter 1h, inter 24d, slowstart 0, maxconn -1,
    maxqueue 0, rise 1x, fall 2.5, observe none, on-marked-up shutdown-backup-sessions, on-error mark-down, port 0
"""
REFUSED, TAKEN = ([words.strip() for words in text.split(",")] for text in (REFUSED_TEXT, TAKEN_TEXT))


@pytest.mark.parametrize("words", REFUSED)
def test_a_value_that_is_refused(words: str) -> None:
    assert len(fires("bad-server-value", pool(A + f"check {words}"))) == 1
    assert len(fires("bad-server-value", pool(f"default-server {words}", A, B))) == 1


@pytest.mark.parametrize("words", [*TAKEN, 'weight "$W"', 'inter "$I"', "cookie rise"])
def test_a_value_that_is_taken(words: str) -> None:
    quiet("bad-server-value", pool(A + f"check {words}"))


def test_a_value_of_no_account() -> None:
    assert refused("weight", "") == refused("addr", "x") == ""


def test_numbers_that_are_cut() -> None:
    assert fires("cut-number", pool(A + "weight 50%")) == ["weight 50% is 50 for HAProxy"]
    assert fires("cut-number", pool(A + "weight high")) == ["weight high is 0 for HAProxy"]
    assert fires("cut-number", pool("default-server maxconn 1k", A, B)) == ["maxconn 1k is 1 for HAProxy"]
    assert fires("cut-number", pool(A + "check port 99999")) == ["port 99999 is port 34463 for HAProxy"]
    assert fires("cut-number", pool(A + "fall 2.5")) == ["fall 2.5 is 2 for HAProxy"]
    quiet("cut-number", pool(A + "weight 50 maxconn 0 maxqueue -1 port 65535"), pool(A + "weight 1# x"), pool(A + "weight"))
    quiet(
        "cut-number",
        pool(A + 'weight "$W"'),
        pool(A + "cookie weight maxconn 1"),
        pool(A + 'weight " 12"'),
        pool(A + "rise x"),
    )


@pytest.mark.parametrize("port_", ["65536", "99999", "70000x", "abc", "80-90", "999999999"])
def test_a_bad_port(port_: str) -> None:
    assert len(fires("bad-port", pool(f"server a 127.0.0.1:{port_}"))) == 1
    assert len(fires("bad-port", pool(f"server-template a 5 127.0.0.1:{port_}"))) == 1


@pytest.mark.parametrize("port_", ["0", "1", "65535", "", "+70000", "-1", "80a", "0x50", "080", "4294967376", "$PORT"])
def test_a_port_that_haproxy_takes(port_: str) -> None:
    quiet("bad-port", pool(f'server a "127.0.0.1:{port_}"'))


# the real server


@pytest.mark.parametrize(
    "rule",
    [
        "backend-undefined",
        "bad-port",
        "bad-server-value",
        "duplicate-server",
        "server-incomplete",
        "server-undefined",
        "unknown-server-word",
    ],
)
def test_what_we_say_is_refused_is_refused(rule: str, haproxy_binary: str) -> None:
    shown = [example for example in examples(RULES[f"haproxy/{rule}"].__doc__ or "") if example.fires]
    assert shown
    for example in shown:
        assert "[ALERT]" in check(haproxy_binary, example.text.encode()), example.text


@pytest.mark.parametrize("words", REFUSED)
def test_haproxy_refuses_these_values(words: str, haproxy_binary: str) -> None:
    assert "'server app/a'" in check(haproxy_binary, (WHOLE + pool(A + f"check {words}")).encode())


@pytest.mark.parametrize("words", TAKEN)
def test_haproxy_takes_these_values(words: str, haproxy_binary: str) -> None:
    assert check(haproxy_binary, (WHOLE + pool(A + f"check {words}")).encode()) == ""


def status(port: int) -> int:
    """What a client gets."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        client.request("GET", "/")
        return client.getresponse().status
    finally:
        client.close()


@pytest.mark.parametrize("rule", ["all-disabled", "all-weight-zero", "no-servers"])
def test_where_we_say_503_it_is_503(rule: str, haproxy_binary: str, tmp_path: Path) -> None:
    shown = [
        e.text for e in examples(RULES[f"haproxy/{rule}"].__doc__ or "") if e.fires and e.text.startswith("backend app")
    ]
    assert shown
    for number, text in enumerate(shown):
        (folder := tmp_path / str(number)).mkdir()
        front = (
            f"defaults\n    mode http\nfrontend www\n    bind 127.0.0.1:{(port := free_port())}\n    default_backend app\n"
        )
        with live(haproxy_binary, folder, [(front + text).encode()]):
            assert status(port) == 503, text


# speed


def many(backends: int, servers: int) -> bytes:
    lines = ["global", "    hard-stop-after 30s", "defaults", "    mode http", "    option redispatch", "frontend www"]
    lines += [f"    use_backend b{n} if {{ path_beg /{n} }}" for n in range(backends)]
    for n in range(backends):
        lines += [f"backend b{n}", "    balance roundrobin", "    cookie SRV insert indirect"]
        lines += [
            f"    server s{m} 10.{n >> 8}.{n & 255}.{m % 250}:{3000 + m} check cookie s{m} weight 10" for m in range(servers)
        ]
    return "\n".join(lines).encode()


@pytest.fixture
def no_collections() -> Iterator[None]:
    """The collector would go through all that this process of tests holds, the more often the more is judged."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def seconds(data: bytes) -> tuple[float, float]:
    """What it costs to read a file, and to judge it: the least of several, in processor time."""
    read, judged = [], []
    for _ in range(6):
        begun = process_time()
        pools.backends(conf.load(["a.cfg"], read=lambda _: data))
        read.append(process_time() - begun)
        begun = process_time()
        assert not [f for f in run.findings([Source("a.cfg", data)], Options()) if f.level == "error"]
        judged.append(process_time() - begun)
    return min(read), min(judged)


@pytest.mark.usefixtures("no_collections")
# Each of the many backends is told that nothing uses it: that costs more than to be right.
@pytest.mark.parametrize(("backends", "servers", "times"), [(10, 1_000, 3), (1_000, 10, 6)])
def test_rules_take_no_more_than_a_few_times_the_reading(backends: int, servers: int, times: int) -> None:
    read, judged = seconds(many(backends, servers))
    assert judged < times * read


@pytest.mark.usefixtures("no_collections")
def test_ten_times_as_many_backends_take_ten_times_as_long() -> None:
    _, few = seconds(many(500, 2))
    _, ten = seconds(many(5_000, 2))
    assert ten < 20 * few
