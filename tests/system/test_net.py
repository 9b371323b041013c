from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from tests.system.helpers import python

V6 = socket.has_ipv6 and os.path.exists("/proc/net/tcp6")
needs_v6 = pytest.mark.skipif(not V6, reason="this machine has no IPv6")


@contextlib.contextmanager
def listening(family: int, address: object, *, dual: bool = False) -> Iterator[tuple[socket.socket, int]]:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        sock.bind(address)  # type: ignore[arg-type]  # a tuple or a path, as the family wants
        sock.listen()
        name = sock.getsockname()
        yield sock, 0 if isinstance(name, str) else name[1]


@contextlib.contextmanager
def connected(server: socket.socket, endpoint: Endpoint, times: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(times):
            stack.enter_context(net.connect(endpoint, 10))
            stack.enter_context(server.accept()[0])
        yield


def test_listeners_and_connections_v4() -> None:
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as (server, port):
        endpoint, other = Endpoint("127.0.0.1", port), Endpoint("127.0.0.2", port)
        assert net.listeners(endpoint) == [os.getpid()]
        assert net.is_listening(endpoint)
        assert not net.is_listening(other)
        assert net.connections([endpoint, other]) == {endpoint: 0, other: 0}
        with connected(server, endpoint, 3):
            assert net.connections([endpoint, other]) == {endpoint: 3, other: 0}
    assert not net.is_listening(endpoint)
    assert net.listeners(endpoint) == []


@needs_v6
def test_listeners_and_connections_v6() -> None:
    with listening(socket.AF_INET6, ("::1", 0)) as (server, port):
        endpoint = Endpoint("::1", port)
        assert net.listeners(endpoint) == [os.getpid()]
        assert not net.is_listening(Endpoint("127.0.0.1", port))
        with connected(server, endpoint, 2):
            assert net.connections([endpoint]) == {endpoint: 2}


@needs_v6
def test_an_ipv4_connection_in_an_ipv6_socket_counts() -> None:
    with listening(socket.AF_INET6, ("::", 0), dual=True) as (server, port), contextlib.ExitStack() as stack:
        endpoint = Endpoint("127.0.0.1", port)
        assert net.is_listening(endpoint)
        client = stack.enter_context(socket.socket(socket.AF_INET6))
        client.connect(("::ffff:127.0.0.1", port))
        stack.enter_context(server.accept()[0])
        assert net.connections([endpoint]) == {endpoint: 1}


def test_a_listener_on_all_addresses() -> None:
    with listening(socket.AF_INET, ("0.0.0.0", 0)) as (_, port):
        assert net.is_listening(Endpoint("127.0.0.1", port))
        assert net.is_listening(Endpoint("127.0.0.9", port))
        assert not net.is_listening(Endpoint("::1", port))  # 0.0.0.0 takes no IPv6


def test_listeners_and_connections_unix(tmp_path: Path) -> None:
    endpoint = Endpoint(path=str(tmp_path / "app one.sock"))
    with listening(socket.AF_UNIX, endpoint.path) as (server, _):
        assert net.listeners(endpoint) == [os.getpid()]
        assert net.is_listening(endpoint)
        assert not net.is_listening(Endpoint(path=endpoint.path[:-1]))
        with connected(server, endpoint, 2):
            assert net.connections([endpoint]) == {endpoint: 2}
        assert net.connections([endpoint]) == {endpoint: 0}


def test_a_socket_that_a_child_holds_too_gives_both(tmp_path: Path) -> None:
    holder = (
        "import os, socket, sys\n"
        "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n"
        "pid = os.fork()\n"
        "if pid == 0: sys.stdin.read(); os._exit(0)\n"
        "open(sys.argv[1], 'w').write(f'{s.getsockname()[1]} {pid}')\n"
        "print('ready', flush=True); os.waitpid(pid, 0)\n"
    )
    with python(holder, str(tmp_path / "port")) as child:
        port, worker = map(int, (tmp_path / "port").read_text().split())
        assert sorted(net.listeners(Endpoint("127.0.0.1", port))) == sorted([child.pid, worker])
        assert child.stdin
        child.stdin.close()
        child.wait(30)


def test_a_host_name() -> None:
    assert "127.0.0.1" in net.addresses("localhost")
    assert net.addresses("no.such.host.invalid") == set()
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as (server, port):
        endpoint = Endpoint("localhost", port)
        assert net.is_listening(endpoint)
        with connected(server, Endpoint("127.0.0.1", port), 1):
            assert net.connections([endpoint]) == {endpoint: 1}


def test_nothing_asked_nothing_counted() -> None:
    assert net.connections([]) == {}


def test_a_connect_that_is_refused_leaves_no_socket(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        net.connect(Endpoint(path=str(tmp_path / "none.sock")), 1)
    with pytest.raises(ConnectionRefusedError):
        net.connect(Endpoint("127.0.0.1", net.free_port()), 1)


def test_the_text_tables_say_the_same_as_netlink() -> None:
    """They are the way where a sandbox forbids netlink."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            local = client.getsockname()[:2]
            for state, mine in ((net.LISTEN, server.getsockname()[:2]), (net.ESTABLISHED, local)):
                fast = [row for row in net._tcp_rows(state) if row.local == mine]
                assert fast
                assert fast == [row for row in net._text_rows(state) if row.local == mine]
