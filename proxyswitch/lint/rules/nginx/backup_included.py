"""An include takes in a backup or a temporary file, as its pattern fits that as well.

nginx reads it like any other: two upstreams of one name, and it refuses the config; two servers of one name, and the old one
may win. Keep backups elsewhere, or let the pattern end in `.conf`.

FAIL
    events {}
    http {
        include fixtures/nginx/plain/conf.d/*;
    }

PASS
    events {}
    http {
        include fixtures/nginx/plain/conf.d/*.conf;
    }
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/backup-included"
LEVEL: Level = "warning"
_BACKUP = re.compile(
    r".+~|#.*#|.+\.(?:bak|orig|rej|save|sav|swp|swo|old|tmp|dpkg-\w+|ucf-\w+|rpmsave|rpmnew|rpmorig)(?:[.\d]*)"
    r"|.+\.(?:bak|old|orig|save)\.conf|.+\.conf[._-]?20\d\d.*",
    re.IGNORECASE,
)


def check(config: Config) -> Iterator[Found]:
    for include in config.includes:
        pattern = include.item.args[0]
        names = [os.path.basename(name) for name in include.names or () if _by_chance(pattern, name)]
        if names:
            yield include.item.found(f"{pattern} takes in {', '.join(names)} too", word=1)


def _by_chance(pattern: str, name: str) -> bool:
    return any(c in pattern for c in "*?[") and bool(_BACKUP.fullmatch(os.path.basename(name)))
