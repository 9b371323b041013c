"""A pool of a person's nginx config into instant mode: two upstreams, and a flag on disk that says which of them serves.

Pure: it reads a parsed config and returns edits. Nothing that a client or the app sees changes, but for what the warnings
say; where that cannot be had it is refused, with the line. `undo` (adopt_undo.py) is the way back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from proxyswitch.conf.nginx import (
    adopt_checks,
    adopt_form,
    adopt_keep,
    adopt_log,
    adopt_passes,
    adopt_place,
    adopt_shared,
    adopt_slots,
    adopt_upstream,
    adopt_uses,
)
from proxyswitch.conf.nginx.adopt_form import Form
from proxyswitch.conf.nginx.adopt_passes import Pass
from proxyswitch.conf.nginx.adopt_tree import Draft, Key, Node, Refused, effective, everything, expand, location_of
from proxyswitch.conf.nginx.adopt_undo import record_of, undo
from proxyswitch.conf.nginx.adopt_verify import verify
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.edits import FileEdit
from proxyswitch.conf.text import Span
from proxyswitch.model import Problem

__all__ = ["Adoption", "Refused", "Wish", "adopt", "undo", "verify"]

ACCESS = frozenset({"allow", "deny", "satisfy", "auth_basic", "auth_request", "auth_jwt", "auth_digest", "auth_pam"})


class Wish(NamedTuple):
    """What a person asks for.

    `blue` and `green` are addresses, `flags` the absolute flag folder of this pool, `sticky` one of `cookie:NAME`,
    `header:NAME`, `variable:NAME` or empty for the client's address, `log` the path of a log of tries or empty, and
    `default_log` where nginx writes its access log when none is set.
    """

    pool: str
    blue: tuple[str, ...]
    green: tuple[str, ...]
    flags: str
    sticky: str = ""
    log: str = ""
    default_log: str = ""


class Adoption(NamedTuple):
    """What is to be done. `active` is the slot that serves now, `record` what `undo` needs, as JSON can hold it."""

    edits: tuple[FileEdit, ...]
    active: str
    warnings: tuple[Problem, ...]
    record: list[dict[str, Any]]


def adopt(config: Config, wish: Wish) -> Adoption:
    """The edits that bring the pool into instant mode. Raises Refused with file, line and the reason."""
    form = adopt_form.form(wish.pool, wish.flags, wish.sticky, wish.log)
    upstream = adopt_checks.the_pool(config, wish.pool)
    adopt_checks.refuse_taken(config, form)
    top = expand(config)
    pool = next(n for n in everything(top) if n.key == (upstream.document.real, upstream.directive.start))
    adopt_upstream.check(pool, upstream.lines)
    slots = adopt_slots.slots(upstream, wish.blue, wish.green)
    passes = adopt_passes.passes(top, wish.pool)
    adopt_uses.refuse_others(top, wish.pool)
    adopt_checks.refuse_places(passes)
    plain = _rewritten(passes)
    form = form._replace(raw=any(item.kind == "proxy_pass" and item.node.key not in plain for item in passes))
    draft = Draft()
    warned = [*adopt_upstream.split(draft, pool, slots), *adopt_checks.warnings(top, passes)]
    warned += _locations(draft, form, passes, plain, wish.default_log)
    _servers(draft, form, passes)
    adopt_shared.add(draft, top, pool, form)
    draft.settle(top)
    record = record_of(wish.pool, draft.files(shared=False))
    return Adoption(draft.files(), slots.active, tuple(dict.fromkeys(warned)), record)


def _rewritten(passes: list[Pass]) -> frozenset[Key]:
    """The passes in locations that rewrite the URI themselves: theirs is not the client's to keep."""
    return frozenset(item.node.key for item in passes if any(_rewrites(node, item.location) for node in item.location.all()))


def _rewrites(node: Node, location: Node) -> bool:
    return (node.name == "rewrite" or "_by_lua" in node.name) and location_of(node) is location


def _locations(draft: Draft, form: Form, passes: list[Pass], plain: frozenset[Key], default_log: str) -> list[Problem]:
    """The gate, the pass, and what keeps the meaning, in each location."""
    by_location: dict[int, list[Pass]] = {}
    for item in passes:
        by_location.setdefault(id(item.location), []).append(item)
        _pass(draft, form, item, raw=item.node.key not in plain)
    ours = frozenset(item.location.key for item in passes)
    warned: list[Problem] = []
    for items in by_location.values():
        location = items[0].location
        kept = adopt_keep.keep(draft, location, items, ours)
        logs = adopt_log.lines(draft, location, form, default_log)
        adopt_place.at_top(draft, location, [form.gate_test, *kept, *logs])
        warned += adopt_log.warnings(location, form)
    return warned


def _pass(draft: Draft, form: Form, item: Pass, *, raw: bool) -> None:
    """The variable in the place of the name; with `raw`, what stands for the client's own spelling of the URI behind it."""
    node, (start, end) = item.node, item.node.directive.words[1]
    data, span = node.document.data, Span(node.directive.start, node.directive.end)
    scheme = f"{item.scheme}://" if item.scheme else ""
    quote = data[start : start + 1].decode() if data[start : start + 1] in (b'"', b"'") else ""
    goes = adopt_form.pass_word(form._replace(raw=raw and item.kind == "proxy_pass"))
    word = f"{quote}{scheme}{goes}{quote}".encode()
    draft.put(node, span, data[span.start : start] + word + data[end : span.end])


def _servers(draft: Draft, form: Form, passes: Iterable[Pass]) -> None:
    """The flag at the top of each server block, behind those of other pools, and the gate at its end."""
    for server in {id(item.server): item.server for item in passes}.values():
        closed = any(effective(server, name) for name in ACCESS)
        lines = adopt_form.server_top(form)
        first = next(node for node in server.body if not adopt_form.is_top(node.name, node.args))
        if first is server.body[0] or first.document is not server.document:
            adopt_place.at_top(draft, server, lines)
        else:
            adopt_place.before(draft, server, lines, at=first.directive)
        adopt_place.at_bottom(draft, server, adopt_form.gate(form, adopt_form.EVERYBODY if closed else ()))
