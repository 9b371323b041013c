"""A page of nginx's own state, or WebDAV that writes, is open to everybody.

Such a page shows the traffic; the API of NGINX Plus and WebDAV change things. `allow` alone closes nothing: who is on no
line may come in, so a `deny all;` must follow.

FAIL
    events {}
    http {
        server {
            listen 80;
            location = /nginx_status { stub_status; }
        }
    }

PASS
    events {}
    http {
        server {
            listen 127.0.0.1:8080;
            location = /nginx_status { stub_status; }
        }
        server {
            listen 80;
            location = /nginx_status {
                stub_status;
                allow 127.0.0.1;
                deny all;
            }
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import listens
from proxyswitch.lint.nginx.tree import Block, Config, Item

ID = "nginx/status-open"
LEVEL: Level = "warning"
_WHAT = (b"stub_status", b"status", b"api", b"dav_methods")
# Any of these may keep people out; what is behind an `if` or in a script is not looked into.
_GUARDS = (
    b"deny",
    b"auth_request",
    b"auth_jwt",
    b"auth_oidc",
    b"auth_require",
    b"internal",
    b"limit_except",
    b"if",
    b"return",
)
_SCRIPTS = (b"access_by_lua", b"access_by_lua_block", b"access_by_lua_file", b"js_access", b"ssl_verify_client")


def check(config: Config) -> Iterator[Found]:
    for item in config.uses(*_WHAT):
        server = item.block.inside(b"server")
        if server and item.block.inside(b"http") and item.args != ["off"] and _open(item.block) and _public(server):
            yield item.found(f"{_what(item)} is open to everybody: add allow and deny all")


def _what(item: Item) -> str:
    return "writing by dav_methods" if item.name == b"dav_methods" else f"the page of {item.name.decode()}"


def _open(block: Block) -> bool:
    return not any(around.hidden or around.own(*_GUARDS, *_SCRIPTS) or _basic(around) for around in block.around())


def _basic(block: Block) -> bool:
    return any(item.args != ["off"] for item in block.own(b"auth_basic"))


def _public(server: Block) -> bool:
    """Whether it listens on an address that is not only this machine's, or of a network of one's own."""
    found = [address for listen in listens.of(server) for address in listen.addresses] or [listens.DEFAULT]
    return any(not listens.private(address) for address in found)
