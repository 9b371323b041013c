"""A slot of a pool in instant mode does not list the servers of the other slot as backup.

nginx chooses the slot when a request begins, but connects when its body has come. By then the old version may be stopped:
an upload that was meant for it gets 502, unless the other slot is its backup.

FAIL
    http {
        upstream app_blue { server 127.0.0.1:3001; }
        upstream app_green { server 127.0.0.1:3002; }
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

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import addresses, instant
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/instant-backup"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for side in instant.sides(config):
        own = addresses.of(config, side.upstream)
        listed = {address.key for address in own if address.line.server.backup and not address.line.server.down}
        others = (address for address in addresses.of(config, side.other) if address.line.server.live)
        missing = [address.line.server.address for address in others if address.key not in listed]
        if missing:
            lines = ", ".join(f"server {address} backup max_fails=0;" for address in missing[:3])
            name = side.upstream.name
            yield side.upstream.item.found(
                f"{name} lacks {lines} An upload meant for {side.slot} gets 502 once that is stopped"
            )
