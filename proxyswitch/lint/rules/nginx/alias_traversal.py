"""A path outside of the folder can be asked for, as the location ends without a slash and its alias with one.

What follows the location's path is put behind the alias: `/img../secret` becomes `/data/img/../secret`, the folder above.
Put a slash behind both.

FAIL
    server {
        location /img {
            alias /data/img/;
        }
    }

PASS
    server {
        location /img/ {
            alias /data/img/;
        }
        location = /logo {
            alias /data/logo/;
        }
        location ~ ^/old/(.*)$ {
            alias /data/old/$1/;
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/alias-traversal"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for item in config.uses(b"alias"):
        path, args = _prefix(item.block.args), item.args
        if item.block.name == b"location" and path and not path.endswith("/") and len(args) == 1 and args[0].endswith("/"):
            yield item.found(f"{path}../ leads out of {args[0]}: end the location with a slash too", word=1)


def _prefix(args: list[str]) -> str:
    """The path of a location that is a mere prefix; '' for all others."""
    path = args[-1] if args[:1] == ["^~"] or len(args) == 1 else ""
    return path if path.startswith("/") else ""
