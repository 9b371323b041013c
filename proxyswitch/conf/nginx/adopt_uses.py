"""Other ways in which a config can name a pool than a pass that says its name: by a variable, or by code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.conf.nginx import adopt_form
from proxyswitch.conf.nginx.adopt_passes import SCHEMES, names
from proxyswitch.conf.nginx.adopt_tree import Node, Refused, everything, in_stream

_VARIABLE = re.compile(r"\$\{?(\w+)", re.ASCII)
_BLOCKS = ("map", "geo", "split_clients")  # each line in their braces is a value


def refuse_others(top: list[Node], pool: str) -> None:
    """Raise Refused where the pool's name is used in a way that would break when the name is gone."""
    nodes = [node for node in everything(top) if not in_stream(node)]
    for node in nodes:
        if node.name.endswith("_pass") and node.name not in SCHEMES and names(node.args, pool):
            raise Refused(f'{node.where}: "{node.name}" passes to {pool} too, and cannot be switched')
    dynamic = [node for node in nodes if _asked(node)]
    reached = _reached(nodes, {name for node in dynamic for name in _asked(node)})
    for node in nodes if dynamic else ():
        if _can_be(node, reached, pool) or (_is_code(node) and pool.encode() in node.raw):
            raise _by_variable(node, dynamic[0], pool)


def _by_variable(node: Node, dynamic: Node, pool: str) -> Refused:
    return Refused(
        f'{node.where}: a variable can be {pool} here, and "{dynamic.name} {dynamic.args[0]}" at {dynamic.where} passes to'
        " a variable",
        next_step="name the pool in the pass itself",
    )


def _asked(node: Node) -> list[str]:
    """The variables that say where a pass goes; none for one to a pool in instant mode."""
    if not node.name.endswith("_pass") or not node.args:
        return []
    found: list[str] = _VARIABLE.findall(node.args[0])
    return [] if found and adopt_form.is_slot(found[0]) else found


def _sets(node: Node) -> str:
    """The variable that a directive gives a value; empty for another directive."""
    word = node.args[:1] if node.name == "set" else node.args[-1:] if node.name in _BLOCKS else ()
    return "".join(word).lstrip("$")


def _values(node: Node) -> list[str]:
    """What that variable can be."""
    return list(node.args[1:]) if node.name == "set" else [arg for line in node.body for arg in line.args]


def _reached(nodes: list[Node], asked: set[str]) -> set[str]:
    """The variables that can end up in those, over however many steps."""
    while True:
        values = [value for node in nodes if _sets(node) in asked for value in _values(node)]
        more = {name for value in values for name in _VARIABLE.findall(value)}
        if more <= asked:
            return asked
        asked = asked | more


def _can_be(node: Node, reached: set[str], pool: str) -> bool:
    return _sets(node) in reached and names(tuple(_values(node)), pool)


def _is_code(node: Node) -> bool:
    return "_by_lua" in node.name or node.name.startswith(("js_", "perl"))


def from_requests(top: list[Node]) -> Iterator[Node]:
    """Passes to a variable that no `set`, `map`, `geo` or `split_clients` gives its value."""
    nodes = [node for node in everything(top) if not in_stream(node)]
    known = {_sets(node) for node in nodes}
    return (node for node in nodes if set(_asked(node)[:1]) - known)
