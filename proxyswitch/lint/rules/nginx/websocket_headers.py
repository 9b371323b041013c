"""A websocket does not come through: one of the three lines is missing that it needs.

`Upgrade` and `Connection` go from one machine to the next only, so that nginx does not pass them on by itself; and the
upgrade needs HTTP/1.1 to the application, which is the default only from nginx 1.29.7 on.

FAIL
    events {}
    http {
        server {
            location /ws {
                proxy_pass http://127.0.0.1:3001;
            }
        }
    }

FAIL
    server {
        location /live {
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_pass http://app;
        }
    }

PASS
    server {
        location /ws {
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
            proxy_pass http://app;
        }
        location /news {
            proxy_pass http://app;
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import websockets
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/websocket-headers"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for use in websockets.all_of(config):
        missing = use.missing()
        if missing:
            yield use.item.found(f"a websocket does not come through without {' and '.join(missing)}")
