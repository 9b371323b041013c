"""A directive stands where it may not, or has a block where none may be, or none where one must.

nginx refuses the whole config, so the next reload, or worse the next start, fails.

FAIL
    server {
        location / {
            listen 80;
        }
    }

FAIL
    http {
        server {
            proxy_pass http://127.0.0.1:3001;
        }
    }

FAIL
    server {
        location /;
    }

PASS
    stream {
        server {
            listen 5432;
            proxy_pass 127.0.0.1:5433;
        }
    }

PASS
    proxy_pass http://127.0.0.1:3001;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import contexts, directives, semicolons
from proxyswitch.lint.nginx.tree import Config, Item

ID = "nginx/directive-not-allowed"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for item, bits in contexts.directives_with_contexts(config):
        if directives.certain(item.name) and not _may_stand(item, bits) and not semicolons.missing(item, bits):
            yield item.found(_message(item, bits))


def _may_stand(item: Item, bits: int) -> bool:
    return directives.shaped(item.name, bits, block=item.directive.body is not None)


def _message(item: Item, bits: int) -> str:
    name = item.name.decode("utf-8", "replace")
    places = directives.where(item.name)
    if not places & bits:
        return f"{name} is not allowed in {contexts.words(bits)}: it belongs in {contexts.words(places)}"
    if item.directive.body is None:
        return f"{name} needs a block: {{ … }} instead of the ;"
    return f"{name} takes no block: end it with a ;"
