"""What a variable in a pass would change, said outright: nginx takes these defaults from the name in the pass.

`Host` and `:authority`, the implicit `proxy_redirect`, the key of the cache and the name for TLS (ngx_http_proxy_pass,
ngx_http_proxy_merge_loc_conf, ngx_http_proxy_create_key, ngx_http_grpc_create_request). Each is said in the location,
and only where nothing is in effect; a line there hides all that are inherited, so those are repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.conf.nginx.adopt_passes import Pass
from proxyswitch.conf.nginx.adopt_tree import Draft, Key, Node, Refused, effective, everything, levels, location_of

HEADERS = {"proxy_pass": "proxy_set_header", "grpc_pass": "grpc_set_header"}
TLS_NAMES = {"proxy_pass": "proxy_ssl_name", "grpc_pass": "grpc_ssl_name", "uwsgi_pass": "uwsgi_ssl_name"}
HOST = re.compile(rb"\$(?:\{proxy_host\}|proxy_host(?![A-Za-z0-9_]))")
# These are evaluated before the request is passed on, when $proxy_host is still empty; what it is does not matter.
BEFORE = frozenset({"set", "if", "return", "rewrite", "log_format", "map", "geo", "split_clients"})
COPIED = ("proxy_", "add_header", "add_trailer", "sub_filter", "fastcgi_param")


def keep(draft: Draft, location: Node, items: list[Pass], ours: frozenset[Key]) -> list[str]:
    """The lines that a location needs, first thing; own lines of the person are edited.

    `items` are its passes to the pool, `ours` all locations that have some. Raises Refused where the meaning cannot be kept.
    """
    out: list[str] = []
    for kind in dict.fromkeys(item.kind for item in items):
        same = [item for item in items if item.kind == kind]
        lines = _kept(draft, location, same[0])
        if lines:
            _refuse_mixed(location, same)
            _refuse_inherited(location, [name for name, rows in lines.items() if rows], ours)
        out += [row for rows in lines.values() for row in rows]
    return out


def _kept(draft: Draft, location: Node, item: Pass) -> dict[str, list[str]]:
    """For each directive that must be said, the lines to add: none where the person's own lines are edited."""
    found = (_headers, _redirect, _cache_key, _tls)
    wanted = {name: lines for look in found for name, lines in look(item, location).items()}
    for name in _with_host(location) if item.kind == "proxy_pass" else ():
        wanted.setdefault(name, [])
    return {name: _at_location(draft, location, name, lines, item) for name, lines in wanted.items()}


def _headers(item: Pass, location: Node) -> dict[str, list[str]]:
    """`Host` is the name in the pass where no line in effect sets it."""
    name = HEADERS.get(item.kind, "")
    if not name or any(node.args[:1] and node.args[0].lower() == "host" for node in effective(location, name)):
        return {}
    return {name: [f"{name} Host {item.host};"]}


def _redirect(item: Pass, location: Node) -> dict[str, list[str]]:
    """The implicit `proxy_redirect default`; the explicit one, which can only stand in the location itself, is replaced."""
    there = effective(location, "proxy_redirect")
    if item.kind != "proxy_pass" or (there and all(node.args != ("default",) for node in there)):
        return {}
    return {"proxy_redirect": [] if there else [redirect(item)]}


def redirect(item: Pass) -> str:
    return f"proxy_redirect {item.url}/ /;"


def _cache_key(item: Pass, location: Node) -> dict[str, list[str]]:
    cache = effective(location, "proxy_cache")
    if item.kind != "proxy_pass" or not cache or cache[-1].args == ("off",) or effective(location, "proxy_cache_key"):
        return {}
    changer = _changes_uri(item)
    if changer:
        raise Refused(
            f"{cache[-1].where}: the cache key of {item.node.where} is nginx's default, which follows the URI that"
            f' "{changer.name}" at {changer.where} may change',
            next_step=f"set it first, in that location: proxy_cache_key {item.url}$request_uri; or as it fits",
        )
    return {"proxy_cache_key": [f"proxy_cache_key {item.url}$request_uri;"]}


def _changes_uri(item: Pass) -> Node | None:
    """A directive by which a request could come here under another URI than the client's."""
    for node in [*item.server.all(), *effective(item.location, "error_page")]:
        if node.name == "rewrite" or "_by_lua" in node.name:
            return node
        target = node.args[-1] if node.name in ("try_files", "error_page") and node.args else ""
        if target.startswith(("/", "$")) and not _leads_elsewhere(item, target):
            return node
    return None


def _leads_elsewhere(item: Pass, target: str) -> bool:
    """True when a location of its own takes that URI, and does not pass it to the pool."""
    exact = [n for n in item.server.children("location") if n.args == ("=", target)]
    return bool(exact) and not any(node.key == item.location.key for node in exact)


def _tls(item: Pass, location: Node) -> dict[str, list[str]]:
    name = TLS_NAMES.get(item.kind, "")
    if not item.secure or not name or effective(location, name):
        return {}
    return {name: [f"{name} {item.host};"]}


def _with_host(location: Node) -> list[str]:
    """The directives in effect that say $proxy_host."""
    names = {node.name for block in levels(location) for node in block.body if HOST.search(node.raw) and not node.is_block}
    found = sorted(names - BEFORE)
    for name in found:
        inherited = [node for node in effective(location, name) if HOST.search(node.raw)]
        if inherited and not name.startswith(COPIED):
            raise Refused(f'{inherited[0].where}: "{name}" says $proxy_host, which would become another name')
    return [name for name in found if any(HOST.search(node.raw) for node in effective(location, name))]


def _at_location(draft: Draft, location: Node, name: str, new: list[str], item: Pass) -> list[str]:
    """The new lines of one directive with those that they would hide; own lines are edited where they stand."""
    there = effective(location, name)
    if not there or there[0].parent is not location:
        return [*(literal(node, item).decode("utf-8", "surrogateescape") for node in there), *new]
    for node in there:
        default = name == "proxy_redirect" and node.args == ("default",)
        draft.replace(node, redirect(item).encode() if default else literal(node, item))
    return new


def literal(node: Node, item: Pass) -> bytes:
    """The directive with the name in the place of $proxy_host."""
    return HOST.sub(item.host.encode(), node.raw)


def _refuse_mixed(location: Node, items: list[Pass]) -> None:
    """Two passes of one location share its headers; what is said for the one would hold for the other."""
    mine = {item.node.key for item in items}
    own = [n for n in location.all() if n.name == items[0].kind and location_of(n) is location]
    other = next((n for n in own if n.key not in mine), None) or next((i.node for i in items if i.url != items[0].url), None)
    if other:
        raise Refused(
            f"{other.where}: this location has another pass at {items[0].node.where}, and the two would need different"
            " settings",
            next_step="give each a location of its own",
        )


def _refuse_inherited(location: Node, names: list[str], ours: frozenset[Key]) -> None:
    """What is said in a location holds for the locations inside it as well, where they say nothing themselves."""
    for inner in location.all():
        if inner.name != "location" or inner is location or inner.key in ours:
            continue
        name = next((name for name in names if _takes(inner, location, name)), "")
        if name:
            raise Refused(
                f"{inner.where}: this location would inherit the {name} that the one around it, at {location.where}, needs",
                next_step=f"set {name} in it, or move it out",
            )


def _takes(inner: Node, location: Node, name: str) -> bool:
    """True when a location that passes requests on would take that directive from one around it."""
    between = [block for block in levels(inner) if location in block.above()]
    passes = any(node.name.endswith("_pass") for node in inner.body)
    return passes and not any(block.children(name) for block in between)


def formats(top: list[Node]) -> Iterator[Node]:
    """Log formats that say $proxy_host. Raises Refused for a map by it."""
    for node in everything(top):
        if node.name == "map" and HOST.search(node.raw):
            raise Refused(f"{node.where}: a map by $proxy_host would find another name than that in the pass")
        if node.name == "log_format" and HOST.search(node.raw):
            yield node
