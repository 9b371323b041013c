"""Maintenance of an HAProxy pool: an edit of its section and a reload, and the page, which HAProxy reads as it loads.

The page lies in the state folder under a name made of its text, so that a config which names it never gets another text:
neither while a change is under way, nor after it was taken back.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from proxyswitch.conf.haproxy import gate
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.conf.haproxy.gate import Gate
from proxyswitch.conf.haproxy.pools import Backend, backends
from proxyswitch.conf.text import Edit, apply
from proxyswitch.errors import UsageError
from proxyswitch.model import PoolChange, Problem
from proxyswitch.proxies import haproxy_find, haproxy_process
from proxyswitch.proxies.base import Candidate, Closing, FileChange
from proxyswitch.system import files, state

if TYPE_CHECKING:
    from proxyswitch.proxies.haproxy import Haproxy

RETURN = (2, 2)  # `http-request return` came with it
BUFFER, REWRITE = 16384, 1024  # `tune.bufsize` and `tune.maxrewrite` where the config names none


class Meant(NamedTuple):
    """What a candidate means beside its edit: the page to lay ready, in which file; none where the pool is opened."""

    path: str = ""
    page: bytes = b""


def folder() -> str:
    """Where the pages lie."""
    return str(state.folder() / "maintenance")


def candidate(proxy: Haproxy, name: str, closing: Closing | None) -> Candidate:
    """The edit. Nothing is written. Raises UsageError where the pool cannot be closed, with the reason."""
    if not proxy.found.names:
        raise UsageError(
            f"only the runtime socket is known, and closing {proxy.pool(name).name} takes an edit of HAProxy's config",
            next_step="name the config, with --haproxy-conf",
        )
    backend = proxy.backend(proxy.config(), name)
    if closing is None:
        return _candidate(proxy, backend, None, gate.opening(backend, folder()), Meant())
    _refuse(backend, closing)
    page = closing.page.encode("utf-8", "surrogateescape")
    _refuse_long(proxy.known, page)
    path = os.path.join(folder(), f"{state.key(proxy.conf)}-{files.digest(page)[:16]}.html")
    wanted = Gate(path, closing.retry_after, closing.allow)
    found = _candidate(proxy, backend, wanted, gate.closing(backend, wanted, folder()), Meant(path, page))
    if found.files:
        _refuse_old(proxy)
    return found


def _candidate(proxy: Haproxy, backend: Backend, wanted: Gate | None, edits: list[Edit], meant: Meant) -> Candidate:
    document, config = backend.document, proxy.known
    data = apply(document.data, edits)
    change = [FileChange(document.path, document.real, document.data, data)] if data != document.data else []

    def verify() -> None:
        gate.verify(config, backend, data, wanted, folder())

    return Candidate(backend.pool(), PoolChange(backend.name, ()), tuple(change), verify if change else lambda: None, meant)


# what cannot be done


def _refuse(backend: Backend, closing: Closing) -> None:
    if backend.context != "http":
        raise UsageError(
            f"{backend.name} ({backend.where}) is in mode {backend.context}: there is no status 503, nor a page, in TCP",
            next_step=f"take its servers out: proxyswitch set {backend.name}/SERVER maint --force",
        )
    if not backend.section.head.sure:
        raise UsageError(
            f"{backend.name} ({backend.where}) stands in an .if whose condition is not known here",
            next_step="start HAProxy, or edit the file by hand",
        )
    for document, line, words in _passes(backend):
        if len(words) == 2:  # without a condition
            raise UsageError(
                f"{document}:{line}: `http-request allow` of the defaults lets all pass before {backend.name} is asked",
                next_step="take that line out, or let the pool have other defaults",
            )
    _refuse_networks(closing.allow)


def _passes(backend: Backend) -> Iterator[tuple[str, int, list[str]]]:
    """Rules of its defaults that let clients pass: HAProxy asks them first, and no other then."""
    for document, line in backend.own:
        words = document.text(line) if line.keyword == b"http-request" else []
        if words[1:2] == ["allow"] and line not in backend.section.lines:
            yield document.path, line.number, words


def _refuse_networks(allow: tuple[str, ...]) -> None:
    for text in allow:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise UsageError(f"--allow {text}: expected an address or a network, as 10.0.0.0/8") from None
    if len(allow) > gate.MOST_ALLOWED:
        raise UsageError(
            f"--allow {len(allow)} times: a line of HAProxy has room for {gate.MOST_ALLOWED}",
            next_step="name networks in the place of single addresses",
        )


def _refuse_long(config: Config, page: bytes) -> None:
    """A longer page has no room in HAProxy's buffer beside the header: it would answer 500 without a page."""
    size, rewrite = _tuned(config, "tune.bufsize", BUFFER), _tuned(config, "tune.maxrewrite", REWRITE)
    room = size - min(rewrite, size // 2)
    if len(page) > room:
        raise UsageError(
            f"the page has {len(page)} bytes: HAProxy has room for {room} (`tune.bufsize` less `tune.maxrewrite`)",
            next_step="shorten it; pictures and styles can come from elsewhere",
        )


def _tuned(config: Config, keyword: str, otherwise: int) -> int:
    said = [document.argument(line) for document, line in config.lines(keyword.encode(), b"global")]
    return int(said[-1]) if said and said[-1].isdecimal() else otherwise


def _refuse_old(proxy: Haproxy) -> None:
    build = haproxy_process.version(haproxy_find.binary(proxy.found, proxy.options))
    if build.version < RETURN:
        raise UsageError(
            f"this HAProxy is {build.text}: answering with a page of one's own (`http-request return`) came with 2.2",
            next_step="update HAProxy, or take the pool's servers out with: proxyswitch set",
        )


# the page


def stage(proxy: Haproxy, candidate: Candidate) -> Iterator[Problem]:
    """Lay the page ready, for whoever loads the config from now on. Raises UsageError or Failed where it cannot be."""
    meant: Meant = candidate.wish
    texts = [*(d.data for d in proxy.known.documents), *(f.after for f in candidate.files)]
    if meant.path:
        _lay(meant)
    _forget(state.key(proxy.conf), texts, meant.path)
    backend = proxy.backend(proxy.known, candidate.pool.name)
    for path, line, words in _passes(backend) if meant.path else ():
        yield Problem(f"{path}:{line}: `{' '.join(words)}` of the defaults lets such clients pass before the pool is asked")


def _lay(meant: Meant) -> None:
    """HAProxy may load its config as another user."""
    base = state.sub("maintenance")
    with contextlib.suppress(PermissionError):  # somebody else's folder, who has opened it
        _allow(base.parent, 0o011)
        _allow(base, 0o055)
    if not _is_there(meant):
        files.replace(meant.path, meant.page, 0o644)
        os.chmod(meant.path, 0o644)


def _allow(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode | bits != mode:
        os.chmod(path, mode | bits)


def _is_there(meant: Meant) -> bool:
    try:
        return not meant.path or files.read(meant.path) == meant.page
    except OSError:
        return False


def _forget(key: str, texts: list[bytes], keep: str) -> None:
    """Remove earlier pages of this config that it no longer names. No fault where that cannot be done."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder()):
            unnamed = not any(os.fsencode(name) in text for text in texts)
            if name.startswith(f"{key}-") and unnamed and name != os.path.basename(keep):
                files.remove(os.path.join(folder(), name))


# what is so


def stale(proxy: Haproxy, candidate: Candidate) -> str:
    """Why HAProxy must load the config although it says what is wanted already; empty where it need not."""
    if not _is_there(candidate.wish):
        return f"{candidate.wish.path}: the page is gone, and HAProxy would not load its config again"
    path = proxy.backend(proxy.known, candidate.pool.name).document.path
    return f"{path}: changed after HAProxy last loaded it; reloading" if path in proxy.pending() else ""


def told(config: Config, name: str) -> str:
    """What the config says of the gate in a sentence; empty while the pool is open."""
    if "gates" not in config.cache:
        config.cache["gates"] = {b.name: said for b in backends(config) if (said := gate.told(b, folder()))}
    return str(config.cache["gates"].get(name, ""))
