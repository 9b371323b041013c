"""One pool becomes two: the person's block for blue, and a copy for green, each with the other slot as its backup.

`max_fails=0` on all lines: with a backup beside it, one refused connection would put a server out for 10 s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from proxyswitch.conf.nginx import adopt_place
from proxyswitch.conf.nginx.adopt_slots import SLOTS, Slots
from proxyswitch.conf.nginx.adopt_tree import Draft, Node, Refused
from proxyswitch.conf.nginx.pools import ServerLine
from proxyswitch.conf.row import Row
from proxyswitch.conf.text import Edit, Span, apply
from proxyswitch.model import Problem

KEEPALIVE = "keepalive_timeout 2s;"
LONGEST = 5.0
COPIED = frozenset({"keepalive", "keepalive_requests", "keepalive_time", "keepalive_timeout", "least_conn", "least_time"})
NO_BACKUP = frozenset({"hash", "ip_hash", "random"})
TIED = ("resolve", "service=", "route=", "drain")
_TIMES = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
_TIME = re.compile(r"(\d+)(ms|[smhdwMy]|)", re.ASCII)


def check(pool: Node, lines: tuple[ServerLine, ...]) -> None:
    """Raise Refused, with the line, for what two copies would not mean, or nginx would not take beside a backup."""
    for node in pool.body:
        if node.document is not pool.document:
            raise Refused(
                f"{node.where}: the pool {pool.args[0]} gets {node.name!r} from an included file",
                next_step="write it into the upstream block itself",
            )
        if node.name in NO_BACKUP:
            raise Refused(f'{node.where}: nginx takes no backup servers beside "{node.name}", and instant mode needs them')
        if node.name not in COPIED | {"server", "zone"}:
            raise Refused(f'{node.where}: two pools with "{node.name}" would not be what one is')
    for line in lines:
        tied = next((p for p in line.server.params if p.startswith(TIED)), None)
        if tied:
            raise Refused(f'{line.server.where}: a server line with "{tied}" cannot be put in two pools')


def split(draft: Draft, pool: Node, slots: Slots) -> list[Problem]:
    """The edits that make two pools of one. Returns what is not as it was for the person to know."""
    name = pool.args[0]
    document, directive = pool.document, pool.directive
    head = Span(directive.start, directive.words[1][1])
    word = document.data[slice(*directive.words[1])]
    draft.put(pool, head, document.data[head.start : directive.words[1][0]] + _renamed(word, "_blue"))
    for node, edit in _lines(pool, slots):
        draft.put(node, *edit)
    adopt_place.at_bottom(draft, pool, [*_new(slots, "blue"), *_timeout(pool)])
    adopt_place.behind(draft, pool, [f"upstream {name}_green {{", *(f"\t{row}" for row in _green(pool, slots)), "}"])
    return list(_warnings(pool, slots))


def _renamed(word: bytes, end: str) -> bytes:
    """A name with an ending, in the quotes that it has."""
    at = len(word) - (word[:1] in (b'"', b"'"))
    return word[:at] + end.encode() + word[at:]


def _lines(pool: Node, slots: Slots) -> Iterator[tuple[Node, Edit]]:
    """The edits of server lines in the block of blue, and of how long idle connections stay."""
    by_start = _by_start(slots)
    for node in pool.body:
        line = by_start.get(node.directive.start)
        if line:
            yield node, _line(line, slots)
        elif _stays_long(node):
            yield node, Edit(Span(node.directive.start, node.directive.end), KEEPALIVE.encode())


def _by_start(slots: Slots) -> dict[int, ServerLine]:
    return {line.directive.start: line for name in SLOTS for line in slots.slot(name).lines}


def _line(line: ServerLine, slots: Slots) -> Edit:
    """A server line as it is in the pool of blue; what is aligned behind it stays aligned."""
    document, directive = line.document, line.directive
    row = Row(document.data, directive.words[1:], document.text(directive), b";")
    goes = _goes(line, slots, "blue")
    for piece in [p for p in row.pieces[1:] if p.meaning and goes(p.meaning)]:
        piece.cut()
    for word in _comes(line, slots, "blue"):
        row.insert(-2, word.encode())
    start, end = directive.start, max(row.end, directive.end)
    shifted = [Edit(Span(e.span.start - start, e.span.end - start), e.replacement) for e in row.edits()]
    return Edit(Span(start, end), apply(document.data[start:end], shifted))


def _goes(line: ServerLine, slots: Slots, pool: str) -> Callable[[str], bool]:
    """Which words a line loses. `down` and `backup` stay in the slot that serves: in the idle one they say only that."""
    serves = line in slots.slot(slots.active).lines
    stay = {"down"} if serves else set()
    stay |= {"backup"} if "backup" in _words_kept(line, slots, pool) else set()
    gone = {"down", "backup"} - stay
    return lambda word: word in gone or word.startswith("max_fails=")


def _words_kept(line: ServerLine, slots: Slots, pool: str) -> set[str]:
    """`backup`, where the line has it and needs it: in the other slot's pool, or in its own where it serves."""
    serves = line in slots.slot(slots.active).lines
    own = line in slots.slot(pool).lines
    return {"backup"} if line.server.backup and (serves or not own) else set()


def _comes(line: ServerLine, slots: Slots, pool: str) -> list[str]:
    """Which words a line gets."""
    needs = line not in slots.slot(pool).lines and not line.server.backup
    return [*(["backup"] if needs else []), "max_fails=0"]


def _green(pool: Node, slots: Slots) -> Iterator[str]:
    """The lines of the pool of green, in the order of the person's block."""
    by_start = _by_start(slots)
    last = next(reversed(pool.children("server")), None)
    for node in pool.body:
        line = by_start.get(node.directive.start)
        yield _copied(node, line, slots)
        if node is last:
            yield from _new(slots, "green")
    yield from _timeout(pool)


def _copied(node: Node, line: ServerLine | None, slots: Slots) -> str:
    """A directive of the block as the other pool has it."""
    words = [node.document.data[a:b] for a, b in node.directive.words]
    if line:
        goes = _goes(line, slots, "green")
        kept = [word for word, arg in zip(words[2:], node.args[1:], strict=True) if not goes(arg)]
        words = [*words[:2], *kept, *(word.encode() for word in _comes(line, slots, "green"))]
    elif _stays_long(node):
        return KEEPALIVE
    elif node.name == "zone" and len(words) > 2:
        words[1] = _renamed(words[1], "_green")
    return b" ".join(words).decode("utf-8", "surrogateescape") + ";"


def _new(slots: Slots, pool: str) -> list[str]:
    """Lines for addresses that the pool has no line for; what the first live line says beside its address holds for them."""
    model = next(line for line in slots.slot(slots.active).lines if line.server.live)
    params = [arg for arg in model.document.text(model.directive)[1:] if not arg.startswith("max_fails=")]
    return [server_line(address, params, own=slot == pool) for slot in SLOTS for address in slots.slot(slot).new]


def server_line(address: str, params: Iterable[str] = (), *, own: bool) -> str:
    """A server of a pool in instant mode; those of the other slot are its backups."""
    return " ".join(["server", address, *params, *([] if own else ["backup"]), "max_fails=0"]) + ";"


def _timeout(pool: Node) -> list[str]:
    return [] if pool.children("keepalive_timeout") else [KEEPALIVE]


def seconds(text: str) -> float:
    """A time as nginx writes it, `1m30s`, in seconds."""
    return sum(int(number) * _TIMES[unit] for number, unit in _TIME.findall(text))


def _stays_long(node: Node) -> bool:
    return node.name == "keepalive_timeout" and seconds("".join(node.args[:1])) > LONGEST


def _warnings(pool: Node, slots: Slots) -> Iterator[Problem]:
    name = pool.args[0]
    for line in _by_start(slots).values():
        fails = next((p for p in line.server.params if p.startswith("max_fails=") and p != "max_fails=0"), "")
        if fails:
            yield Problem(
                f"{line.server.where}: {fails} of {line.server.address} became max_fails=0:"
                f" {name} tries the other slot where a server fails, and counts no failures"
            )
    for node in filter(_stays_long, pool.body):
        yield Problem(f"{node.where}: {node.name} {node.args[0]} of {name} became 2s: an idle slot is let go of sooner")
