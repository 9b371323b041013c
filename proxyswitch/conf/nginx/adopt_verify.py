"""After an adoption: does the config say what was meant, and all that it said before? Two readers judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from proxyswitch.conf.nginx import adopt_form, adopt_keep, adopt_passes, adopt_shared, adopt_slots, adopt_tree
from proxyswitch.conf.nginx.adopt_form import LOG_FORMAT, Form
from proxyswitch.conf.nginx.adopt_shared import meaning
from proxyswitch.conf.nginx.adopt_tree import Node, everything, expand, in_stream
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.pools import Upstream, upstreams
from proxyswitch.conf.nginx.tree import Directive, Document, parse
from proxyswitch.conf.nginx.verify import UnintendedEdit
from proxyswitch.model import Endpoint

if TYPE_CHECKING:
    from proxyswitch.conf.nginx.adopt import Wish

KEPT = frozenset(
    {
        *("proxy_set_header", "grpc_set_header", "proxy_redirect", "proxy_cache_key", "access_log"),
        *("proxy_ssl_name", "grpc_ssl_name", "uwsgi_ssl_name"),
    }
)


def verify(config: Config, after: Config, wish: Wish) -> None:
    """Raise UnintendedEdit unless `after` is `config` with that pool in instant mode, and nothing else."""
    form = adopt_form.form(wish.pool, wish.flags, wish.sticky, wish.log)
    if config.documents.keys() != after.documents.keys():
        raise UnintendedEdit("the edit would have changed which files are included")
    for real, document in config.documents.items():
        other = after.documents[real]
        if other.data != document.data:
            _Comparison(document, other, form).run()
            _second_reader(document, other)
    _refuse_wrong_pools(config, after, wish)
    _refuse_open_places(after, form)


def _second_reader(before: Document, after: Document) -> None:
    """crossplane reads the new text as we do, where it reads the old one so."""
    from proxyswitch.conf import referee

    if referee.same(before) and referee.same(after) is False:
        raise UnintendedEdit(f"{after.path}: the second reader, crossplane, does not read the new lines as they are meant")


class _Comparison:
    """One file before and after: every directive is there still, or became what it had to become."""

    def __init__(self, before: Document, after: Document, form: Form) -> None:
        self.before = before
        self.after = after
        self.form = form
        self.brought = list(_brought(form))

    def run(self) -> None:
        self.blocks(self.before.directives, self.after.directives)

    def blocks(self, old: list[Directive], new: list[Directive]) -> None:
        """The directives of one block: all old ones in their order, and between them only new ones of ours."""
        left = list(new)
        for directive in old:
            while left and not self.follows(directive, left[0]):
                self.must_be_ours(left.pop(0))
            if not left:
                raise self.lost(directive)
            other = left.pop(0)
            self.blocks(directive.body or [], other.body or [])
        for extra in left:
            self.must_be_ours(extra)

    def follows(self, old: Directive, new: Directive) -> bool:
        """True when `new` is what became of `old`."""
        if old.name != new.name or (old.body is None) != (new.body is None):
            return False
        was, now = self.before.text(old), self.after.text(new)
        return was == now or self.became(old, was, now)

    def became(self, old: Directive, was: list[str], now: list[str]) -> bool:
        name, pool = old.name.decode("utf-8", "replace"), self.form.pool
        if name == "upstream":
            return was == [pool] and now == [f"{pool}_blue"]
        if name in adopt_passes.SCHEMES:
            return self.is_pass(was[0], now[0])
        if old.parent and old.parent.name == b"upstream" and self.before.text(old.parent) == [pool]:
            return name == "keepalive_timeout" or (name == "server" and was[0] == now[0])
        if name == "access_log" and was == ["off"]:
            return now[:2] == [self.form.log, LOG_FORMAT]
        return (name == "proxy_redirect" and was == ["default"]) or self.is_literal(was, now)

    def is_pass(self, was: str, now: str) -> bool:
        scheme, mark, host = was.rpartition("://")
        variable = f"{scheme}{mark}${self.form.variable}_slot"
        return host.lower() == self.form.pool.lower() and now in (variable, f"{variable}${self.form.variable}_raw")

    def is_literal(self, was: list[str], now: list[str]) -> bool:
        """$proxy_host became the name that it was."""
        plain = [word.replace("${proxy_host}", "\0").replace("$proxy_host", "\0") for word in was]
        return plain != was and [w.replace("\0", self.form.pool).lower() for w in plain] == [w.lower() for w in now]

    def must_be_ours(self, new: Directive) -> None:
        name, words = new.name.decode("utf-8", "replace"), self.after.text(new)
        if not self.is_ours(new, name):
            raise UnintendedEdit(f'{self.after.where(new)}: the edit would have brought "{name} {" ".join(words)}"')

    def is_ours(self, new: Directive, name: str) -> bool:
        """True for a directive that instant mode brings."""
        inside = new.parent.name.decode("utf-8", "replace") if new.parent else ""
        if name == "upstream":
            return self.after.text(new) == [f"{self.form.pool}_green"]
        if inside == "upstream":
            return name in ("server", "keepalive_timeout")
        return meaning(self.after, new) in self.brought or (inside == "location" and _is_kept(name))

    def lost(self, old: Directive) -> UnintendedEdit:
        name = old.name.decode("utf-8", "replace")
        return UnintendedEdit(f'{self.before.where(old)}: the edit would have lost "{name}"')


def _brought(form: Form) -> Iterator[list[list[bytes]]]:
    """The meaning of each directive that instant mode may bring, word for word."""
    shared = [line for piece in (adopt_shared.BUCKETS, adopt_shared.URI, adopt_shared.LOG) for line in piece.lines]
    for raw in (True, False):
        wanted = form._replace(raw=raw)
        own = [*adopt_form.own_buckets(form), *adopt_form.server_top(wanted), form.gate_test]
        gates = [line for access in ((), adopt_form.EVERYBODY) for line in adopt_form.gate(wanted, access)]
        document = parse("\n".join([*shared, *own, *gates]).encode())
        yield from (meaning(document, directive) for directive in document.directives)


def _is_kept(name: str) -> bool:
    """True for what a location may have to say outright."""
    return name in KEPT or (name.startswith(adopt_keep.COPIED) and not name.endswith("_pass"))


def _refuse_wrong_pools(config: Config, after: Config, wish: Wish) -> None:
    """Each of the two pools has its slot's servers, the other slot's as backup, and no server counts failures."""
    plain = next(u for u in upstreams(config, wish.pool) if u.context == "http")
    slots = adopt_slots.slots(plain, wish.blue, wish.green)
    for name in adopt_slots.SLOTS:
        found = [u for u in upstreams(after, f"{wish.pool}_{name}") if u.context == "http"]
        if len(found) != 1 or not _has_slot(found[0], slots, name):
            raise UnintendedEdit(f"the pool {wish.pool}_{name} would not have the servers of its slot")
    if _settings(after, f"{wish.pool}_blue") != _settings(after, f"{wish.pool}_green"):
        raise UnintendedEdit(f"the two pools of {wish.pool} would have different settings")
    if any(u.context == "http" for u in upstreams(after, wish.pool)):
        raise UnintendedEdit(f"the pool {wish.pool} would still be there")


def _has_slot(upstream: Upstream, slots: adopt_slots.Slots, name: str) -> bool:
    own = _endpoints(slots.slot(name))
    other = _endpoints(slots.slot("blue" if name == "green" else "green"))
    servers = [line.server for line in upstream.lines]
    live = {s.endpoint for s in servers if not s.backup}
    backup = {s.endpoint for s in servers if s.backup}
    careless = all("max_fails=0" in server.params for server in servers)
    return careless and live <= own and bool(live) and other <= backup and live | backup == own | other


def _settings(config: Config, name: str) -> list[list[list[bytes]]]:
    """What a pool says beside its servers; of a zone only the size, for each has one of its own."""
    pool = next(u for u in upstreams(config, name) if u.context == "http")
    rows = [meaning(pool.document, d) for d in pool.directive.body or () if d.name != b"server"]
    return sorted([[row[0][0], *row[0][2:]]] if row[0][0] == b"zone" else row for row in rows)


def _endpoints(slot: adopt_slots.Slot) -> set[Endpoint | None]:
    return {line.server.endpoint for line in slot.lines} | {Endpoint.parse(address) for address in slot.new}


def _refuse_open_places(after: Config, form: Form) -> None:
    """Every pass goes by the variable, from a location with a gate, in a server block that asks for the flag."""
    top = expand(after)
    variable = f"${form.variable}_slot"
    for node in everything(top):
        if in_stream(node) or node.name not in adopt_passes.SCHEMES or node.is_block:
            continue
        if variable in node.args[0]:
            _refuse_open(node, form)
        elif adopt_passes.passes_to(node, form.pool):
            raise UnintendedEdit(f"{node.where}: this pass would still name {form.pool}")


def _refuse_open(node: Node, form: Form) -> None:
    location, server = adopt_tree.location_of(node), adopt_tree.server_of(node)
    gate = f"{form.flags}/gate/${form.variable}_gate)"
    flag = f"{form.flags}/green/${form.bucket})"
    if not location or not _tests(location.body[:1], gate):
        raise UnintendedEdit(f"{node.where}: the location would have no gate")
    if not server or not _tests(server.children("if"), flag):
        raise UnintendedEdit(f"{node.where}: the server block would not ask for the flag")
    gates = {child.args[-1] for child in server.children("location") if child.args}
    if not {f"/.proxyswitch/{form.pool}{end}" for end in ("/", ".html", ".check")} <= gates:
        raise UnintendedEdit(f"{server.where}: the server block would have no place to keep requests in")


def _tests(nodes: list[Node], path: str) -> bool:
    return any(node.name == "if" and node.args == ("(-e", path) for node in nodes)
