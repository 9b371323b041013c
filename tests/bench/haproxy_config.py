"""HAProxy configs of any size, with lines as people write them."""

from __future__ import annotations

from collections.abc import Iterator

HEAD = """\
global
    log /dev/log local0
    stats socket /run/haproxy/admin.sock mode 660 level admin
    maxconn 20000

defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 5s
    timeout client 50s
    timeout server 50s
    default-server inter 2s fall 3 rise 2

frontend www
    bind 127.0.0.1:8080
"""
BACKEND = """
# {name}: the instances of one site
backend {name}
    balance leastconn
    option httpchk GET /health
    http-check expect status 200
    http-request set-header X-Backend "{name} # of many"
"""


def big(backends: int, servers: int) -> bytes:
    """A config that HAProxy accepts: so many backends, `site-0` …, and `servers` servers in all, spread evenly.

    Every second server of a backend is disabled, as the other slot of a pair; some have weights, comments, IPv6 addresses.
    """
    names = [f"site-{number}" for number in range(backends)]
    rules = (f"    use_backend {name} if {{ req.hdr(host) -i {name}.example.com }}\n" for name in names)
    parts = [HEAD, *rules, f"    default_backend {names[0]}\n"]
    for number, name in enumerate(names):
        count = servers // backends + (number < servers % backends)
        parts += [BACKEND.format(name=name), *_servers(number, count)]
    return "".join(parts).encode()


def _servers(backend: int, count: int) -> Iterator[str]:
    for i in range(count):
        colour, number = ("blue", "green")[i % 2], backend * 1000 + i
        high, low = number >> 16 & 255, number & 0xFFFF
        address = f"[fd00::{high:x}:{low:x}]" if i % 10 == 8 else f"10.{high}.{low >> 8}.{low & 255}"
        words = " check weight 100" if i % 3 == 0 else " check maxconn 200 slowstart 10s"
        end = " disabled" if colour == "green" else f" cookie c{i}" if i % 4 == 0 else "  # serves"
        yield f"    server app-{colour}-{i // 2} {address}:{3001 + i}{words}{end}\n"
