"""Two servers of one address have the same name: nginx ignores it in the second, with a mere warning.

All requests of that name go to the first, so that the second server may never get any. Servers without a `server_name` are
of one name too, the empty one.

FAIL
    http {
        server { listen 80; server_name example.com; return 301 https://example.com$request_uri; }
        server { listen 80; server_name www.example.com Example.com; }
    }

FAIL
    server { listen 80; }
    server { listen *:80; }

PASS
    http {
        server { listen 80; server_name example.com; }
        server { listen 443 ssl; server_name example.com; }
        server { listen 80; server_name *.example.com ~^(www|shop)\\.example\\.com$; }
        server { listen 127.0.0.1:80; server_name example.com; }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import listens
from proxyswitch.lint.nginx.tree import Block, Config, Item

ID = "nginx/duplicate-server-name"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    first: dict[tuple[str, str, str], tuple[Block, Item]] = {}
    for context, block in listens.servers(config):
        addresses = _addresses(block)
        for name, item, number in _names(block):
            mine = (block, item)
            found = [(a, first.setdefault((context, a, key), mine)) for a in addresses for key in _keys(name)]
            taken = next(((address, before) for address, (other, before) in found if other is not block), None)
            if taken:
                yield item.found(_message(name, *taken, item), word=number)


def _addresses(block: Block) -> list[str]:
    found = [address for listen in listens.of(block) for address in listen.addresses]
    return list(dict.fromkeys(found)) or ([] if block.hidden else [listens.DEFAULT])


def _names(block: Block) -> Iterator[tuple[str, Item, int]]:
    """The names that nginx compares: all but regular expressions. Without any it is the empty one."""
    found = list(listens.names(block))
    if not found and block.item and not block.hidden:
        yield "", block.item, 0
    yield from ((name, item, number) for name, item, number in found if not name.startswith("~"))


def _keys(name: str) -> tuple[str, ...]:
    """`.example.com` is both `example.com` and `*.example.com`."""
    return (name[1:], f"*{name}") if name.startswith(".") else (name,)


def _message(name: str, address: str, before: Item, item: Item) -> str:
    where = before.document.where(before.directive)
    at = "here" if where == item.document.where(item.directive) else f"at {where}"
    what = f"the name {name}" if name else "a server without a name"
    return f"{listens.shown(address)} has {what} already, {at}: nginx ignores this one"
