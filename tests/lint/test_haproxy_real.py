"""What configs of real use taught the rules for HAProxy: forms that are legal, and that a rule must not find."""

from __future__ import annotations

import pytest

from tests.conf.haproxy_helpers import check
from tests.lint.helpers import in_config

FRONT = "global\nfrontend www\n    mode http\n    bind 127.0.0.1:8080\n    default_backend app\n"
WITHOUT = "backend app\n    mode http\n    balance source\n"


def fires(rule: str, text: str) -> list[str]:
    """What a rule says of a text, with the line."""
    return [f"{f.line}: {f.message}" for f in in_config("haproxy", text, select=(f"haproxy/{rule}",))]


# backends without servers


@pytest.mark.parametrize("line", ["use-server %[req.hdr(x-server)] if TRUE", "use-server %[lua.choose]"])
def test_servers_that_are_named_at_run_time_are_added_at_run_time(line: str) -> None:
    assert fires("no-servers", FRONT + WITHOUT) == ["6: app has no server: every request gets 503"]
    assert fires("no-servers", f"{FRONT}{WITHOUT}    {line}\n") == []


@pytest.mark.parametrize("line", ["use-server", "use-server a if TRUE"])
def test_a_server_that_is_named_for_good_must_be_there(line: str) -> None:
    assert fires("no-servers", f"{FRONT}{WITHOUT}    {line}\n")


@pytest.mark.parametrize(
    ("line", "dead_end"),
    [
        ("# for nobody", True),
        ("mode http", True),
        ("option forwardfor", True),
        ("no option httpclose", True),
        ("log global", True),
        ("option", True),
        ("option httpchk", False),
        ("option tcp-check", False),
        ("option redispatch", False),
        ("default-server check", False),
        ("errorfile 404 /etc/haproxy/404.http", False),
        ("http-request set-header x y", False),
        ("timeout server 3s", False),
    ],
)
def test_a_backend_may_be_a_dead_end(line: str, dead_end: bool) -> None:
    assert (fires("no-servers", f"{FRONT}backend app\n    {line}\n") == []) is dead_end


def test_nobody_waits_for_a_backend_that_nothing_sends_to() -> None:
    other = FRONT + "backend app\n    server a 127.0.0.1:1\nbackend dead_end\n    balance roundrobin\n"
    assert fires("no-servers", other) == []
    assert fires("backend-unused", other) == ["8: nothing sends requests to dead_end"]
    assert fires("no-servers", other.replace("default_backend app", "default_backend %[req.hdr(x)]")) != []
    assert fires("no-servers", other.removeprefix("global\n")) != []  # a part: who sends there may stand elsewhere


def test_a_listen_in_mode_health_answers_itself() -> None:
    assert fires("no-servers", "listen alive 127.0.0.1:8000\n    mode health\n") == []
    assert fires("no-servers", "listen alive 127.0.0.1:8000\n    mode tcp\n") != []


@pytest.mark.parametrize(
    "line",
    [
        'server-template app "${COUNT}" app:80',
        "server-template app 1-$COUNT app:80",
        "server $SERVER",
        'server "${SERVERS[*]}"',
    ],
)
def test_a_variable_may_stand_for_servers(line: str) -> None:
    text = f"{FRONT}{WITHOUT}    {line}\n"
    assert fires("no-servers", text) == []
    off = text + "    server b 127.0.0.1:2 disabled\n"
    assert fires("all-disabled", off) == []
    assert fires("all-disabled", off.replace("$", "")) != []
    zero = text + "    server b 127.0.0.1:2 weight 0\n"
    assert fires("all-weight-zero", zero) == []
    assert fires("server-undefined", text + "    server b 127.0.0.1:2\n    use-server c if TRUE\n") == []
    tracks = "backend more\n    server m 127.0.0.1:3 track app/c\n"
    assert fires("server-undefined", text + "    server b 127.0.0.1:2\n" + tracks) == []


@pytest.mark.parametrize(
    "line", ["server-template a x:80", "server-template a 0 x:80", "server-template a 3", "server a", "server"]
)
def test_a_server_line_in_which_something_is_missing(line: str, haproxy_binary: str) -> None:
    text = f"{FRONT}{WITHOUT}    {line}\n    server b 127.0.0.1:2\n"
    assert check(haproxy_binary, text.encode()) != ""
    assert [found.split()[:2] for found in fires("server-incomplete", text)] == [["9:", line.partition(" ")[0]]]
    assert fires("no-servers", text.replace("    server b 127.0.0.1:2\n", "")) == []
    assert fires("server-incomplete", text.replace(line, f".if defined(X)\n{line}\n.endif")) == []
    assert fires("server-incomplete", text.replace(line, f"{line} $X")) == []
    assert fires("server-incomplete", text.replace("backend", "frontend")) == []  # haproxy/keyword-not-allowed


# what becomes of clients


@pytest.mark.parametrize(
    ("rule", "line", "http", "tcp"),
    [
        ("no-servers", "balance source", "every request gets 503", "every connection is closed"),
        ("all-disabled", "server a 127.0.0.1:1 disabled", "every request gets 503", "every connection is closed"),
        ("all-weight-zero", "server a 127.0.0.1:1 weight 0", "which is 503", "which closes the connection"),
    ],
)
def test_only_mode_http_answers_503(rule: str, line: str, http: str, tcp: str) -> None:
    text = f"{FRONT}{WITHOUT}    {line}\n"
    assert fires(rule, text)[0].endswith(http)
    assert fires(rule, text.replace("mode http", "mode tcp"))[0].endswith(tcp)
    assert fires(rule, f"backend app\n    {line}\n")[0].endswith(http)  # its mode may stand in another file


# servers


def test_an_id_tells_servers_of_one_name_apart(haproxy_binary: str) -> None:
    a = "backend app\n    server a 127.0.0.1:1{}\n    server a 127.0.0.1:2{}\n"
    assert fires("duplicate-server", a.format("", "")) != []
    for ids in ((" id 1", " id 2"), ("", " id 2"), (" id 1", "")):
        assert fires("duplicate-server", a.format(*ids)) == [], ids
        assert check(haproxy_binary, (FRONT + a.format(*ids) + "    mode http\n").encode()) == "", ids
    third = a.format(" id 1", "") + "    server a 127.0.0.1:3\n"
    assert fires("duplicate-server", third) == ["4: app has a server a already, in line 3"]


def test_a_server_of_logs_needs_no_check() -> None:
    logs = "backend logs\n    mode {}\n    server a udp@127.0.0.1:514\n    server b udp@127.0.0.1:515\n"
    assert fires("server-without-check", logs.format("log")) == []
    assert fires("server-without-check", logs.format("tcp")) != []


def test_who_wrote_0_is_told_that_it_is_no_timeout() -> None:
    text = "defaults\n    timeout connect 5s\n    timeout client 0\n    timeout server {}\nlisten app\n    server a :1\n"
    assert fires("missing-timeout", text.format("1m")) == ["5: app has no timeout client (0 is none)"]
    assert fires("missing-timeout", text.format("0s")) == ["5: app has no timeout client and no timeout server (0 is none)"]
    unsaid = text.replace("    timeout client 0\n", "").format("1m")
    assert fires("missing-timeout", unsaid) == ["4: app has no timeout client"]


def test_what_a_socket_cannot_do_is_advice() -> None:
    text = f"global\n    stats socket /run/a.sock\n{FRONT.removeprefix('global')}backend app\n    server a 127.0.0.1:1\n"
    assert [f.level for f in in_config("haproxy", text, select=("haproxy/stats-socket-level",))] == ["info"]


# what is told once, and where


def test_a_stats_page_that_all_inherit_is_told_once() -> None:
    both = "".join(f"listen {name}\n    bind :{port}\n    server a 127.0.0.1:1\n" for name, port in (("x", 80), ("y", 81)))
    what = "the statistics page of {} is open on *:{}: write stats auth, or bind it to 127.0.0.1"
    page = "    stats uri /\n"
    assert fires("stats-open", f"defaults\n    mode http\n{page}{both}") == ["3: " + what.format("x", 80)]
    own = f"defaults\n    mode http\n{both}{page}".replace("listen y", f"{page}listen y")
    assert fires("stats-open", own) == ["6: " + what.format("x", 80), "10: " + what.format("y", 81)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("stats uri /", False),
        ("monitor-uri /", False),
        ("http-request return status 200", False),
        ("default_backend app", True),
        ("use_backend app if TRUE", True),
        ("server a 127.0.0.1:1", True),
        ("server $APP", True),
    ],
)
def test_a_page_of_haproxy_itself_has_no_clients_that_wait(line: str, found: bool) -> None:
    text = f"global\n    daemon\nlisten www\n    mode http\n    bind 127.0.0.1:80\n    {line}\n"
    assert bool(fires("no-idle-close-on-response", text)) is found


@pytest.mark.parametrize(
    "head", ["udp-lb dns", "waf-global", "waf-profile w", "botmgmt-profile b", "captcha c", "dynamic-update", "rhi-bgp"]
)
def test_a_section_of_haproxy_enterprise_is_no_part_of_the_one_before(head: str) -> None:
    own = f"{head}\n    dgram-bind :53\n    balance roundrobin\n    server a 127.0.0.1:1\n"
    text = f"global\n    daemon\n{own}{FRONT.removeprefix('global')}backend app\n    server a 127.0.0.1:1 check\n{own}"
    for rule in ("keyword-not-allowed", "keyword-not-known", "duplicate-server", "server-without-check"):
        assert fires(rule, text) == [], rule
