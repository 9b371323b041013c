"""A `server` line: what of it we read, and what we keep as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from proxyswitch.conf.haproxy.document import Document, Line
from proxyswitch.model import Server, Where

# Server keywords that take one argument (configuration manual, section 5.2, 2.0 to 3.2): a value may read like a keyword.
_ONE_ARGUMENT = (
    "addr agent-addr agent-inter agent-port agent-send alpn ca-file check-alpn check-proto check-sni check-sni-auto ciphers"
    " ciphersuites client-sigalgs cookie crl-file crt curves downinter ech error-limit fall fastinter guid hash-key id"
    " idle-ping init-addr init-state inter log-bufsize log-proto max-reuse maxconn maxqueue minconn namespace npn observe"
    " on-error on-marked-down on-marked-up pool-conn-name pool-low-conn pool-max-conn pool-purge-delay port proto"
    " proxy-v2-options redir resolve-net resolve-opts resolve-prefer resolvers rise set-proxy-v2-tlv-fmt shard sigalgs"
    " slowstart sni socks4 source ssl-max-ver ssl-min-ver tcp-md5sig tcp-ut track usesrc interface verify verifyhost weight"
    " ws"
)
ONE_ARGUMENT = frozenset(_ONE_ARGUMENT.split())
_TEMPLATE = re.compile(r"(?:(\d+)-)?(\d+)\Z", re.ASCII)
MAX_TEMPLATES = 10_000


class Defaults(NamedTuple):
    """What `default-server` lines before a server line say."""

    weight: int = 1
    down: bool = False
    backup: bool = False
    params: tuple[str, ...] = ()


class ServerLine(NamedTuple):
    """A server line, or a template of several: where it stands, what it says, and what it would say by default."""

    document: Document
    line: Line
    server: Server
    defaults: Defaults
    template: bool = False

    @property
    def agent(self) -> bool:
        """True when an agent of the server may change its state and weight."""
        return self._last("agent-check", "no-agent-check") == "agent-check"

    @property
    def cuts(self) -> bool:
        """True when maintenance would end the sessions of the server: `on-marked-down shutdown-sessions`."""
        said = [g[-1] for g in self._keywords() if g[0] == "on-marked-down"]
        return said[-1:] == ["shutdown-sessions"]

    def _last(self, *names: str) -> str:
        return next((g[0] for g in reversed(self._keywords()) if g[0] in names), "")

    def _keywords(self) -> list[list[str]]:
        """What holds for the server: by default, then by its own line."""
        return list(grouped([*self.defaults.params, *self.server.params]))


class Keywords(NamedTuple):
    """The keywords of a line, taken apart; None where it does not say."""

    weight: int | None
    down: bool | None
    backup: bool | None
    params: tuple[str, ...]


NONE = Keywords(None, None, None, ())


def grouped(words: list[str]) -> Iterator[list[str]]:
    """The keywords with their arguments."""
    at = 0
    while at < len(words):
        size = 2 if words[at] in ONE_ARGUMENT else 1
        yield words[at : at + size]
        at += size


def keywords(words: list[str]) -> Keywords:
    """Read the keywords behind the address."""
    weight: int | None = None
    down: bool | None = None
    backup: bool | None = None
    params: list[str] = []
    at, count = 0, len(words)
    while at < count:
        word = words[at]
        if word == "weight":
            weight = _number(words[at + 1]) if at + 1 < count else 0
            at += 2
            continue
        if word in ("disabled", "enabled"):
            down = word == "disabled"
        elif word in ("backup", "no-backup"):
            backup = word == "backup"
        else:
            params.append(word)
            if word in ONE_ARGUMENT and at + 1 < count:
                at += 1
                params.append(words[at])
        at += 1
    return Keywords(weight, down, backup, tuple(params))


def _number(text: str) -> int:
    """A number as HAProxy reads it (`atol`): what follows the digits does not count, and no digits are 0."""
    found = re.match(r"\s*\+?\d+", text, re.ASCII)
    return int(found[0]) if found else 0


def merged(defaults: Defaults, words: list[str]) -> Defaults:
    """The defaults after one more `default-server` line."""
    said = keywords(words)
    return Defaults(
        defaults.weight if said.weight is None else said.weight,
        defaults.down if said.down is None else said.down,
        defaults.backup if said.backup is None else said.backup,
        defaults.params + said.params,
    )


def server_lines(document: Document, line: Line, defaults: Defaults) -> Iterable[ServerLine]:
    """The server of a `server` line; all servers of a `server-template` line."""
    if line.keyword == b"server-template":
        return _templates(document, line, defaults)
    if line.plain:
        name, address, rest = _plain(document.data[line.start : line.end])
    else:
        _, name, address, *words = [*document.text(line), "", ""]
        rest = keywords(words[:-2])
    if not address:
        return ()
    return (ServerLine(document, line, server_of(name, address, rest, defaults, document.where(line)), defaults),)


def _plain(text: bytes) -> tuple[str, str, Keywords]:
    """Name, address and keywords of a line without quotes; '' for what is missing."""
    _, name, address, *rest = [*text.partition(b"#")[0].split(None, 3), b"", b""][:4]
    said = _keywords(rest[0]) if rest else NONE
    return name.decode("utf-8", "surrogateescape"), address.decode("utf-8", "surrogateescape"), said


@lru_cache(maxsize=10_000)
def _keywords(text: bytes) -> Keywords:
    """The same words stand behind many servers."""
    return keywords([w.decode("utf-8", "surrogateescape") for w in text.split()])


def server_of(name: str, address: str, said: Keywords, defaults: Defaults, where: Where | None = None) -> Server:
    """What a line says, and what it leaves to the defaults."""
    return Server(
        address,
        defaults.weight if said.weight is None else said.weight,
        defaults.down if said.down is None else said.down,
        defaults.backup if said.backup is None else said.backup,
        said.params,
        name,
        where,
    )


def _templates(document: Document, line: Line, defaults: Defaults) -> Iterator[ServerLine]:
    _, prefix, numbers, address, *words = [*document.text(line), "", "", ""]
    if address:
        said, where = keywords(words[:-3]), document.where(line)
        for number in _numbers(numbers):
            server = server_of(f"{prefix}{number}", address, said, defaults, where)
            yield ServerLine(document, line, server, defaults, template=True)


def _numbers(text: str) -> range:
    """The numbers of a template: `3` is 1 to 3, `5-7` is 5 to 7."""
    found = _TEMPLATE.match(text)
    if not found:
        return range(0)
    first, last = int(found[1] or 1), int(found[2])
    return range(first, min(last, first + MAX_TEMPLATES) + 1)
