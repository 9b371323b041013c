"""What HAProxy 2.0 to 3.2 prints, as recorded or as its source writes it; and what is refused of it."""

from __future__ import annotations

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.model import ServerState
from proxyswitch.proxies import haproxy_channel
from proxyswitch.proxies.haproxy_channel import FEATURES, Unsupported, needs
from proxyswitch.proxies.haproxy_replies import Sessions, age, info, level, parse_version, processes, sessions
from proxyswitch.proxies.haproxy_tables import ServerRow, Stat, servers, stats

# show proc

PROC_20 = """\
#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>
1162            master          0               5               0d00h02m07s     2.0.33
# workers
1271            worker          1               0               0d00h00m00s     2.0.33
1272            worker          2               0               0d00h00m00s     2.0.33
# old workers
1233            worker          [was: 1]        3               0d00h00m43s     2.0.31-1
# programs
1244            foo             -               0               0d00h00m00s     -
# old programs
1255            bar             -               2               0d00h00m09s     -

"""
PROC_24 = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
1162            master          5               12d03h02m07s    2.5.1
# workers
1271            worker          0               0d00h00m00s     2.5.1
# programs

"""
PROC_32 = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          3 [failed: 1]   0d00h01m05s     3.2.4-98813a1
# workers
14              worker          1               0d00h00m01s     3.2.4-98813a1
# old workers
13              worker          2               0d00h00m55s     3.2.4-98813a1
12              worker          3               0d01h00m00s     3.2.4-98813a1

"""


def test_processes_of_2_0() -> None:
    found = processes(PROC_20)
    assert (found.master.pid, found.master.reloads, found.master.failed, found.master.uptime) == (1162, 5, 0, 127)
    assert [w.pid for w in found.workers] == [1271, 1272]
    assert [(w.pid, w.reloads, w.uptime, w.version) for w in found.old] == [(1233, 3, 43, "2.0.31-1")]
    assert [(p.pid, p.kind) for p in found.programs] == [(1244, "foo"), (1255, "bar")]


def test_processes_of_2_5() -> None:
    found = processes(PROC_24)
    assert (found.master.reloads, found.master.uptime) == (5, 12 * 86400 + 3 * 3600 + 127)
    assert ([w.pid for w in found.workers], found.old) == ([1271], ())


def test_processes_of_3_2() -> None:
    found = processes(PROC_32)
    assert (found.master.reloads, found.master.failed) == (3, 1)
    assert [w.pid for w in found.workers] == [14]
    assert [(w.pid, w.uptime) for w in found.old] == [(13, 55), (12, 3600)]
    assert found.programs == ()


def test_a_section_of_a_later_version_is_passed_over() -> None:
    assert processes(PROC_32.replace("# old workers\n", "# sleeping workers\n")).old == ()


def test_no_worker_at_all() -> None:
    assert processes("\n".join([*PROC_32.splitlines()[:3], "", ""])).workers == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# workers\n", ""),
        ("#<PID>", "<PID>"),
        ("<uptime>", "<age>"),
        ("1               master", "1               worker"),
        ("1               master          3 [failed: 1]   0d00h01m05s     3.2.4-98813a1\n", ""),
        ("14              worker", "x14             worker"),
        ("0d00h00m01s", "a second"),
        ("worker          1  ", "worker          [was: 1]        1  "),
        ("\n\n", "\n"),
        ("# old workers\n", "# old workers\n\n"),
    ],
)
def test_processes_that_are_not_whole(old: str, new: str) -> None:
    assert old in PROC_32
    with pytest.raises(ValueError, match=r"show proc|cut off"):
        processes(PROC_32.replace(old, new, 1))


# show servers state

HEAD_20 = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight"
    " srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state"
    " bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord"
)
ROW_20 = "3 app 1 blue 127.0.0.1 2 {state} 5 10 77 6 3 4 6 0 0 0 {fqdn} 3001 -"
HEAD_26 = HEAD_20 + " srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port"


def row(state: int = 0, fqdn: str = "-") -> ServerRow:
    (only,) = servers(f"{HEAD_20}\n{ROW_20.format(state=state, fqdn=fqdn)}\n\n")
    return only


def test_servers_of_2_0_and_2_6() -> None:
    expected = ServerRow("app", "blue", 3, 1, "127.0.0.1", 3001, 2, 0, 5, 10, 77, 6, 0, "")
    assert row() == expected
    assert servers(f"{HEAD_26}\n{ROW_20.format(state=0, fqdn='-')} 0 0 - - 0\n\n") == [expected]
    assert servers(f"{HEAD_26}\n\n") == []
    assert row(fqdn="app.internal").fqdn == "app.internal"


READY, DRAIN, MAINT = ServerState.READY, ServerState.DRAIN, ServerState.MAINT


@pytest.mark.parametrize(
    ("mask", "state"),
    [
        (0, READY),
        (4, READY),
        (1, MAINT),
        (5, MAINT),
        (2, MAINT),
        (32, MAINT),
        (8, DRAIN),
        (16, DRAIN),
        (9, MAINT),
        (12, DRAIN),
    ],
)
def test_state_by_the_mask(mask: int, state: ServerState) -> None:
    assert row(mask).state is state


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{HEAD_20}\n{ROW_20} 7\n\n", "has 21 columns"),
        (f"{HEAD_20}\n3 app 1 blue\n\n", "has 4 columns"),
        (f"{HEAD_26}\n{ROW_20}\n\n", "has 20 columns"),
        (f"{HEAD_20}\n\n\n", "has 0 columns"),
        (f"{HEAD_20}\n{ROW_20}\n", "cut off"),
        (f"2{HEAD_20[1:]}\n{ROW_20}\n\n", "first lines"),
        (f"{HEAD_20[2:]}\n{ROW_20}\n\n", "first lines"),
        ("1\n\n", "first lines"),
        ("\n", "first lines"),
        (f"{HEAD_20.replace('srv_fqdn', 'fqdn')}\n{ROW_20}\n\n", "lacks srv_fqdn"),
        (f"{HEAD_20}\n{ROW_20.replace('3001', 'http')}\n\n", "'http' is no number"),
        (f"{HEAD_20}\n{ROW_20.replace('blue', 'blüe')}\n\n", "is no name"),
        ("Can't find backend.\n\n", "there is no such backend"),
        ("[err]: Can't find backend.\n\n", "there is no such backend"),
    ],
)
def test_servers_that_are_not_whole(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        servers(text.replace("{state}", "0").replace("{fqdn}", "-"))


# show stat

CSV = "# pxname,svname,qcur,scur,stot,status,weight,act,bck,lastchg,type,check_status,last_chk,mode,addr,-,extra,\n"


def test_stats_in_any_order_of_columns() -> None:
    line = 'app,blue,1,2,3,UP 1/2,4,0,1,5,2,L7OK,"it said ""yes"", then\n\nno",http,127.0.0.1:1,,9,\n'
    (only,) = stats(f"{CSV}app,BACKEND,0,0,0,UP,1,1,0,5,1,,,http,,,,\n{line}\n")
    said = 'it said "yes", then\n\nno'
    assert only == Stat("app", "blue", "UP 1/2", 4, 2, 1, 3, "L7OK", said, 5, False, True, "http", "127.0.0.1:1")


def test_an_old_version_without_some_columns() -> None:
    (only,) = stats(
        "# pxname,svname,qcur,scur,stot,status,weight,act,bck,lastchg,type,\napp,blue,,2,3,no check,4,1,0,5,2,\n\n"
    )
    assert (only.qcur, only.check_status, only.address, only.active) == (0, "", "", True)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("# pxname", "pxname", "header line"),
        ("scur", "sesscur", "lacks scur"),
        ("app,blue,1,2", "app,blue,1,", "a column is empty"),
        ("app,blue,1,2", "app,blue,1,x", "is no number"),
        ("app,blue,1,2", "app,blue,2", "has 17 columns"),
        ("app,blue", "a b,blue", "is no name"),
        ("L7OK", '"L7OK', "is no CSV"),
        ("\n\n", "\n", "cut off"),
    ],
)
def test_stats_that_are_not_whole(old: str, new: str, problem: str) -> None:
    text = f"{CSV}app,blue,1,2,3,UP,4,0,1,5,2,L7OK,,http,,,,\n\n"
    assert len(stats(text)) == 1
    with pytest.raises(ValueError, match=problem):
        stats(text.replace(old, new, 1))


# show sess

OURS = "0x1: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=0\n"


def session(number: int, backend: str, server: str, since: str) -> str:
    return (
        f"0x{number:x}: proto=tcpv4 src=127.0.0.1:1 fe=web be={backend} srv={server} ts=00 epoch=0x1 age={since} calls=2"
        " rate=0 cpu=0 lat=0 rq[f=c08000h,i=0,an=00h,rx=,wx=,ax=]\n"
    )


def test_sessions_by_exact_names() -> None:
    rows = [
        ("app", "blue", "2m5s"),
        ("app", "blue2", "9d"),
        ("app2", "blue", "9d"),
        ("app", "blue", "59m"),
        ("app", "<none>", "9d"),
    ]
    text = OURS + "".join(session(n, *r) for n, r in enumerate(rows)) + "\n"
    assert sessions(text, "app", "blue") == Sessions(("0x0", "0x3"), 59 * 60)
    assert sessions(text, "app", "blue").count == 2
    assert sessions(text, "app", "green") == Sessions((), 0)


@pytest.mark.parametrize(
    "text", ["\n", "", OURS, f"{OURS}age=3s\n\n", f"{OURS}\n\n", f"{OURS}{session(1, 'app', 'blue', 'old')}\n"]
)
def test_sessions_that_are_not_whole(text: str) -> None:
    with pytest.raises(ValueError, match=r"cut off|list of sessions|show sess|no age"):
        sessions(text, "app", "blue")


AGES = {"0s": 0, "3s": 3, "2m": 120, "2m5s": 125, "59m59s": 3599, "1h": 3600, "1h2m": 3720, "1h30s": 3630, "3d4h": 273600}


@pytest.mark.parametrize(
    ("text", "seconds"), [*AGES.items(), ("1d", 86400), ("1d30s", 86430), ("24855d23h", 2147554800), ("?", 0)]
)
def test_ages(text: str, seconds: int) -> None:
    assert age(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "s", "3x", "5s2m", "-3s", "3s ", "٣s"])
def test_no_ages(text: str) -> None:
    with pytest.raises(ValueError, match="is no age"):
        age(text)


# versions and levels


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.6.12-1+deb12u4", (2, 6, 12)),
        ("3.2-dev5", (3, 2)),
        ("2.0.33", (2, 0, 33)),
        ("3.2.4-98813a1", (3, 2, 4)),
        ("2.6.0-2.0.0-1", (2, 6, 0)),
    ],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "dev", "2", "v2.6", "٢.٦"])
def test_no_versions(text: str) -> None:
    with pytest.raises(ValueError, match="is no version"):
        parse_version(text)


@pytest.mark.parametrize("text", ["", "\n", "Name: nginx\n", "Version: 2.6\n\n", "Name: HAProxy\nnonsense\n\n"])
def test_no_info(text: str) -> None:
    with pytest.raises(ValueError, match=r"show info|cut off"):
        info(text)


def test_no_level() -> None:
    with pytest.raises(ValueError, match="no level"):
        level("root")


@pytest.mark.parametrize("feature", FEATURES)
def test_needs(feature: str) -> None:
    first = FEATURES[feature]
    needs(feature, first)
    needs(feature, (*first, 0))
    needs(feature, (99, 0))
    with pytest.raises(Unsupported) as caught:
        needs(feature, (2, 4, 1))
    assert isinstance(caught.value, UsageError)
    assert caught.value.what == f"HAProxy 2.4.1 has no {feature}; it needs {first[0]}.{first[1]}"
    with pytest.raises(Unsupported):
        needs(feature, (first[0], first[1] - 1, 99))


def test_the_features_by_name() -> None:
    assert (FEATURES[haproxy_channel.DYNAMIC_SERVERS], FEATURES[haproxy_channel.RELOAD_VERDICT]) == ((2, 6), (2, 7))
    assert (FEATURES[haproxy_channel.WAIT], FEATURES[haproxy_channel.INIT_STATE]) == ((3, 0), (3, 1))
