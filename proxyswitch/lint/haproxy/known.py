"""What is in effect in a proxy, if that can be known."""

from __future__ import annotations

from proxyswitch.lint.haproxy.config import Config, Proxy


def inherits(config: Config, proxy: Proxy) -> bool:
    """Whether what it inherits is known: its defaults may stand in another file."""
    named = proxy.head.words[2:3] == ["from"]
    return config.whole or bool(proxy.above.rows and not named)


def mode(config: Config, proxy: Proxy) -> str:
    """Its mode; '' where it cannot be known."""
    rows = proxy.said(b"mode")
    if not inherits(config, proxy):
        rows = proxy.own(b"mode")
        if not rows:
            return ""
    unsure = any(not row.sure or "$" in row.words[-1] for row in rows)
    return "" if unsure else proxy.mode


def may_be_off(proxy: Proxy) -> bool:
    """Whether it says `disabled`, be it in a condition: HAProxy reads it and does not start it."""
    off = False
    for row in proxy.said(b"disabled", b"enabled"):
        off = row.keyword == b"disabled" or (off and not row.sure)
    return off
