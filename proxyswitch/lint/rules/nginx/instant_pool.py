"""A flag chooses between the slots of a pool, but one of them has no upstream.

In instant mode a flag on disk tells whether a request goes to `P_blue` or `P_green`. nginx looks for an upstream of that
name only when a request comes: it accepts the config, and all that is sent to this slot gets 502.

FAIL
    http {
        split_clients $remote_addr $bucket { * 99; }
        upstream app_blue { server 127.0.0.1:3001; }
        server {
            set $slot app_blue;
            if (-e /var/lib/flags/app/green/$bucket) { set $slot app_green; }
            location / { proxy_pass http://$slot; }
        }
    }

PASS
    http {
        split_clients $remote_addr $bucket { * 99; }
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

from proxyswitch.conf.nginx.instant import SLOTS
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import instant
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/instant-pool"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for ask in instant.asks(config) if config.complete(b"http") else ():
        names = [f"{ask.pool}_{slot}" for slot in SLOTS]
        missing = [name for name in names if not config.upstream(name)]
        if missing and not ask.server.effective(b"resolver"):
            yield ask.item.found(f"there is no upstream {' and no '.join(missing)}: what the flag sends there gets 502")
