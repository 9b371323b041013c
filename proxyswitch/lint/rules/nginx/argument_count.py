"""A directive has the wrong number of arguments, or something else than `on` or `off`.

nginx refuses the whole config, so the next reload, or worse the next start, fails. A value with a space in it needs quotes.

FAIL
    location / {
        proxy_set_header X-Note;
    }

FAIL
    server {
        gzip yes;
    }

PASS
    server {
        gzip on;
        location / {
            proxy_set_header X-Note "two words";
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import directives, semicolons
from proxyswitch.lint.nginx.contexts import directives_with_contexts
from proxyswitch.lint.nginx.tree import Config, Item

ID = "nginx/argument-count"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for item, bits in directives_with_contexts(config):
        if directives.certain(item.name) and _wrong(item, bits) and not semicolons.missing(item, bits):
            yield item.found(_message(item, bits))


def _wrong(item: Item, bits: int) -> bool:
    """Whether it may stand here as it is, a block or none, but not with these arguments."""
    block = item.directive.body is not None
    return directives.shaped(item.name, bits, block=block) and not directives.fits(item.name, bits, item.args, block=block)


def _message(item: Item, bits: int) -> str:
    name, args = item.name.decode("utf-8", "replace"), item.args
    if directives.flag(item.name, bits):
        return f"{name} is on or off, not {args[0]}" if len(args) == 1 else f"{name} takes one word: on or off"
    counts = directives.counts(item.name, bits, block=item.directive.body is not None)
    return f"{name} takes {counts}, and has {len(args) or 'none'}"
