"""After an edit: is the difference of meaning exactly the intended one? Parsed again, by us.

A config of HAProxy is read line by line, so a line with the same bytes in the same section means the same. What must differ
is known, and everything else is compared byte by byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from proxyswitch.conf.haproxy import config as configs
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.conf.haproxy.document import Document
from proxyswitch.conf.haproxy.pools import Backend, backends
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import PoolChange


class UnintendedEdit(ProxyswitchError):
    """An edit would have changed something else than was asked: it is refused, and nothing is written."""


def verify(config: Config, backend: Backend, changed: Mapping[str, bytes], change: PoolChange) -> Backend:
    """The backend after the edit. Raises UnintendedEdit unless `changed` (real path to bytes) makes just `change` of it."""
    documents = {d.path: d.data for d in config.documents}
    after = configs.load(config.files, config.facts, documents.__getitem__, changed)
    found = backends(after, backend.name)
    if len(found) != 1:
        raise UnintendedEdit(f"the edit would have lost the pool {backend.name}")
    if Counter(row.server for row in found[0].lines) != change.result(row.server for row in backend.lines):
        raise UnintendedEdit(f"the edit would have given the pool {backend.name} other servers than intended")
    if (found[0].context, found[0].balancer) != (backend.context, backend.balancer):
        raise UnintendedEdit(f"the edit would have changed how {backend.name} works")
    for old, new in zip(config.documents, after.documents, strict=True):
        if _rest(old, backend) != _rest(new, found[0]):
            raise UnintendedEdit(f"the edit would have changed more than the pool {backend.name} in {old.path}")
    return found[0]


def _rest(document: Document, backend: Backend) -> list[tuple[bytes, bool]]:
    """Every line that says something, in its section, but for that pool's server lines. Comments may move."""
    skip = {row.line.start for row in backend.lines if row.document is document}
    data = document.data
    return [
        (data[line.start : line.end], line.sure)
        for section in document.sections
        for line in (section.head, *section.lines)
        if line.start not in skip
    ]
