"""`open_file_cache` caches the flag of a pool in instant mode too: a switch takes as long as that.

A worker looks at the flag anew only after `open_file_cache_valid`, which is 60 seconds unless told otherwise. Until then
the workers do not agree which slot serves.

FAIL
    http {
        open_file_cache max=1000;
        server {
            set $slot app_blue;
            if (-e /var/lib/flags/app/green/$bucket) { set $slot app_green; }
            location / { proxy_pass http://$slot; }
        }
    }

PASS
    http {
        open_file_cache max=1000;
        upstream app_blue { server 127.0.0.1:3001 max_fails=0; server 127.0.0.1:3002 backup max_fails=0; }
        upstream app_green { server 127.0.0.1:3002 max_fails=0; server 127.0.0.1:3001 backup max_fails=0; }
        server {
            open_file_cache off;
            set $slot app_blue;
            if (-e /var/lib/flags/app/green/$bucket) { set $slot app_green; }
            location / { proxy_pass http://$slot; open_file_cache max=1000; }
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import instant
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/instant-file-cache"
LEVEL: Level = "warning"
CACHE, VALID = b"open_file_cache", b"open_file_cache_valid"


def check(config: Config) -> Iterator[Found]:
    for ask in instant.asks(config):
        cache = ask.server.effective(CACHE)
        if ask.server.sure(CACHE) and cache and cache[-1].args != ["off"]:
            told = [item.args[0] for item in ask.server.effective(VALID) if len(item.args) == 1]
            valid = told[-1] if told else "60s"
            message = f"open_file_cache keeps the flag of {ask.pool}: a switch takes up to {valid}: set it to off here"
            yield ask.item.found(message)
