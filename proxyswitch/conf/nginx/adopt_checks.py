"""What keeps a pool from instant mode: each with its line, the reason, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.conf.nginx import adopt_form, adopt_keep, adopt_uses
from proxyswitch.conf.nginx.adopt_form import Form
from proxyswitch.conf.nginx.adopt_passes import Pass
from proxyswitch.conf.nginx.adopt_tree import Node, Refused, effective, location_of
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.pools import Upstream, shared_with, upstreams
from proxyswitch.conf.text import position
from proxyswitch.model import Problem


def the_pool(config: Config, name: str) -> Upstream:
    """The http upstream of that name. Raises Refused when there is none, or none that can become two."""
    found = [u for u in upstreams(config, name) if u.context == "http"]
    if not found:
        raise _missing(config, name)
    if len(found) > 1:
        raise Refused(f"{found[1].where}: there is another pool {name} at {found[0].where}")
    pool = found[0]
    other = next((line for line in pool.lines if line.document is not pool.document), None)
    if other:
        raise Refused(
            f"{other.server.where}: the pool {name} has server lines in an included file",
            next_step="write them into the upstream block itself",
        )
    shared = shared_with(config, pool)
    if shared:
        raise Refused(f"{pool.where}: the pool {name} shares its lines with {shared.name} at {shared.where}")
    return pool


def _missing(config: Config, name: str) -> Refused:
    if upstreams(config, name):
        where = upstreams(config, name)[0].where
        return Refused(f"{where}: {name} is a pool of stream: nginx has no flag for connections, only for requests of http")
    if upstreams(config, f"{name}_blue") and upstreams(config, f"{name}_green"):
        return Refused(f"{upstreams(config, f'{name}_blue')[0].where}: the pool {name} is in instant mode already")
    names = ", ".join(dict.fromkeys(u.name for u in upstreams(config) if u.context == "http"))
    return Refused(f"there is no pool {name} in {config.main}", next_step=f"the pools are: {names}" if names else "")


def refuse_taken(config: Config, form: Form) -> None:
    """Raise Refused where a name that instant mode needs is in use."""
    for slot in ("blue", "green"):
        for other in upstreams(config, f"{form.pool}_{slot}"):
            if other.context == "http":
                raise Refused(f"{other.where}: there is a pool {other.name} already, and instant mode needs the name")
    pattern = mention(form.variable)
    for document in config.documents.values():
        match = pattern.search(document.data)
        if match:
            line = position(document.data, match.start()).line
            raise Refused(f"{document.path}:{line}: {match[0].decode()} is in use already, and instant mode needs the name")


def mention(variable: str) -> re.Pattern[bytes]:
    """Every variable of one pool in instant mode, as it stands in a config."""
    names = "|".join(adopt_form.VARIABLES)
    return re.compile(rf"\$\{{?{variable}_(?:{names})(?![A-Za-z0-9_])".encode())


def refuse_places(passes: list[Pass]) -> None:
    """Raise Refused for locations that could not be closed, or say something of the pool by its name."""
    for location in {id(item.location): item.location for item in passes}.values():
        for node in location.all():
            if location_of(node) is location and node.name == "limit_except" and not _denies_all(node, location):
                raise Refused(
                    f'{node.where}: nginx tests nothing inside "limit_except": the other methods could not be closed for'
                    " maintenance",
                    next_step='keep nothing but "deny all;" in it, or say it by: if ($request_method …) { return 403; }',
                )
            if location_of(node) is location and node.name in ("health_check", "match"):
                raise Refused(f'{node.where}: "{node.name}" needs a pool by its name, and with a variable there is none')


def _denies_all(node: Node, location: Node) -> bool:
    """True when no request comes through it."""
    lines = [(child.name, child.args) for child in node.body]
    return lines == [("deny", ("all",))] and [n.args for n in effective(location, "satisfy")] != [("any",)]


def warnings(top: list[Node], passes: list[Pass]) -> Iterator[Problem]:
    """What a person should know about."""
    for node in adopt_keep.formats(top):
        if any(item.kind == "proxy_pass" for item in passes):
            yield Problem(f"{node.where}: $proxy_host in this log will be the name of the slot's pool")
    for node in adopt_uses.from_requests(top):
        yield Problem(
            f"{node.where}: {node.name} {node.args[0]} takes its target from a request: if that can be the pool's name, it"
            " will find it no more"
        )
    yield from _caches(passes)


def _caches(passes: list[Pass]) -> Iterator[Problem]:
    seen = set()
    for item in passes:
        cache = effective(item.location, "open_file_cache")
        if cache and cache[0].args[:1] != ("off",) and cache[0].key not in seen:
            seen.add(cache[0].key)
            valid = effective(item.location, "open_file_cache_valid")
            time = valid[0].args[0] if valid else "60s"
            yield Problem(
                f"{cache[0].where}: open_file_cache remembers the flag too: a switch takes up to {time}",
                f"set open_file_cache off in the server at {item.server.where}, or open_file_cache_valid 1s",
            )
