"""A block sets a header, and so loses all those that are set around it.

nginx inherits `proxy_set_header` and `add_header` only into a block that has none of its own. One line for a websocket, and
the application sees another host and no address of the client; one header for a cache, and the page is without its security
headers. Repeat them in the block, or put them into a file that each includes.

FAIL
    server {
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        location /live {
            proxy_set_header Upgrade $http_upgrade;
            proxy_pass http://app;
        }
    }

FAIL
    server {
        add_header Strict-Transport-Security "max-age=31536000" always;
        location /static/ {
            add_header Cache-Control public;
        }
    }

PASS
    server {
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        location / {
            proxy_pass http://app;
        }
        location /live {
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_pass http://app;
        }
    }

PASS
    server {
        add_header X-Frame-Options DENY;
        add_header_inherit merge;
        location /static/ {
            add_header Cache-Control public;
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import headers, passes
from proxyswitch.lint.nginx.tree import Block, Config

ID = "nginx/header-inheritance-lost"
LEVEL: Level = "warning"
# What sets a header for the application: who passes with it, and the names that it is a fault to lose.
_PASSED = (
    (b"proxy_set_header", b"proxy_pass", ("host", "x-real-ip", "forwarded", "x-forwarded-")),
    (b"grpc_set_header", b"grpc_pass", ("host", "x-real-ip", "forwarded", "x-forwarded-")),
    (b"fastcgi_param", b"fastcgi_pass", ("script_filename",)),
)
_SECURITY = (
    "content-security-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
)


def check(config: Config) -> Iterator[Found]:
    for directive, sender, family in _PASSED:
        for block in _senders(config, directive, sender):
            yield from _lost(block, directive, family)
    for block in dict.fromkeys(item.block for item in config.uses(b"add_header")):
        if block.name != b"if" and not _merged(block):  # an `if` is an answer of its own, such as to OPTIONS
            yield from _lost(block, b"add_header", _SECURITY)


def _senders(config: Config, directive: bytes, sender: bytes) -> Iterator[Block]:
    """The blocks whose headers go out with a request, to a server of one's own."""
    uses = [use for use in passes.all_of(config) if use.item.name == sender and not use.elsewhere]
    found = (headers.level(use.item.block, directive) for use in uses)
    yield from dict.fromkeys(block for block in found if block)


def _lost(block: Block, directive: bytes, family: tuple[str, ...]) -> Iterator[Found]:
    if any(name.startswith(family) for name in headers.own(block, directive)):
        return  # it was thought of
    lost = [name for name in headers.hidden_by(block, directive) if name.lower().startswith(family)]
    if lost:
        what = f"{directive.decode()} here hides those around it: {', '.join(lost)} {'are' if lost[1:] else 'is'} lost"
        yield block.own(directive)[0].found(what)


def _merged(block: Block) -> bool:
    """Whether `add_header_inherit merge` (1.29.3) is in effect."""
    return any(item.args == ["merge"] for item in block.effective(b"add_header_inherit"))
