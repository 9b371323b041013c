"""An upstream has `keepalive`, but FastCGI servers are told to close each connection.

nginx asks a FastCGI server to keep the connection only with `fastcgi_keep_conn on`.

FAIL
    http {
        upstream php { server 127.0.0.1:9000; keepalive 8; }
        server { location / { fastcgi_pass php; } }
    }

PASS
    http {
        upstream php { server 127.0.0.1:9000; keepalive 8; }
        server {
            fastcgi_keep_conn on;
            location / { fastcgi_pass php; }
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import kept
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/fastcgi-keep-conn"
LEVEL: Level = "warning"
NAME = b"fastcgi_keep_conn"


def check(config: Config) -> Iterator[Found]:
    for item, upstream in kept.passes(config, b"fastcgi_pass"):
        block = item.block
        if block.sure(NAME) and all(setting.args == ["off"] for setting in block.effective(NAME)):
            yield item.found(f"{upstream.name} has keepalive, but no connection is kept without fastcgi_keep_conn on")
