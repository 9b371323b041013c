"""The plain part of a compose file, read without compose: names of services, their images, and fixed ports. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.proposal.seen import Service

_KEY = re.compile(r"""( *)["']?([\w.-]+)["']?\s*:\s*(.*)""")
_SHORT = re.compile(r"""-\s*["']?(?:[\d.]+:|\[[^\]]*\]:)?(\d+):\d+(?:/tcp)?["']?""")
_LONG = re.compile(r"""(?:-\s*)?published:\s*["']?(\d+)["']?""")


def services(text: str, path: str) -> list[Service]:
    """What is written in another style, or with variables, is left out."""
    return [_service(name, lines, path) for name, lines in _blocks(text)]


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """The lines of each service."""
    lines = [line.rstrip() for line in text.expandtabs().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    start = next((number for number, line in enumerate(lines) if line == "services:"), len(lines))
    name, depth = "", 0
    block: list[str] = []
    for line in lines[start + 1 :]:
        found = _KEY.fullmatch(line)
        if not line.startswith(" "):
            break
        if found and len(found[1]) == (depth or len(found[1])):
            yield from [(name, block)] if name else []
            depth, name, block = len(found[1]), found[2], []
        else:
            block.append(line)
    yield from [(name, block)] if name else []


def _service(name: str, lines: list[str], path: str) -> Service:
    image, ports, key = "", [], ""
    for line in lines:
        found = _KEY.fullmatch(line)
        port = (_SHORT.fullmatch(line.strip()) or _LONG.fullmatch(line.strip())) if key == "ports" else None
        if port:
            ports.append(int(port[1]))
        elif found and found[2] not in ("target", "mode", "protocol", "host_ip", "name", "app_protocol"):
            key = found[2]
            image = found[3].strip("\"'") if key == "image" and "$" not in found[3] else image
    return Service(name, tuple(ports), (path,), image)
