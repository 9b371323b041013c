"""What is fixed: the edits of findings, made in rounds until none is left. It writes nothing."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from proxyswitch.conf.nginx.chain import HERE, Names
from proxyswitch.conf.text import Edit, apply
from proxyswitch.errors import ConfigError
from proxyswitch.lint import run
from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.options import Options

ROUNDS = 5


class Change(NamedTuple):
    """A file that would become another. `real` is its name with all links resolved."""

    path: str
    real: str
    before: bytes
    after: bytes


class Fixed(NamedTuple):
    """What is still found when all is made, which files change, and how many findings that ends."""

    left: list[Finding]
    changes: tuple[Change, ...]
    mended: int


@dataclass
class _Texts:
    """The files as they were read, and as they will be; both by their real path."""

    names: Names
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        real = self.names.real(name)
        if real not in self.before:
            self.before[real] = self.names.read(name)
        return self.after.get(real, self.before[real])

    def of(self, source: Source) -> Source:
        real = self.names.real(source.path)
        self.before.setdefault(real, source.data)
        return source._replace(data=self.after.get(real, source.data))


def fix(sources: Sequence[Source], kind: str, options: Options, names: Names = HERE) -> Fixed:
    """Fix files of a kind. Raises ConfigError when one cannot be read as that kind, or could not be any more."""
    texts = _Texts(names)
    overlay = names._replace(read=texts.read)
    shown: dict[str, str] = {}
    mended = 0
    for _ in range(ROUNDS):
        found = run([texts.of(source) for source in sources], kind, options, overlay)
        chosen = _chosen(found)
        for path, edits in chosen.items():
            shown.setdefault(names.real(path), path)
            texts.after[names.real(path)] = apply(texts.read(path), edits.all)
            mended += edits.fixes
        if not chosen:
            break
    else:
        found = run([texts.of(source) for source in sources], kind, options, overlay)
    changes = tuple(Change(path, real, texts.before[real], texts.after[real]) for real, path in shown.items())
    for change in changes:
        _check(change, kind, options)
    return Fixed(found, changes, mended)


@dataclass(slots=True)
class _Edits:
    """Edits of one file that meet none of each other, in their order; and how many fixes they are."""

    all: list[Edit] = field(default_factory=list)
    fixes: int = 0


def _chosen(found: Iterable[Finding]) -> dict[str, _Edits]:
    """The edits of each file that can be made at once. Of two fixes that touch each other the second waits for the next
    round."""
    chosen: dict[str, _Edits] = {}
    for finding in found:
        edits = chosen.setdefault(finding.path, _Edits())
        if finding.fixes and not any(_touches(edits.all, edit) for edit in finding.fixes):
            edits.fixes += 1
            for edit in finding.fixes:
                insort(edits.all, edit)
    return {path: edits for path, edits in chosen.items() if edits.fixes}


def _touches(edits: list[Edit], new: Edit) -> bool:
    """Whether an edit meets one of those, which are in order and meet none of each other."""
    at = bisect_left(edits, new)
    near = edits[max(at - 1, 0) : at + 1]
    return any(new.span.start <= other.span.end and other.span.start <= new.span.end for other in near)


def _check(change: Change, kind: str, options: Options) -> None:
    """Raise ConfigError for a fix that made a file unreadable."""
    if _reads(kind, change.path, change.before, options) and not _reads(kind, change.path, change.after, options):
        raise ConfigError("with its fixes this file could not be read any more: nothing was fixed", path=change.path)


def _reads(kind: str, path: str, data: bytes, options: Options) -> bool:
    try:
        PARSERS[kind](path, data, options)
    except ConfigError:
        return False
    return True


def _haproxy(path: str, data: bytes, _options: Options) -> None:
    from proxyswitch.conf.haproxy.document import parse

    parse(data, path)


def _nginx(path: str, data: bytes, _options: Options) -> None:
    from proxyswitch.conf.nginx.tree import parse

    parse(data, path)


def _settings(path: str, data: bytes, _options: Options) -> None:
    import tomllib

    try:
        tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(error), path=path) from None


def _sql(path: str, data: bytes, options: Options) -> None:
    run([Source(path, data)], "sql", options)


PARSERS: dict[str, Callable[[str, bytes, Options], None]] = {
    "haproxy": _haproxy,
    "nginx": _nginx,
    "settings": _settings,
    "sql": _sql,
}
