"""A websocket is cut when nothing was sent for a minute, or another short time.

`proxy_read_timeout` counts the time between two reads, and is 60 seconds by default. A websocket that is merely quiet is
ended then, unless the application sends pings more often.

FAIL
    events {}
    http {
        server {
            location /ws {
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "upgrade";
                proxy_pass http://127.0.0.1:3001;
            }
        }
    }

PASS
    server {
        location /ws {
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_read_timeout 1h;
            proxy_pass http://app;
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import websockets
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/websocket-timeout"
LEVEL: Level = "info"
SHORT = 300  # seconds


def check(config: Config) -> Iterator[Found]:
    for use in websockets.all_of(config):
        timeout = use.read_timeout() if use.upgrade else None
        if timeout is not None and timeout < SHORT:
            what = f"a websocket that is quiet for {timeout:g} s is cut: set proxy_read_timeout, such as 1h"
            yield use.item.found(what)
