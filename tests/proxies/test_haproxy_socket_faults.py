"""A socket that answers as no HAProxy would: always an error within the time, never a wrong success or half an answer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyswitch.errors import NOTHING_CHANGED
from proxyswitch.model import Endpoint, ServerState
from proxyswitch.proxies import haproxy_channel
from proxyswitch.proxies.haproxy_channel import message, shown
from proxyswitch.proxies.haproxy_replies import address_taken
from proxyswitch.proxies.haproxy_socket import Denied, Master, Runtime, SocketError, StillUsed, Unreachable, Verdict
from proxyswitch.system import clock
from tests.proxies.socket_support import Answer, endless, fake, mute, says, trickles

INFO = "Name: HAProxy\nVersion: 2.6.12-1\nPid: 7\nnode: \n\n"
STAT = "# pxname,svname,qcur,scur,stot,status,weight,act,bck,lastchg,type,\napp,one,0,0,5,UP,1,1,0,9,2,\n\n"
STATE = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight"
    " srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state"
    " bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord\n"
    "3 app 1 one 127.0.0.1 2 0 1 1 9 1 0 2 0 0 0 0 - 80 -\n\n"
)
SESSIONS = (
    "0x7f01: proto=tcpv4 src=127.0.0.1:5 fe=web be=app srv=one ts=00 epoch=0 age=2m5s calls=2 rate=0\n"
    "0x7f02: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=0\n\n"
)
LEVEL = "admin\n\n"
PROC = (
    "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"
    "7               master          0 [failed: 0]   0d00h00m01s     2.6.12\n# workers\n"
    "8               worker          0               0d00h00m01s     2.6.12\n# programs\n\n"
)
MOVED = "IP changed from '127.0.0.1' to '127.0.0.9', port changed from '1' to '80' by 'stats socket command'\n\n"
DONE = "\n"
ADDED, DELETED = "New server registered.\n\n", "Server deleted.\n"
REPLIES = [INFO, STAT, STATE, SESSIONS, LEVEL, PROC, MOVED, DONE, ADDED, DELETED, "Success=1\n--\nall is well\n"]

Call = Callable[[Endpoint, float], object]


def runtime(call: Callable[[Runtime], object]) -> Call:
    return lambda endpoint, timeout: call(Runtime(endpoint, timeout=timeout))


NINE = Endpoint("127.0.0.9", 80)
READS: dict[str, tuple[Call, str]] = {
    "info": (runtime(lambda r: r.info()), INFO),
    "version": (runtime(lambda r: r.version()), INFO),
    "level": (runtime(lambda r: r.level()), LEVEL),
    "stats": (runtime(lambda r: r.stats()), STAT),
    "servers": (runtime(lambda r: r.servers()), STATE),
    "servers of one": (runtime(lambda r: r.servers("app")), STATE),
    "text": (runtime(lambda r: r.servers_text()), STATE),
    "sessions": (runtime(lambda r: r.sessions("app", "one")), SESSIONS),
    "processes": (lambda endpoint, timeout: Master(endpoint, timeout=timeout).processes(), PROC),
    "master level": (lambda endpoint, timeout: Master(endpoint, timeout=timeout).level(), LEVEL),
    "worker": (lambda endpoint, timeout: Master(endpoint, timeout=timeout).worker(8).info(), INFO),
}
WRITES: dict[str, tuple[Call, str]] = {
    "state": (runtime(lambda r: r.set_state("app", "one", ServerState.DRAIN)), DONE),
    "weight": (runtime(lambda r: r.set_weight("app", "one", 5)), DONE),
    "address": (runtime(lambda r: r.set_address("app", "one", NINE)), MOVED),
    "cut": (runtime(lambda r: r.shutdown_sessions("app", "one")), DONE),
    "health": (runtime(lambda r: r.enable_health("app", "one")), DONE),
    "agent": (runtime(lambda r: r.enable_agent("app", "one")), DONE),
    "worker's weight": (lambda endpoint, timeout: Master(endpoint, timeout=timeout).current().set_weight("a", "b", 1), DONE),
}
CALLS = {**READS, **WRITES}


def fails(endpoint: Endpoint, call: Call, timeout: float = 10.0) -> SocketError:
    with pytest.raises(SocketError) as caught:
        call(endpoint, timeout)
    assert not isinstance(caught.value, Unreachable)
    assert caught.value.what.startswith(endpoint.path)
    assert caught.value.what.count("\n") == 0
    return caught.value


@pytest.mark.parametrize("name", CALLS)
def test_the_right_reply_is_taken(tmp_path: Path, name: str) -> None:
    """What the other tests spoil is good when it is not spoilt."""
    call, reply = CALLS[name]
    with fake(tmp_path, says(reply)) as endpoint:
        call(endpoint, 10.0)


@pytest.mark.parametrize("name", CALLS)
def test_every_shorter_reply_is_an_error(tmp_path: Path, name: str) -> None:
    call, reply = CALLS[name]
    whole = reply.encode()
    enough = 1 if reply == MOVED else 0  # a message is complete with its first line end
    step = max(1, len(whole) // 60)
    for length in {*range(0, len(whole) - enough, step), len(whole) - 1 - enough}:
        answer.reply = whole[:length]
        with fake(tmp_path, answer) as endpoint:
            fails(endpoint, call)


class Says:
    """A reply that changes between two tries."""

    reply = b""

    def __call__(self, sock: socket.socket, _command: bytes) -> None:
        sock.sendall(self.reply)


answer = Says()


@pytest.mark.parametrize("name", CALLS)
def test_the_reply_of_another_command_is_an_error(tmp_path: Path, name: str) -> None:
    call, right = CALLS[name]
    for reply in REPLIES:
        if reply != right:
            with fake(tmp_path, says(reply)) as endpoint:
                fails(endpoint, call)


GARBAGE = [
    b"\0\xff\xfe\n\n",
    b"\xff" * 5000,
    b"\n\n",
    b" \n",
    b"\n\n\n",
    b"OK\n\n",
    b"\x1b[2J\n\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
]


@pytest.mark.parametrize("reply", GARBAGE)
def test_garbage_is_an_error(tmp_path: Path, reply: bytes) -> None:
    with fake(tmp_path, says(reply)) as endpoint:
        for call, _ in CALLS.values():
            error = fails(endpoint, call)
            assert error.what.isprintable()


@pytest.mark.parametrize("name", READS)
def test_a_fault_of_a_look_changes_nothing(tmp_path: Path, name: str) -> None:
    with fake(tmp_path, says("broken\n")) as endpoint:
        assert fails(endpoint, READS[name][0]).state == NOTHING_CHANGED


@pytest.mark.parametrize("name", WRITES)
def test_a_fault_of_a_change_leaves_it_unknown(tmp_path: Path, name: str) -> None:
    for reply in ("broken\n", "", "No such serv", "No such server."):
        with fake(tmp_path, says(reply)) as endpoint:
            assert "not known whether HAProxy did it" in fails(endpoint, WRITES[name][0]).state


@pytest.mark.parametrize("behaviour", [mute, trickles(b"x", 0.01), trickles(STAT.encode(), 0.01), trickles(b"\n", 0.01)])
def test_slow_or_no_answers_end_with_the_time(tmp_path: Path, behaviour: Answer) -> None:
    for call, _ in CALLS.values():
        with fake(tmp_path, behaviour) as endpoint:
            began = clock.now()
            fails(endpoint, call, 0.05)
            assert clock.now() - began < 5  # the time was 0.05; the rest is for a busy machine


def test_the_time_is_for_all_of_it(tmp_path: Path) -> None:
    """Each byte comes well within the time, and all of them do not."""
    with fake(tmp_path, trickles(b"y", 0.02)) as endpoint:
        runtime = Runtime(endpoint, timeout=0.1)
        with pytest.raises(SocketError, match=r"no complete answer within 0\.1 s"):
            runtime.stats()
        assert 0.1 <= runtime.seconds < 5


def test_closed_at_once(tmp_path: Path) -> None:
    with fake(tmp_path, says(b"")) as endpoint:
        for call, _ in CALLS.values():
            assert "closed without an answer" in fails(endpoint, call).what


def test_an_endless_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy_channel, "LIMIT", 3 << 20)
    with fake(tmp_path, endless) as endpoint:
        for name in ("stats", "text", "weight"):
            assert "longer than 3 MiB" in fails(endpoint, CALLS[name][0]).what


def test_nobody_accepts(tmp_path: Path) -> None:
    """A full queue: the connection itself must not hold us either."""
    path = str(tmp_path / "full.sock")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(path)
        server.listen(0)
        first.connect(path)
        with pytest.raises(Unreachable, match="no connection within"):
            Runtime(Endpoint(path=path), timeout=0.05).info()


def test_added_and_deleted_need_their_sentence(tmp_path: Path) -> None:
    def reply(text: str) -> Answer:
        return lambda sock, command: sock.sendall((INFO if b"show info" in command else text).encode())

    for text in (ADDED, f"a warning about it\n{ADDED}", f"[info]: {ADDED}"):
        with fake(tmp_path, reply(text)) as endpoint:
            Runtime(endpoint).add_server("app", "new", "127.0.0.1:1")
    for text in (
        "",
        "\n",
        "New server regist",
        "New server registered.",
        DELETED,
        f"{ADDED}but no\n",
        "No new server registered.\n",
    ):
        with fake(tmp_path, reply(text)) as endpoint:
            fails(endpoint, lambda e, t: Runtime(e, timeout=t).add_server("app", "new", "127.0.0.1:1"))
    with fake(tmp_path, reply(f"Server app/new is going DOWN for maintenance.\n{DELETED}")) as endpoint:
        Runtime(endpoint).del_server("app", "new")
    for text in ("", "\n", "Server deleted.", ADDED, "Server"):
        with fake(tmp_path, reply(text)) as endpoint:
            fails(endpoint, lambda e, t: Runtime(e, timeout=t).del_server("app", "new"))


def test_a_server_in_use(tmp_path: Path) -> None:
    def reply(sock: socket.socket, command: bytes) -> None:
        sock.sendall(
            INFO.encode() if b"show info" in command else b"Server still has connections attached to it, cannot remove it.\n"
        )

    with fake(tmp_path, reply) as endpoint, pytest.raises(StillUsed) as caught:
        Runtime(endpoint).del_server("app", "new")
    assert caught.value.state == NOTHING_CHANGED


def test_denied_even_where_the_level_is_not_told(tmp_path: Path) -> None:
    with fake(tmp_path, says("Permission denied\n\n")) as endpoint, pytest.raises(Denied, match=r"has `level \?`"):
        Runtime(endpoint).set_weight("app", "one", 1)


RELOADS = [
    (b"", Verdict(None)),
    (b"Success=1\n", Verdict(True)),
    (b"Success=1\n--\n[NOTICE] new worker\nall is well\n", Verdict(True, "[NOTICE] new worker\nall is well")),
    (b"Success=0\n--\n[ALERT] config: no\n", Verdict(False, "[ALERT] config: no")),
    (b"Success=0\n--\nAnother reload is still in progress.\n\n", Verdict(False, "Another reload is still in progress.")),
]


@pytest.mark.parametrize(("reply", "verdict"), RELOADS)
def test_verdicts(tmp_path: Path, reply: bytes, verdict: Verdict) -> None:
    with fake(tmp_path, says(reply)) as endpoint:
        assert Master(endpoint).reload() == verdict


@pytest.mark.parametrize("reply", ["Succ", "Success=1", "Success=2\n", "\n", "ok\n", INFO, PROC, "Unknown command.\n"])
def test_no_verdict(tmp_path: Path, reply: str) -> None:
    with fake(tmp_path, says(reply)) as endpoint:
        fails(endpoint, lambda e, t: Master(e, timeout=t).reload())


def test_a_reload_has_a_time_of_its_own(tmp_path: Path) -> None:
    with fake(tmp_path, trickles(b"x", 0.01)) as endpoint:
        with pytest.raises(SocketError, match=r"no complete answer within 0\.1 s") as caught:
            Master(endpoint, timeout=60).reload(timeout=0.1)
        assert caught.value.state == "it is not known whether HAProxy did it: look with `show proc`"


# sentences of all versions

TAKEN = [
    "IP changed from '127.0.0.1' to '127.0.0.9', port changed from '1' to '80' by 'stats socket command'",
    "IP changed from '127.0.0.1' to '127.0.0.9', no need to change the port by 'stats socket command'",
    "no need to change the addr, port changed from '1' to '80' by 'stats socket command'",
    "no need to change the addr, no need to change the port by 'stats socket command'",
    "no need to change the addr, port changed from '+1' to '80' by 'stats socket command'",
    "IP changed from '127.0.0.1' to '127.0.0.9' by 'stats socket command'",
    "IP changed from '::1' to '127.0.0.9', port changed from '0' to '80'",
    "port changed from '1' to '80' by 'stats socket command'",
    "nothing changed",
]
NOT_TAKEN = [
    "",
    "Invalid addr 'foo' by 'stats socket command'",
    "IP changed from '127.0.0.1' to '127.0.0.8', no need to change the port by 'stats socket command'",
    "no need to change the addr, port changed from '1' to '34463' by 'stats socket command'",
    "no need to change the addr, port changed from '1' to '+80' by 'stats socket command'",
    "IP changed from '127.0.0.1' to '127.0.0.9', problem converting port 'x' to an int by 'stats socket command'",
    "IP changed from '127.0.0.1' to '127.0.0.9', can't change <port> to port map because it is incompatible",
    "IP changed from '127.0.0.1' to '127.0.0.9', port changed from '1' to '80' by 'stats socket command'\nbut no",
    "IP changed from '127.0.0.1' to '127.0.0.90'",
    "IP changed from '127.0.0.1' to '...'",
    "port changed from '1' to '8",
]


@pytest.mark.parametrize("sentence", TAKEN)
def test_an_address_is_taken(sentence: str) -> None:
    assert address_taken("127.0.0.9", 80)(sentence)


@pytest.mark.parametrize("sentence", NOT_TAKEN)
def test_an_address_is_not_taken(sentence: str) -> None:
    assert not address_taken("127.0.0.9", 80)(sentence)


def test_an_address_in_another_spelling() -> None:
    taken = address_taken("::ffff:7f00:9", 80)
    assert taken("IP changed from '::1' to '::ffff:127.0.0.9', no need to change the port")
    assert not taken("IP changed from '::1' to '127.0.0.9', no need to change the port")


def test_what_a_person_sees_of_a_reply() -> None:
    assert shown("No such server.\n\n") == '"No such server."'
    assert shown("\n") == shown("") == "an empty line"
    assert shown("a\nb\x1b[2J\tc") == '"a b [2J c"'
    assert shown("x" * 1000) == '"' + "x" * 200 + '…"'
    assert message("[err]: No such server.\n\n") == "No such server."
    assert message("[3]: No such server.\n\n") == "No such server."
    assert message("[ALERT] [x]: y") == "[ALERT] [x]: y"


def spoilt(reply: str) -> st.SearchStrategy[bytes]:
    """The reply with some bytes replaced, put in or left out."""
    data = reply.encode()
    edits = st.tuples(st.integers(0, len(data)), st.integers(0, 3), st.binary(max_size=3))

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        result = data
        for place, cut, piece in changes:
            result = result[:place] + piece + result[place + cut :]
        return result

    return st.lists(edits, min_size=1, max_size=3).map(apply)


ANY = [(name, st.one_of(spoilt(reply), st.binary(max_size=200))) for name, (_, reply) in CALLS.items()]


@pytest.mark.parametrize(("name", "replies"), ANY)
def test_whatever_comes_is_an_answer_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, replies: st.SearchStrategy[bytes]
) -> None:
    says_that = Says()
    call, reply = CALLS[name]

    @settings(max_examples=60)
    @given(replies)
    def check(data: bytes) -> None:
        says_that.reply = data
        try:
            call(endpoint, 10.0)
        except SocketError:
            return
        except Denied:
            assert data.strip().endswith(b"Permission denied")
            return
        if name in WRITES and reply == DONE:
            assert data == b"\n"

    with fake(tmp_path_factory.mktemp("fuzz"), says_that) as endpoint:
        check()
