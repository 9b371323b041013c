"""From what was seen to the apps that are proposed: a pool, its slots, who runs them, and how health is asked. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from proxyswitch.model import Endpoint, Pool, Server
from proxyswitch.proposal import names, runners, secrets, slots
from proxyswitch.proposal.proposed import CHECK, FILL, Key, Proposed, Runner, Table
from proxyswitch.proposal.seen import Asked, ProxySeen, Seen

HTTP = "http://{address}"
TCP = ("stream", "tcp")  # as nginx and HAProxy call what carries no HTTP


def apps(seen: Seen) -> list[Proposed]:
    """An app for each pool; pools with the same servers have one together."""
    taken: set[str] = set()
    found: list[Proposed] = []
    for pool, others in _groups(seen.proxies):
        name = names.app_name(pool, taken)
        taken.add(name)
        found.append(_app(name, pool, others, seen))
    return found


def _groups(proxies: Iterable[ProxySeen]) -> list[tuple[Pool, list[Pool]]]:
    """Each pool that can be switched, with the others that send traffic to the same servers in the same way."""
    groups: dict[object, list[Pool]] = {}
    for pool in (p for proxy in proxies for p in proxy.pools):
        if pool.name and pool.servers and _is_text(pool.name):
            ends = frozenset((s.endpoint or s.address, s.live) for s in pool.servers)
            groups.setdefault((pool.context in TCP, pool.instant, ends), []).append(pool)
    return [(pools[0], pools[1:]) for pools in groups.values()]


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _app(name: str, pool: Pool, others: list[Pool], seen: Seen) -> Proposed:
    servers = _with_endpoint(pool)
    live = [s for s in servers if s.live] or [s for s in servers if s in pool.live]
    if not live:
        return _cannot(name, pool, "none of its servers takes traffic at an address that can be read")
    at = live[0].endpoint or Endpoint()
    runner = runners.find(at, seen)
    slotted = slots.find(pool, servers, live, runner, seen)
    doubt = _doubt(pool, servers, runner, seen) or slotted.doubt
    tables = (
        Table(("apps", name), _head(pool, others, runner, slotted), _title(pool)),
        Table(("apps", name, "slots"), slotted.slots),
        Table(("apps", name, runner.driver), runner.keys),
        _health(name, pool, at, seen),
    )
    return Proposed(name, pool.name, pool.proxy, runner.driver, tables, doubt)


def _with_endpoint(pool: Pool) -> list[Server]:
    """Its servers, each address once; of an instant pool those that are in a slot of their own."""
    found: dict[Endpoint, Server] = {}
    for server in sorted(pool.servers, key=lambda s: not s.live):
        if server.endpoint:
            found.setdefault(server.endpoint, server)
    return list(found.values())


def _cannot(name: str, pool: Pool, doubt: str) -> Proposed:
    """An app whose slots must be filled in."""
    places = (
        Key("blue", "127.0.0.1:3001", FILL + "where the version listens that runs"),
        slots.spare(Endpoint("127.0.0.1", 3002)),
    )
    runner = Runner("process", (Key("command", [secrets.FILL], FILL + "the command that starts it"),), "not known")
    tables = (
        Table(("apps", name), _head(pool, [], runner, slots.Slotted(places)), _title(pool)),
        Table(("apps", name, "slots"), places),
        Table(("apps", name, "process"), runner.keys),
    )
    return Proposed(name, pool.name, pool.proxy, "process", tables, doubt)


def _title(pool: Pool) -> str:
    kind = "upstream" if pool.proxy == "nginx" else "backend"
    return f"the app behind {kind} {pool.name} of {pool.proxy}; its own name is yours to choose"


def _doubt(pool: Pool, servers: list[Server], runner: Runner, seen: Seen) -> str:
    odd = [s.label for s in pool.servers if s.endpoint is None]
    if odd:
        return f"the address of {', '.join(odd)} is in a form that only {pool.proxy} understands"
    far = sorted({s.endpoint.host for s in servers if s.endpoint and s.endpoint.host in seen.remote})
    if far:
        return (
            f"{', '.join(far)} is not this machine, and an app is released where it runs; `proxyswitch switch` needs no app"
        )
    return runner.doubt


# the app's own keys


def _head(pool: Pool, others: list[Pool], runner: Runner, slotted: slots.Slotted) -> tuple[Key, ...]:
    keys = [Key("pool", pool.name, f"the pool that sends its traffic, {pool.where}")]
    keys += [Key("proxy", pool.proxy, "nginx is what is taken without this line")] if pool.proxy != "nginx" else []
    keys.append(Key("driver", runner.driver, f"who starts and stops it: {runner.why}"))
    if others and not runner.in_place:
        more = [p.name if p.proxy == pool.proxy else f"{p.proxy}:{p.name}" for p in others]
        keys.append(Key("more_pools", more, f"they send to the same servers: {', '.join(str(p.where) for p in others)}"))
    keys.append(Key("drain", "60s", "how long a release waits for the requests that the old version still has"))
    keys.append(Key("watch", "3s", "how long the new version must stay healthy with traffic, or it is taken back"))
    if slotted.rolling:
        keys.append(Key("strategy", "rolling", "several servers take traffic at once: one after the other is replaced"))
    elif not runner.in_place:
        keys.append(Key("strategy", "canary", "a small share of the traffic first; without this line all at once", True))
    return tuple(keys)


# health


def _health(name: str, pool: Pool, at: Endpoint, seen: Seen) -> Table:
    path = ("apps", name, "health")
    if pool.context in TCP:
        url = Key("url", "tcp://{address}", "this pool carries TCP: healthy is what accepts connections")
        return Table(path, (url,), "when an instance counts as healthy")
    asked = seen.asked.get(at, ())
    good = next((one for one in asked if one.healthy), None)
    if good is None:
        return Table(
            path, (Key("url", f"{HTTP}/health", FILL + "what answers 200 when all is well"),), _unanswered(asked), True
        )
    keys = [Key("url", f"{HTTP}{good.path}", _answered(at, good))]
    if good.status not in (200, None):
        keys.append(Key("status", good.status, "the status that it answered"))
    keys.append(
        Key("json", {"version": "{version}"}, "where the answer is JSON that tells its version: proves which runs", True)
    )
    return Table(path, tuple(keys), "when an instance counts as healthy")


def _answered(at: Endpoint, good: Asked) -> str:
    text = f"GET {good.path} at {at} answered {good.status}"
    return (
        f"{text}\n{CHECK}a page of the app says little: is there a path that looks at its database?"
        if good.path == "/"
        else text
    )


def _unanswered(asked: Iterable[Asked]) -> str:
    told = "; ".join(f"{one.path}: {one.reason}" for one in asked)
    return f"no path answers well ({told or 'nothing was asked'}); without this a release only waits for the port"
