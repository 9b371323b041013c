"""Rules about what HAProxy takes: keywords, conditions, binds, modes, timeouts, sockets; what fires, and what must not."""

from __future__ import annotations

import gc
import time

import pytest

from proxyswitch.lint.haproxy.binds import Address, addresses
from proxyswitch.lint.haproxy.keywords import GLOBAL, IGNORED, PROXY, REFUSED
from proxyswitch.lint.near import near, slip
from tests.lint.helpers import LACKING, in_config

TIMEOUTS = "    timeout client 30s\n    timeout connect 5s\n    timeout server 30s\n"
GLOBAL_SECTION = "global\n    stats socket /run/haproxy/admin.sock mode 660 level admin\n"
DEFAULTS = f"defaults\n    mode http\n    option idle-close-on-response\n{TIMEOUTS}"
FRONT = "frontend www\n    bind 127.0.0.1:8080\n    default_backend app\n"
APP = "backend app\n    server app1 127.0.0.1:3001 check\n"
API = "backend api\n    server api1 127.0.0.1:3002 check\n"
GOOD = f"{GLOBAL_SECTION}{DEFAULTS}{FRONT}{APP}{API}"
UNKNOWN = '.if version_atleast("9.9")'


def fired(text: str, *rules: str) -> list[str]:
    """The rules that fire; of these only, if any are named."""
    names = [f.rule.removeprefix("haproxy/") for f in in_config("haproxy", text)]
    return [name for name in names if not rules or name in rules]


def messages(text: str, rule: str) -> list[str]:
    return [f.message for f in in_config("haproxy", text) if f.rule == f"haproxy/{rule}"]


def front(*lines: str, mode: str = "http") -> str:
    """A whole config with these lines in its frontend."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"{GLOBAL_SECTION}{DEFAULTS}frontend www\n    mode {mode}\n    bind 127.0.0.1:8080\n{body}{APP}{API}"


def in_section(head: str, *lines: str) -> str:
    return "".join([f"{head}\n", *(f"    {line}\n" for line in lines)])


def test_a_good_config_breaks_no_rule_of_these() -> None:
    assert in_config("haproxy", GOOD, ignore=(*LACKING, "haproxy/backend-unused")) == []


# keywords


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("sever", "server"),
        ("serverr", "server"),
        ("sevrer", "server"),
        ("Server", "server"),
        ("use-server1", "use-server"),
        ("balence", "balance"),
        ("defalt-server", "default-server"),
        ("http_request", "http-request"),
        ("http-requests", "http-request"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(word: str, meant: str) -> None:
    assert messages(f"backend app\n    {word} x\n", "unknown-keyword") == [f"unknown keyword {word}: did you mean {meant}?"]


@pytest.mark.parametrize(
    "word", ["guid", "log-steps", "quic-initial", "hash-preserve-affinity", "reqirep", "block", "ids", "srv"]
)
def test_what_some_version_knows_or_is_far_from_all_is_no_slip(word: str) -> None:
    assert fired(f"frontend www\n    {word} x\n", "unknown-keyword") == []


def test_what_is_meant_is_something_that_may_stand_there() -> None:
    assert fired("frontend www\n    serverr a 127.0.0.1:1\n", "unknown-keyword") == []
    assert fired("global\n    maxcon 3\n    optio x\n", "unknown-keyword", "keyword-not-known") == [
        "unknown-keyword",
        "keyword-not-known",
    ]


def test_a_family_of_names_that_differ_by_a_letter_has_no_slips() -> None:
    assert fired("global\n    tune.h2.ge.rxbuf 3\n    tune.something.new on\n    wurfl-x y\n") == []


def test_what_no_version_knows_is_told_once() -> None:
    assert fired("backend app\n    circuit-breaker on\n    server a 127.0.0.1:1\n") == ["keyword-not-known"]
    assert fired("backend app\n    balence roundrobin\n    server a 127.0.0.1:1\n") == ["unknown-keyword"]


@pytest.mark.parametrize("prefix", ["no", "default"])
def test_a_prefix_is_not_the_keyword(prefix: str) -> None:
    assert fired(f"backend app\n    {prefix} option httpclose\n    server a 127.0.0.1:1\n") == []
    assert fired(f"global\n    {prefix} busy-polling\n", "unknown-keyword", "keyword-not-known") == []


def test_a_keyword_in_a_condition_or_of_a_variable_is_not_judged() -> None:
    assert fired(f"backend app\n{UNKNOWN}\n    balence roundrobin\n    circuit x\n.endif\n    server a 127.0.0.1:1\n") == []
    assert fired('backend app\n    "${WORD}" roundrobin\n    server a 127.0.0.1:1\n') == []


def test_a_quoted_or_escaped_keyword_is_what_it_means() -> None:
    assert fired('backend app\n    "balance" roundrobin\n    server a 127.0.0.1:1\n') == []
    assert fired('backend app\n    "balence" roundrobin\n    server a 127.0.0.1:1\n') == ["unknown-keyword"]


def test_sections_of_other_kinds_are_not_judged() -> None:
    text = (
        "resolvers dns\n    nameserv a 127.0.0.1:53\npeers p\n    server a 127.0.0.1:1\n    bind :1\nuserlist u\n    usr a\n"
    )
    assert fired(text) == []


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("frontend www", "server a 127.0.0.1:1"),
        ("frontend www", "server-template a 3 127.0.0.1:1"),
        ("frontend www", "default-server check"),
        ("frontend www", "tcp-response content accept"),
        ("frontend www", "retry-on all-retryable-errors"),
        ("frontend www", "chroot /var/empty"),
        ("backend app", "declare capture request len 3"),
        ("backend app", "tcp-request connection accept"),
        ("backend app", "tcp-request session accept"),
        ("backend app", "tune.bufsize 3"),
        ("listen www", "daemon"),
        ("defaults", "bind :80"),
        ("defaults web", "bind :80"),
        ("defaults", "acl a path /"),
        ("defaults", "http-request deny"),
        ("defaults from web", "http-request deny"),
        ("defaults", "tcp-request inspect-delay 3s"),
        ("defaults web", "use_backend app if TRUE"),
        ("defaults web", "redirect location /"),
        ("global", "timeout client 3s"),
        ("global", "option httplog"),
    ],
)
def test_what_haproxy_refuses_in_a_section(head: str, line: str) -> None:
    assert fired(in_section(head, line), "keyword-not-allowed") == ["keyword-not-allowed"]


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("defaults web", "acl a path /"),
        ("defaults web", "http-request deny"),
        ("defaults web from base", "http-response del-header x"),
        ("defaults web", "tcp-request connection accept"),
        ("defaults", "errorfile 503 /x"),
        ("defaults", "default_backend app"),
        ("defaults", "stats enable"),
        ("backend app", "bind :80"),
        ("backend app", "use_backend api if TRUE"),
        ("backend app", "tcp-request content accept"),
        ("backend app", "filter compression"),
        ("frontend www", "balance roundrobin"),
        ("listen www", "tcp-request connection accept"),
        ("listen www", "server a 127.0.0.1:1"),
        ("global", "maxconn 3"),
        ("global", "log-tag a"),
        ("frontend www", "grace 3s"),
    ],
)
def test_what_haproxy_allows_or_only_ignores_is_not_refused(head: str, line: str) -> None:
    assert fired(in_section(head, line), "keyword-not-allowed") == []


def test_where_a_refused_keyword_belongs() -> None:
    refused = messages("frontend www\n    server a 127.0.0.1:1\n", "keyword-not-allowed")
    assert refused == ["server is not allowed in a frontend section: HAProxy refuses it, it belongs in a backend or listen"]


@pytest.mark.parametrize(
    ("head", "line", "ignored"),
    [
        ("backend app", "bind :80", True),
        ("backend app", "default_backend api", True),
        ("backend app", "maxconn 100", True),
        ("frontend www", "cookie SRV insert", True),
        ("listen www", "cookie SRV insert", False),
        ("defaults", "balance roundrobin", False),
        ("frontend www", "force-persist if TRUE", False),
    ],
)
def test_what_haproxy_ignores_in_a_section(head: str, line: str, ignored: bool) -> None:
    assert fired(in_section(head, line), "keyword-ignored") == ["keyword-ignored"] * ignored


def test_the_tables_agree() -> None:
    for words in (*REFUSED.values(), *IGNORED.values()):
        assert words <= PROXY
    for kind, words in IGNORED.items():
        assert not words & REFUSED[kind]
    both = {"description", "external-check", "grace", "log", "log-tag", "maxconn", "stats"}
    assert both == GLOBAL & PROXY


def test_slips() -> None:
    assert (slip("abdc", ["abcd"]), slip("abcde", ["abcd"]), slip("Ab_d", ["ab-d"])) == ("abcd", "abcd", "ab-d")
    assert slip("abc", ["abd"]) == ""
    assert (slip("abxd", ["abcd"]), slip("abd", ["abcd"]), slip("abxxd", ["abcd"]), slip("ab", ["abc"])) == (
        "abcd",
        "abcd",
        "",
        "",
    )
    assert (near("abcd", ["abxd", "zzzz"]), near("abcd", [])) == ("abxd", "")


# conditions


@pytest.mark.parametrize(
    "line",
    [
        "use_backend api if is_app",
        "use_backend api if !is_app",
        "use_backend api if ! is_app",
        "use_backend api unless is_api or is_app",
        "use_backend api if { path / } is_app",
        "http-request deny if is_api || is_app",
        "http-request set-header X-A if_this if is_app",
        "http-request return status 200 if is_app",
        "http-response deny if is_app",
        "http-after-response del-header x if is_app",
        "tcp-request content accept if is_app",
        "tcp-request connection reject if is_app",
        "redirect scheme https code 301 if is_app",
        "monitor fail if is_app",
        "stats admin if is_app",
        "stats http-request auth if is_app",
        "use_backend api if is_api and METH_GET",
        "use_backend api if is_api && METH_GET",
        "use_backend api if true",
        "use_backend api if (is_api)",
        "use_backend api if later",
        "use_backend if if is_app",
    ],
)
def test_a_name_that_is_no_acl(line: str) -> None:
    text = front("acl is_api path_beg /api", "http-request deny if is_api FALSE", line, "acl later path /x")
    assert fired(text, "acl-undefined", "condition-braces") == ["acl-undefined"]


@pytest.mark.parametrize(
    "line",
    [
        "use_backend api if is_api",
        "use_backend api if !is_api or METH_POST || { path is_app }",
        "use_backend api if !!is_api OR HTTP_1.1",
        "use_backend api if HTTP_2.0 HTTP_3.0 LOCALHOST WAIT_END REQ_CONTENT RDP_COOKIE HTTP_CONTENT METH_PATCH",
        "use_backend api if { path_reg ^/[a-z]{2}$ } { hdr(x) -m found }",
        'use_backend api if { path "}x" }',
        'use_backend api if "${COND}"',
        "http-request set-header X-If if if is_app",
        "http-request set-header X-If if",
        "http-request return status 200 string if",
        "http-request set-var(txn.a) str(unless)",
        "stats show-desc up if broken",
        "stats realm only if allowed",
        "description used if needed",
        'log-format "%ci if %b"',
        "acl if path /x",
    ],
)
def test_a_name_that_is_an_acl_or_no_condition(line: str) -> None:
    text = front("acl is_api path_beg /api", "http-request deny if is_api FALSE", line)
    assert fired(text, "acl-undefined", "condition-braces") == []


def test_an_acl_holds_for_its_section_alone() -> None:
    named = f"defaults web\n    mode http\n{TIMEOUTS}    acl old path /old\n    http-request deny if old\n"
    seen = f"{GLOBAL_SECTION}{named}frontend www from web\n    bind 127.0.0.1:8080\n    http-request deny if old\n"
    found = in_config("haproxy", seen)
    assert [(f.rule, f.line) for f in found if f.level == "error"] == [("haproxy/acl-undefined", 12)]


def test_the_acl_of_a_condition_that_is_not_known_is_there_all_the_same() -> None:
    text = front(UNKNOWN, "acl is_api path_beg /api", ".endif", "use_backend api if is_api")
    assert fired(text, "acl-undefined", "acl-unused") == []
    text = front(UNKNOWN, "use_backend api if is_api", ".endif")
    assert fired(text, "acl-undefined") == []


def test_what_may_have_been_meant() -> None:
    text = front("acl is_api path_beg /api", "use_backend api if is_apii", "use_backend app if METH_GET and is_api")
    assert messages(text, "acl-undefined") == [
        "there is no ACL is_apii in this section: did you mean is_api?",
        "there is no ACL and: conditions side by side must all hold already",
    ]


def test_the_place_of_a_name() -> None:
    found = in_config("haproxy", "frontend www\n    bind :80\n    use_backend a if TRUE !nope\n")
    assert [(f.line, f.column) for f in found if f.rule == "haproxy/acl-undefined"] == [(3, 27)]


@pytest.mark.parametrize(
    ("lines", "unused"),
    [
        (["acl a path /"], True),
        (["acl a path /", "acl a path /b"], True),
        (["acl a path /", "use_backend a if { path a }"], False),  # in doubt it is named
        (["acl a path /", "use_backend a if TRUE"], True),
        (["acl a path /", "http-request deny if !a"], False),
        (["acl a path /", "http-request set-var(txn.x) acl(a)"], False),
        (["acl a path /", "http-request set-var(txn.x) acl(b,!a)"], False),
        (["acl a path /", "http-request set-header X %[src,when(a)]"], False),
        (["acl a path /", "reqirep ^x y if a"], False),
        (["acl a path /", "quic-initial reject if a"], False),
        (["acl a path /", 'http-request deny if "${NAMES}"'], False),
        (["http-request deny if a", "acl a path /"], False),
    ],
)
def test_an_acl_that_nothing_names(lines: list[str], unused: bool) -> None:
    assert fired(front(*lines), "acl-unused") == ["acl-unused"] * unused


@pytest.mark.parametrize(
    ("condition", "bad"),
    [
        ("{path /x}", True),
        ("{path /x }", True),
        ("{ path /x}", True),
        ("!{path /x}", True),
        ("TRUE {path /", True),
        ("TRUE}", True),
        ("{ path /x }", False),
        ("!{ path /x } or ! { path /y }", False),
        ("{ path_reg a{2} }", False),
        ('{ path_reg "^/{a" }', False),
        ("{ path /x", True),
        ('{ path "/x" } "${MORE}"', False),
    ],
)
def test_braces(condition: str, bad: bool) -> None:
    text = front(f"http-request deny if {condition}")
    assert fired(text, "condition-braces", "acl-undefined") == ["condition-braces"] * bad


# binds


def two(first: str, second: str) -> str:
    sends = "default_backend app"
    return GLOBAL_SECTION + DEFAULTS + in_section("frontend a", first, sends) + in_section("frontend b", second, sends) + APP


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("bind :80", "bind *:80"),
        ("bind 0.0.0.0:80", "bind ipv4@:80"),
        ("bind :80,:443", "bind :8080,:443"),
        ("bind :8000-8010", "bind :8005"),
        ("bind [::1]:80", "bind ::1:80"),
        ("bind 2001:db8:0::1:80", "bind [2001:db8::1]:80 v6only"),
        ("bind :::80", "bind ipv6@:80"),
        ("bind :80 ssl crt a", "bind :80"),
        ("bind /run/a.sock", "bind unix@/run/a.sock mode 600"),
        ("bind abns@a", "bind abns@a"),
        ("bind quic4@:443", "bind quic4@:443"),
        ("bind :80 interface eth0", "bind :80 interface eth0"),
        ("bind :80 name interface", "bind :80"),
    ],
)
def test_an_address_of_two_frontends(first: str, second: str) -> None:
    assert fired(two(first, second), "duplicate-bind") == ["duplicate-bind"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("bind :80", "bind :81"),
        ("bind *:80", "bind 127.0.0.1:80"),
        ("bind *:80", "bind :::80 v6only"),
        ("bind :443 ssl crt a", "bind quic4@:443 ssl crt a"),
        ("bind :80 interface eth0", "bind :80 interface eth1"),
        ("bind :80 interface eth0", "bind :80"),
        ("bind :80 namespace a", "bind :80 namespace b"),
        ("bind :80 process 1", "bind :80 process 2"),
        ("bind :80 thread 1", "bind :80 thread 2"),
        ("bind abns@/a", "bind /a"),
        ("bind fd@3", "bind fd@3"),
        ('bind ":${PORT}"', 'bind ":${PORT}"'),
        ("bind :80\n    disabled", "bind :80"),
        ("bind :80\n    bind-process 1", "bind :80\n    bind-process 2"),
        (f"{UNKNOWN}\n    bind :80\n.endif", "bind :80"),
        ("bind :8000-8010", "bind :8011"),
    ],
)
def test_addresses_that_may_both_be_there(first: str, second: str) -> None:
    assert fired(two(first, second), "duplicate-bind") == []


@pytest.mark.parametrize(
    ("first", "second", "bad"),
    [
        ("bind :443", "bind :443", False),
        ("bind :443 name a maxconn 3", "bind :443 name b id 7", False),
        ("bind :443 ssl crt a", "bind :443 ssl crt b", True),
        ("bind :443 accept-proxy", "bind :443", True),
        ("bind :443 ssl crt a", "bind :443 crt a ssl", False),
        ("bind :80,:80", "bind :81", False),
    ],
)
def test_an_address_twice_in_one_frontend(first: str, second: str, bad: bool) -> None:
    assert fired(front(first, second), "duplicate-bind") == ["duplicate-bind"] * bad


def test_a_range_that_overlaps_is_told_once() -> None:
    assert messages(two("bind :8000-8010", "bind :8005-8020"), "duplicate-bind") == [
        "*:8005 is bound by frontend a already (line 10): connections go to either, by chance"
    ]


def test_what_a_backend_binds_does_not_count() -> None:
    assert fired(f"{FRONT}backend x\n    bind 127.0.0.1:8080\n", "duplicate-bind") == []


def test_addresses() -> None:
    assert list(addresses(":80,[::1]:81")) == [Address("tcp", "0.0.0.0", 80), Address("tcp", "::1", 81)]
    assert list(addresses("example.com:80")) == [Address("tcp", "example.com", 80)]
    assert [list(addresses(text)) for text in ("127.0.0.1", "fd@3", "$X:80", ":http", "")] == [[], [], [], [], []]
    local = [next(addresses(text)).local for text in ("127.9.9.9:1", "localhost:1", "/x", "::1:1", ":1", "[::]:1", "a.b:1")]
    assert local == [True, True, True, True, False, False, None]
    assert [str(next(addresses(text))) for text in (":80", ":::80", "/x", "abns@x")] == ["*:80", "[::]:80", "/x", "abns@x"]


# timeouts


def timeouts(defaults: str, section: str) -> list[str]:
    return messages(
        f"{GLOBAL_SECTION}defaults\n    {defaults}\nlisten l\n    bind :1\n{TIMEOUTS}{section}", "missing-timeout"
    )


@pytest.mark.parametrize(
    ("defaults", "section", "found"),
    [
        ("mode http", "frontend www\n    bind :80\n", ["www has no timeout client"]),
        ("mode http", APP, ["app has no timeout connect and no timeout server"]),
        ("timeout client 3s", "frontend www\n    bind :80\n", []),
        (
            "timeout client 3s",
            "frontend www\n    bind :80\n    timeout client 0\n",
            ["www has no timeout client (0 is none)"],
        ),
        ("timeout client 0s", "frontend www\n    bind :80\n", ["www has no timeout client (0 is none)"]),
        ("timeout client 0", "frontend www\n    bind :80\n    timeout client 10\n", []),
        ("mode http", "backend none\n", []),
        ("mode http", "frontend www\n    disabled\n    bind :80\n", []),
        ("mode log", "backend logs\n    server a 127.0.0.1:1\n", []),
        ("timeout connect 5s", "backend app\n    mode tcp\n    timeout tunnel 1h\n    server a 127.0.0.1:1\n", []),
        (
            "timeout connect 5s",
            "backend app\n    mode http\n    timeout tunnel 1h\n    server a 127.0.0.1:1\n",
            ["app has no timeout server"],
        ),
        ("contimeout 5000", "backend app\n    srvtimeout 5000\n    server a 127.0.0.1:1\n", []),
        ("mode http", f"frontend www\n{UNKNOWN}\n    timeout client 3s\n.endif\n    bind :80\n", []),
        ("timeout client 3s", f"frontend www\n{UNKNOWN}\n    timeout client 0\n.endif\n    bind :80\n", []),
        ("mode http", 'frontend www\n    bind :80\n    timeout client "${T}"\n', []),
        (
            "mode http",
            "backend app\n    timeout connect 1s\n    timeout server 1s\n    server-template a 3 127.0.0.1:1\n",
            [],
        ),
    ],
)
def test_timeouts(defaults: str, section: str, found: list[str]) -> None:
    assert timeouts(defaults, section) == found


def test_timeouts_of_a_part() -> None:
    assert fired(FRONT + APP, "missing-timeout") == []
    assert fired(f"defaults\n    mode http\n{FRONT}", "missing-timeout") == ["missing-timeout"]
    assert fired("defaults\n    mode http\nfrontend www from elsewhere\n    bind :80\n", "missing-timeout") == []


def test_a_named_defaults_is_the_one_that_counts() -> None:
    text = f"{GLOBAL_SECTION}defaults a\n{TIMEOUTS}defaults b\n    mode http\nfrontend www from %s\n    bind :80\n"
    assert fired(text % "a", "missing-timeout") == []
    assert fired(text % "b", "missing-timeout") == ["missing-timeout"]


# modes


@pytest.mark.parametrize(
    ("front_lines", "back", "bad"),
    [
        ("mode http\n    default_backend b", "mode tcp", True),
        ("mode http\n    use_backend b if TRUE", "mode tcp", True),
        ("mode http\n    default_backend b", "balance roundrobin", True),
        ("mode tcp\n    default_backend b", "mode http", False),
        ("default_backend b", "mode http", False),
        ("mode http\n    use_backend %[str(b)]", "mode tcp", False),
        ("mode http\n    disabled\n    default_backend b", "mode tcp", False),
        ("mode http\n    default_backend b", "mode tcp\n    mode http", False),
        ("mode http\n    default_backend nowhere", "mode tcp", False),
        (f"{UNKNOWN}\n    mode http\n.endif\n    default_backend b", "mode tcp", False),
        ("mode http\n    default_backend b", f"{UNKNOWN}\n    mode tcp\n.else\n    mode http\n.endif", False),
        (f"mode http\n{UNKNOWN}\n    default_backend b\n.endif", "mode tcp", False),
        ("mode http\n    default_backend b", "mode log", False),
    ],
)
def test_modes(front_lines: str, back: str, bad: bool) -> None:
    text = (
        f"{GLOBAL_SECTION}frontend www\n    bind :80\n    {front_lines}\nbackend b\n    {back}\n    server a 127.0.0.1:1\n"
    )
    assert fired(text, "mode-mismatch") == ["mode-mismatch"] * bad


def test_a_mode_that_is_in_another_file_is_not_known() -> None:
    text = "frontend www\n    mode http\n    bind :80\n    default_backend b\nbackend b\n    server a 127.0.0.1:1\n"
    assert fired(text, "mode-mismatch") == []


def test_a_default_backend_of_the_defaults_counts() -> None:
    heads = GLOBAL_SECTION + in_section("defaults", "mode http", "default_backend b")
    text = f"{heads}frontend www\n    bind :80\n%sbackend b\n    mode tcp\n"
    assert fired(text % "", "mode-mismatch") == ["mode-mismatch"]
    assert fired(text % "    default_backend c\nbackend c\n", "mode-mismatch") == []


# the runtime API, its sockets, files of states


def sockets(*lines: str) -> list[str]:
    text = in_section("global", *lines) + DEFAULTS + FRONT + APP
    return fired(text, "no-stats-socket", "stats-socket-open", "stats-socket-level")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["maxconn 3"], ["no-stats-socket"]),
        (["stats timeout 30s"], ["no-stats-socket"]),
        (["stats socket /x level admin"], []),
        (["stats socket /x"], ["stats-socket-level"]),
        (["stats socket /x level user"], ["stats-socket-level"]),
        (["stats socket /x level admin level operator"], ["stats-socket-level"]),
        (["stats socket /x", "stats socket /y level admin"], []),
        (["stats socket /x", "stats socket /z"], ["stats-socket-level"]),
        (['stats socket "${SOCKET}"'], []),
        ([UNKNOWN, "stats socket /x", ".endif"], []),
        (["stats socket /x mode 666 level admin"], ["stats-socket-open"]),
        (["stats socket /x mode 0777 level admin"], ["stats-socket-open"]),
        (["stats socket /x mode 662 level admin"], ["stats-socket-open"]),
        (["stats socket /x mode 664 level admin"], []),
        (["stats socket /x mode 660 level admin expose-fd listeners"], []),
        (["stats socket /x level admin", "stats socket /y mode 666"], []),
        (["stats socket /x level admin", "stats socket /y mode 666 level user"], []),
        (["stats socket :9999 level admin"], ["stats-socket-open"]),
        (["stats socket ipv4@0.0.0.0:9999 level admin"], ["stats-socket-open"]),
        (["stats socket [::]:9999 level admin"], ["stats-socket-open"]),
        (["stats socket 10.0.0.1:9999", "stats socket /x level admin"], ["stats-socket-open"]),
        (["stats socket 127.0.0.1:9999 level admin"], []),
        (["stats socket ipv6@::1:9999 level admin"], []),
        (["stats socket localhost:9999 level admin"], []),
        (["stats socket admin.lan:9999 level admin"], []),
        (["stats socket fd@3 level admin"], []),
        (["stats socket :9999 level user", "stats socket /x level admin"], []),
    ],
)
def test_stats_sockets(lines: list[str], found: list[str]) -> None:
    assert sockets(*lines) == found


def test_sockets_of_a_part_are_judged_by_what_is_there() -> None:
    assert fired(FRONT + APP, "no-stats-socket") == []
    assert fired("global\n    stats socket /x\n", "stats-socket-level") == []
    assert fired("global\n    stats socket /x mode 666 level admin\n", "stats-socket-open") == ["stats-socket-open"]
    assert fired("# proxyswitch: context=part\nglobal\n    maxconn 3\n" + FRONT + APP, "no-stats-socket") == []
    assert fired("global\n    maxconn 3\nfrontend www\n    bind :80\n", "no-stats-socket") == []  # nothing to drain


def states(global_line: str, defaults_line: str, app_line: str = "balance roundrobin") -> list[str]:
    text = in_section("global", global_line) + in_section("defaults", defaults_line) + FRONT
    text += in_section("backend app", app_line, "server a 127.0.0.1:1")
    return fired(text, "state-file-not-configured", "state-file-unused")


@pytest.mark.parametrize(
    ("global_line", "defaults_line", "app_line", "found"),
    [
        ("maxconn 3", "load-server-state-from-file global", "", ["state-file-not-configured"]),
        ("maxconn 3", "load-server-state-from-file none", "", []),
        ("maxconn 3", "load-server-state-from-file global", "load-server-state-from-file none", []),
        ("maxconn 3", "mode http", "load-server-state-from-file global", ["state-file-not-configured"]),
        ("maxconn 3", "load-server-state-from-file local", "", ["state-file-not-configured"]),
        ("maxconn 3", "load-server-state-from-file local", "server-state-file-name app", ["state-file-not-configured"]),
        ("maxconn 3", "load-server-state-from-file local", "server-state-file-name /var/app", []),
        ("server-state-base /var", "load-server-state-from-file local", "", []),
        ("default-path config", "load-server-state-from-file local", "", []),
        ("server-state-file global", "load-server-state-from-file global", "", []),
        ("server-state-base /var", "load-server-state-from-file global", "", ["state-file-not-configured"]),
        ("server-state-file /x", "mode http", "", ["state-file-unused"]),
        ("server-state-file /x", "load-server-state-from-file none", "", ["state-file-unused"]),
        ("server-state-file /x", "mode http", "load-server-state-from-file global", []),
        ("server-state-file /x", 'load-server-state-from-file "${HOW}"', "", []),
    ],
)
def test_files_of_states(global_line: str, defaults_line: str, app_line: str, found: list[str]) -> None:
    assert states(global_line, defaults_line, app_line or "balance roundrobin") == found


def test_files_of_states_of_a_part() -> None:
    assert fired(f"defaults\n    load-server-state-from-file global\n{APP}", "state-file-not-configured") == []
    assert fired("global\n    server-state-file /x\n", "state-file-unused") == []


def test_a_state_file_that_is_not_said_is_told_once_for_all_backends() -> None:
    text = f"global\n    maxconn 3\ndefaults\n    load-server-state-from-file %s\n{FRONT}{APP}{API}"
    assert fired(text % "global", "state-file-not-configured") == ["state-file-not-configured"]
    assert fired(text % "local", "state-file-not-configured") == ["state-file-not-configured"]


def test_a_backend_without_servers_has_no_states() -> None:
    text = f"global\n    maxconn 3\nbackend none\n    load-server-state-from-file global\n{FRONT}{APP}"
    assert fired(text, "state-file-not-configured") == []


# rules and their order


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["use_backend app", "use_backend api if { path / }"], 1),
        (["use_backend app if TRUE", "default_backend api"], 1),
        (["use_backend app unless FALSE", "use_backend api if METH_GET", "default_backend api"], 2),
        (["default_backend api", "use_backend app"], 1),
        (["use_backend app if METH_GET", "use_backend api if METH_GET"], 1),
        (["use_backend app if METH_GET", "use_backend api unless METH_GET"], 0),
        (["use_backend app if METH_GET", "use_backend api if METH_GET HTTP_1.1"], 0),
        (["use_backend app if { rand(2) eq 0 }", "use_backend api if { rand(2) eq 0 }"], 0),
        (["acl coin rand(2) eq 0", "use_backend app if coin", "use_backend api if coin"], 0),
        (["acl get method GET", "use_backend app if get", "use_backend api if get"], 1),
        (["use_backend app if { sc0_inc_gpc0 gt 1 }", "use_backend api if { sc0_inc_gpc0 gt 1 }"], 0),
        (["use_backend app if { lua.flip }", "use_backend api if { lua.flip }"], 0),
        (["use_backend %[str(x)]", "default_backend api"], 0),
        (["use_backend %[str(x)]", "use_backend api if METH_GET"], 1),
        ([UNKNOWN, "use_backend app", ".endif", "default_backend api"], 0),
        ([UNKNOWN, "use_backend app if METH_GET", ".else", "use_backend api if METH_GET", ".endif"], 0),
        (['use_backend app if "${C}"', 'use_backend api if "${C}"', "default_backend app"], 0),
        (['use_backend "${B}" if METH_GET', "default_backend app"], 0),
        (["use_backend app if METH_GET", "default_backend api"], 0),
    ],
)
def test_backends_that_are_never_reached(lines: list[str], found: int) -> None:
    assert fired(front(*lines), "use-backend-shadowed") == ["use-backend-shadowed"] * found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("http-request deny if METH_PUT", 1),
        ("tcp-request content accept if METH_PUT", 1),
        ("tcp-request connection accept if LOCALHOST", 1),
        ("redirect location / if METH_PUT", 1),
        ("monitor fail if METH_PUT", 1),
        ("tcp-request inspect-delay 3s", 0),
        ("http-response del-header x", 0),
        ("http-after-response del-header x", 0),
        ("acl later path /", 0),
        ("default_backend app", 0),
        ("stats enable", 0),
        ("use_backend app if METH_PUT", 0),
    ],
)
def test_rules_after_use_backend(line: str, found: int) -> None:
    rule = "rule-after-use-backend"
    assert fired(front("use_backend api if METH_GET", line), rule) == [rule] * found
    assert fired(front(line, "use_backend api if METH_GET"), rule) == []
    assert fired(front("use_backend api if METH_GET", UNKNOWN, line, ".endif"), rule) == []
    assert fired(front(UNKNOWN, "use_backend api if METH_GET", ".endif", line), rule) == []


def test_rules_after_use_backend_are_told_once_a_section() -> None:
    text = front("use_backend api if METH_GET", "http-request deny if METH_PUT", "http-request deny if METH_HEAD")
    assert fired(text, "rule-after-use-backend") == ["rule-after-use-backend"]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["http-request deny", "http-request allow"], 1),
        (["http-request deny deny_status 429", "http-request allow", "http-request allow"], 1),
        (["http-request return status 200", "http-request set-header a b"], 1),
        (["http-request deny if TRUE", "http-request set-header a b"], 1),
        (["http-request deny if METH_GET", "http-request set-header a b"], 0),
        (["http-request deny", "http-response set-header a b"], 0),
        (["http-request set-header a b", "http-request deny"], 0),
        (["http-request return status 200 string if", "http-request deny"], 0),
        (["http-request use-service lua.x", "http-request deny"], 0),
        (["tcp-request content reject", "tcp-request content accept"], 1),
        (["tcp-request content accept", "tcp-request connection reject"], 0),
        (["tcp-request content accept", "http-request deny"], 0),
        (["tcp-request inspect-delay 3s", "tcp-request content accept"], 0),
        ([UNKNOWN, "http-request deny", ".endif", "http-request allow"], 0),
        (['http-request deny "${IF}" METH_GET', "http-request allow"], 0),
    ],
)
def test_rules_that_are_never_reached(lines: list[str], found: int) -> None:
    assert fired(front(*lines), "rule-unreachable") == ["rule-unreachable"] * found


# the statistics page


@pytest.mark.parametrize(
    ("lines", "bad"),
    [
        (["bind :8404", "stats enable"], True),
        (["bind :8404", "stats uri /s"], True),
        (["bind 127.0.0.1:8404", "bind 10.0.0.1:8404", "stats enable"], True),
        (["bind [::]:8404", "stats enable"], True),
        (["bind :8404", "stats enable", "http-request set-header a b"], True),
        (["bind 127.0.0.1:8404", "stats enable"], False),
        (["bind /run/s.sock", "stats enable"], False),
        (["bind stats.lan:8404", "stats enable"], False),
        (['bind "${ADDR}:8404"', "stats enable"], False),
        (["bind :8404", "stats enable", "stats auth a:b"], False),
        (["bind :8404", "stats enable", "stats http-request auth if TRUE"], False),
        (["bind :8404", "stats enable", "http-request deny unless LOCALHOST"], False),
        (["bind :8404", "stats enable", "http-request auth unless { http_auth(u) }"], False),
        (["bind :8404", "stats enable", "tcp-request connection reject if !LOCALHOST"], False),
        (["bind :8404 ssl crt a ca-file b verify required", "stats enable"], False),
        (["bind :8404"], False),
        (["mode tcp", "bind :8404", "stats enable"], False),
        (["disabled", "bind :8404", "stats enable"], False),
        (["bind :8404", UNKNOWN, "stats enable", ".endif"], False),
    ],
)
def test_the_statistics_page(lines: list[str], bad: bool) -> None:
    assert fired(GLOBAL_SECTION + DEFAULTS + in_section("listen stats", *lines), "stats-open") == ["stats-open"] * bad


def test_a_statistics_page_that_stops_servers() -> None:
    text = DEFAULTS + in_section("listen stats", "bind :8404", "stats enable", "stats admin if TRUE")
    assert messages(text, "stats-open") == [
        "the statistics page of stats is open on *:8404 and lets anybody stop servers:"
        " write stats auth, or bind it to 127.0.0.1"
    ]


def test_statistics_of_the_defaults_are_those_of_each_frontend() -> None:
    text = f"{DEFAULTS}    stats enable\nfrontend www\n    bind :80\nfrontend other\n    bind 127.0.0.1:81\n"
    assert fired(text, "stats-open") == ["stats-open"]


# reloads


@pytest.mark.parametrize(
    ("defaults", "line", "bad"),
    [
        ("mode http", "maxconn 3", True),
        ("mode http", "no option idle-close-on-response", True),
        ("mode http", "option idle-close-on-response", False),
        ("mode http", "option httpclose", False),
        ("mode tcp", "maxconn 3", False),
        ("mode http", "mode tcp", False),
        ("mode http", f"{UNKNOWN}\n    option idle-close-on-response\n.endif", False),
    ],
)
def test_idle_clients_at_a_reload(defaults: str, line: str, bad: bool) -> None:
    rule = "no-idle-close-on-response"
    text = f"{in_section('defaults', defaults)}frontend www\n    bind :80\n    default_backend app\n    {line}\n{APP}"
    assert fired(GLOBAL_SECTION + text, rule) == [rule] * bad
    assert fired(text, rule) == []


def test_it_is_enough_that_one_frontend_has_it() -> None:
    sends = "    default_backend app\n"
    text = f"{GLOBAL_SECTION}defaults\n    mode http\nfrontend a\n    bind :80\n{sends}frontend b\n    bind :81\n%s"
    assert fired(text % "", "no-idle-close-on-response") == ["no-idle-close-on-response"]
    assert fired(text % "    option idle-close-on-response\n", "no-idle-close-on-response") == []


# size


def cost(number: int) -> float:
    """Seconds of processor time for a config with so many of everything: the least of three."""
    binds = "".join(f"    bind 127.0.0.1:{n + 1}\n" for n in range(number))
    rules = "".join(f"    acl a{n} path /{n}\n    use_backend b{n} if a{n}\n" for n in range(number))
    backends = "".join(f"backend b{n}\n    server s 127.0.0.1:1 check\n" for n in range(number))
    text = f"{GLOBAL_SECTION}{DEFAULTS}frontend www\n{binds}{rules}{backends}"
    taken = []
    gc.disable()  # it would go through all that this process of tests holds
    for _ in range(3):
        begun = time.process_time()
        assert not [f for f in in_config("haproxy", text) if f.level == "error"]
        taken.append(time.process_time() - begun)
    gc.enable()
    return min(taken)


def test_the_cost_grows_with_the_size() -> None:
    assert cost(1_200) < 8 * cost(300)
