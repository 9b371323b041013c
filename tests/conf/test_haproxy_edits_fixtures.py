"""Every edit of every server of every good fixture: HAProxy accepts it, nothing else changes, and it can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from proxyswitch.conf import text
from proxyswitch.conf.haproxy import config as configs
from proxyswitch.conf.haproxy import edits, pools, referee
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.conf.haproxy.servers import ServerLine
from proxyswitch.conf.haproxy.verify import verify
from proxyswitch.conf.text import line_span
from proxyswitch.model import PoolChange, Server, ServerChange
from tests.conf.haproxy_helpers import FOLDER, check, facts_of, good, servers

NEW = Server("127.0.0.9:4999", 7, down=True, params=("check",), name="app-new")
CHANGES: dict[str, Callable[[Server], Server | None]] = {
    "state": lambda s: replace(s, down=not s.down),
    "weight": lambda s: replace(s, weight=33 if s.weight != 33 else 34),
    "address": lambda s: replace(s, address="127.0.0.9:4999"),
    "backup": lambda s: replace(s, backup=not s.backup),
    "all": lambda s: replace(s, address="[::1]:4999", weight=(s.weight + 1) % 257, down=not s.down, backup=not s.backup),
    "remove": lambda _s: None,
}
# another line speaks of the server, or needs it to be there
NEEDED = {
    "agent.cfg": {"app-blue", "app-green"},
    "server-words.cfg": {"checks"},
    "persistence.cfg": {"app-blue", "app-green"},
    "sections.cfg": {"php"},
}
SEVERAL = b'"${FLAGS[*]}"'  # a variable that stands for several words: such a line is left alone


@pytest.fixture(scope="module", params=good())
def config(request: pytest.FixtureRequest, haproxy_binary: str) -> Config:
    return configs.load([str(FOLDER / request.param)], facts_of(haproxy_binary))


def rows(config: Config, kind: str) -> list[tuple[Backend, ServerLine]]:
    """The lines that can be edited in this way."""
    needed = NEEDED.get(config.files[0].rpartition("/")[2], set()) if kind == "remove" else set()
    found = [(b, row) for b in pools.backends(config) for row in b.lines if not row.template]
    found = [(b, row) for b, row in found if SEVERAL not in row.document.data[row.line.start : row.line.end]]
    if kind == "remove":  # a `listen` without a server is no pool any more
        found = [(b, row) for b, row in found if b.kind == "backend" or len(b.lines) > 1]
    return [(b, row) for b, row in found if row.server.name not in needed]


def made(row: ServerLine, kind: str) -> ServerChange:
    return ServerChange(row.server, CHANGES[kind](row.server))


@pytest.mark.parametrize("kind", CHANGES)
def test_haproxy_accepts_the_edit_of_all_servers_at_once(config: Config, kind: str, haproxy_binary: str) -> None:
    (document,) = config.documents
    some = [edit for backend, row in rows(config, kind) for edit in edits.edit(backend, PoolChange("", (made(row, kind),)))]
    after = text.apply(document.data, some)
    assert after != document.data or not rows(config, kind)
    assert check(haproxy_binary, after) == ""


@pytest.mark.parametrize("kind", ["state", "all", "remove"])
def test_an_edit_touches_its_line_and_can_be_taken_back(config: Config, kind: str) -> None:
    data, real = config.documents[0].data, config.documents[0].real
    for backend, row in rows(config, kind):
        change = PoolChange(backend.name, (made(row, kind),))
        after = text.apply(data, edits.edit(backend, change))
        line = line_span(data, row.line.start)
        assert after.startswith(data[: line.start])
        assert after.endswith(data[line.end :])
        assert after.count(b"#") == data.count(b"#")  # comments stay, and nothing that was none becomes one
        changed = verify(config, backend, {real: after}, change)
        referee.check(backend, changed, change)
        again = text.apply(after, edits.edit(changed, change.inverse()))
        (back,) = pools.backends(configs.load(config.files, config.facts, replaced={real: again}), backend.name)
        assert sorted(servers(back), key=str) == sorted(servers(backend), key=str)


def test_haproxy_accepts_a_server_added_to_every_pool(config: Config, haproxy_binary: str) -> None:
    data = config.documents[0].data
    change = ServerChange(None, NEW)
    some = [(b, edits.edit(b, PoolChange(b.name, (change,)))) for b in pools.backends(config)]
    assert check(haproxy_binary, text.apply(data, [e for _, edit in some for e in edit])) == ""
    for backend, edit in some:
        after = text.apply(data, edit)
        changed = verify(config, backend, {config.documents[0].real: after}, PoolChange(backend.name, (change,)))
        referee.check(backend, changed, PoolChange(backend.name, (change,)))
        inverse = PoolChange(backend.name, (change.inverse(),))
        assert text.apply(after, edits.edit(changed, inverse)) == data
