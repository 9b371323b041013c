"""What holds for a server: by default, then by its own line; of each keyword the last counts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from proxyswitch.conf.haproxy.servers import ONE_ARGUMENT


@lru_cache(maxsize=1_000)
def effective(defaults: tuple[str, ...], own: tuple[str, ...]) -> Mapping[str, str]:
    """Each keyword that is in effect with its argument, '' where it has none. `no-check` takes `check` away."""
    said: dict[str, str] = {}
    words = iter((*defaults, *own))
    for word in words:
        if word.startswith("no-"):
            said.pop(word[3:], None)
        said[word] = next(words, "") if word in ONE_ARGUMENT else ""
    return said
