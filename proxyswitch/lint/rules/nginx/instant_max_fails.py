"""A server of a pool in instant mode lacks `max_fails=0`.

With a backup beside it, one refused connection puts a server out for 10 seconds. Then a slot that has failed once goes on
sending its requests to the other one, also after a switch; and one backup that was refused gives 502 for as long.

FAIL
    http {
        upstream app_blue { server 127.0.0.1:3001; server 127.0.0.1:3002 backup; }
        upstream app_green { server 127.0.0.1:3002 max_fails=0; server 127.0.0.1:3001 backup max_fails=0; }
        server {
            set $slot app_blue;
            if (-e /var/lib/flags/app/green/$bucket) { set $slot app_green; }
            location / { proxy_pass http://$slot; }
        }
    }

PASS
    http {
        upstream app_blue { server 127.0.0.1:3001 max_fails=0; server 127.0.0.1:3002 backup max_fails=0; }
        upstream app_green { server 127.0.0.1:3002 max_fails=0; server 127.0.0.1:3001 backup max_fails=0; }
        server {
            set $slot app_blue;
            if (-e /var/lib/flags/app/green/$bucket) { set $slot app_green; }
            location / { proxy_pass http://$slot; }
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.conf.text import Edit, Span
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import instant
from proxyswitch.lint.nginx.tree import Config, Item, PoolServer, Upstream

ID = "nginx/instant-max-fails"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for side in instant.sides(config):
        for line in _at_risk(side.upstream):
            if "max_fails=0" not in line.server.params:
                message = (
                    f"{side.upstream.name}: a refused connection puts {line.server.address} out for 10 s: write max_fails=0"
                )
                yield line.item.found(message, _fix(line.item))


def _at_risk(upstream: Upstream) -> list[PoolServer]:
    """The backups, and the one server beside them: of several, the others of the slot are taken first."""
    up = [line for line in upstream.servers if not line.server.down]
    own = [line for line in up if not line.server.backup]
    backups = [line for line in up if line.server.backup]
    return [*(own if len(own) == 1 else ()), *backups] if backups else []


def _fix(item: Item) -> Edit:
    for number, word in enumerate(item.args, 1):
        if word.startswith("max_fails="):
            return Edit(Span(*item.directive.words[number]), b"max_fails=0")
    end = item.directive.words[-1][1]
    return Edit(Span(end, end), b" max_fails=0")
