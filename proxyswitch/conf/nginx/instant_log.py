"""Where nginx logs the tries of a pool in instant mode: `access_log FILE proxyswitch` in the locations that pass to it."""

from __future__ import annotations

import re
from typing import NamedTuple

from proxyswitch.conf.nginx.adopt_form import LOG_FORMAT
from proxyswitch.conf.nginx.adopt_tree import Node, effective, everything, expand
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.instant import InstantPool
from proxyswitch.model import Where

_VARIABLE = re.compile(r"\$\{?(\w+)", re.ASCII)
_SYSLOG = "syslog:"


class Logs(NamedTuple):
    """The `paths` as the config has them, so that a relative one counts from nginx's prefix; `without` are passes to the
    pool that are not logged so."""

    paths: tuple[str, ...]
    without: tuple[Where, ...]


def logs(config: Config, found: InstantPool) -> Logs:
    """The logs of the tries at the pool. One is enough: `adopt` writes the same for all locations."""
    nodes = list(everything(expand(config)))
    slots = {node.args[0].removeprefix("$") for node in nodes if node.name == "set" and node.args[1:] == (found.green.name,)}
    files = {node: _files(node) for node in nodes if _passes(node, slots)}
    paths = dict.fromkeys(path for there in files.values() for path in there)
    without = dict.fromkeys(node.where for node, there in files.items() if not there)
    return Logs(tuple(paths), tuple(without))


def _passes(node: Node, slots: set[str]) -> bool:
    """True for a pass to where one of these variables says."""
    return node.name.endswith("_pass") and not slots.isdisjoint(_VARIABLE.findall(" ".join(node.args[:1])))


def _files(node: Node) -> list[str]:
    """The logs of that format that its requests are written to, as far as they can be read: one file, as plain text."""
    lines = [line.args for line in effective(node, "access_log") if line.args[1:2] == (LOG_FORMAT,)]
    return [path for path, *words in lines if _is_plain(path, words)]


def _is_plain(path: str, words: list[str]) -> bool:
    gzip = any(word.partition("=")[0] == "gzip" for word in words)
    return not gzip and "$" not in path and not path.startswith(_SYSLOG)
