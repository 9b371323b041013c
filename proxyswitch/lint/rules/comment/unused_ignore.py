"""A comment ignores a rule that nothing here breaks.

What it was for is gone; left there, it would hide the next fault of that kind. `--fix` takes it away.

FAIL
    upstream app {  # proxyswitch: ignore=nginx/single-server one is enough here
        server 127.0.0.1:3001;
        server 127.0.0.1:3002;
    }

PASS
    upstream app {  # proxyswitch: ignore=nginx/single-server one is enough here
        server 127.0.0.1:3001;
    }
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.ignores import Ignores

ID = "comment/unused-ignore"
LEVEL: Level = "warning"


def check(ignores: Ignores, ran: Iterable[str]) -> Iterator[Found]:
    yield from ignores.unused(ran)
