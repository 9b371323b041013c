"""A pass with a variable leads to a host name, and there is no `resolver` to look it up: requests get 502.

With a variable in it, a pass is not looked up when nginx starts. At a request nginx takes an upstream of that name, an
address, or what a `resolver` says; it reads no /etc/hosts, so `localhost` needs one too.

FAIL
    http {
        server { location / { set $app app.internal; proxy_pass http://$app:3001; } }
    }

PASS
    http {
        upstream app_blue { server 127.0.0.1:3001; }
        server {
            location / { set $slot blue; proxy_pass http://app_$slot; }
            location /port { proxy_pass http://127.0.0.1:$server_port; }
            location /far { resolver 10.0.0.2; set $app app.internal; proxy_pass http://$app; }
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import lookups
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/variable-without-resolver"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for item, host in lookups.without_resolver(config):
        effect = (
            "connection that goes there is closed" if item.block.inside(b"stream") else "request that goes there gets 502"
        )
        yield item.found(f"there is no resolver for {host}: each {effect}", word=1)
