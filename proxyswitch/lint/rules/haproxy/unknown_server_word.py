"""A word of a server line is misspelt: HAProxy refuses the config.

Found are words that nearly are a keyword of some version, so that a keyword of a newer one is no fault.

FAIL
    backend app
        server app1 127.0.0.1:3001 chek

FAIL
    backend app
        default-server check wieght 10
        server app1 127.0.0.1:3001

PASS
    backend app
        server app1 127.0.0.1:3001 check weight 10 cookie chek
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.haproxy.server_words import KNOWN, lines
from proxyswitch.lint.near import near

ID = "haproxy/unknown-server-word"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for line in lines(config, _unknown):
        # behind an unknown word may stand its argument
        said = next((said for said in line if said.word not in KNOWN), None)
        if said and (close := _near(said.word)):
            yield said.row.found(f"there is no {said.word} in a server line: did you mean {close}?", word=said.at)


def _unknown(said: Mapping[str, str]) -> bool:
    return not said.keys() <= KNOWN


@lru_cache(maxsize=1_000)
def _near(word: str) -> str:
    """The keyword that is meant. A new version of a protocol is no slip."""
    if any(char.isdigit() or char in "($" for char in word):
        return ""
    close = near(word.lower(), sorted(KNOWN), 0.8)
    return close if abs(len(close) - len(word)) < 2 else ""
