"""What a proxy answers without a server."""

from __future__ import annotations

from proxyswitch.lint.haproxy.config import Proxy, Row

_PAGES = (b"errorfile", b"errorloc", b"errorloc302", b"errorloc303")
_SENDS = (b"dispatch", b"monitor-uri", b"redirect", b"stats", b"transparent")
_ANSWERS = frozenset(["redirect", "return", "use-service"])
_ENDS = frozenset(["deny", "reject", "silent-drop", "tarpit"])


def answers(proxy: Proxy) -> bool:
    """Whether it says itself what becomes of some requests, or sends them somewhere without a server line."""
    return _sends(proxy) or has_page(proxy) or any(_acts(row, _ANSWERS | _ENDS) for row in _rules(proxy))


def stands_in(proxy: Proxy) -> bool:
    """Whether it is made to go on without its servers: it answers itself, or has a page of its own for that."""
    sure = (row for row in _rules(proxy) if not {"if", "unless"} & set(row.words))
    said = any(_acts(row, _ANSWERS) for row in _rules(proxy)) or any(_acts(row, _ENDS) for row in sure)
    return said or bool(proxy.own(b"redirect")) or has_page(proxy)


def has_page(proxy: Proxy) -> bool:
    """Whether it has a page of its own for 503; one that it inherits is for every proxy, and says nothing of this one."""
    pages = any("503" in row.words[1:2] for row in proxy.own(*_PAGES))
    return pages or any("503" in row.words for row in proxy.own(b"http-error")) or bool(proxy.own(b"errorfiles"))


def _sends(proxy: Proxy) -> bool:
    return bool(proxy.mode == "health" or proxy.said(*_SENDS) or proxy.option("transparent") or proxy.option("http_proxy"))


def _rules(proxy: Proxy) -> list[Row]:
    return proxy.said(b"http-request", b"tcp-request")


def _acts(row: Row, actions: frozenset[str]) -> bool:
    """Whether a rule ends with one of these; what a Lua action does cannot be known."""
    return any(word in actions or word.startswith("lua.") for word in row.words[1:3])
