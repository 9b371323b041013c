"""An upstream has no server, or only backups: nginx refuses the config.

FAIL
    upstream app {
        keepalive 8;
    }

FAIL
    upstream app {
        server 127.0.0.1:3001 backup;
    }

PASS
    upstream app {
        server 127.0.0.1:3001;
    }

PASS
    upstream app {
        include servers.d/*.conf;
    }
    upstream filled_by_api {
        zone filled_by_api 64k;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import directives
from proxyswitch.lint.nginx.tree import Config, Upstream

ID = "nginx/no-servers"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for upstream in config.upstreams:
        if upstream.block.hidden:
            continue
        if upstream.servers and all(line.server.backup for line in upstream.servers):
            yield upstream.item.found(f"{upstream.name} has only backup servers: one without backup is needed")
        elif not upstream.block.own(b"server") and not _from_elsewhere(upstream):
            yield upstream.item.found(f"{upstream.name} has no server")


def _from_elsewhere(upstream: Upstream) -> bool:
    """Whether servers can come from a `state` file, or at run time into a `zone`, as in NGINX Plus and Angie (nginx itself
    refuses that), or from a module that we do not know."""
    return any(item.name in (b"state", b"zone") or not directives.known(item.name) for item in upstream.block.items)
