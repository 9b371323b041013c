"""Names: of an app after its pool, and of slots within the names of units, services and servers."""

from __future__ import annotations

import re

from proxyswitch.model import Pool

PAIRS = (("blue", "green"), ("a", "b"), ("1", "2"), ("one", "two"))
OTHER = {name: other for pair in PAIRS for name, other in (pair, pair[::-1])}
SLOT = re.compile(r"[A-Za-z0-9_-]+")
_TAIL = re.compile(rf"(.*[-_.@])({'|'.join(OTHER)})", re.IGNORECASE)
_AFFIX = re.compile(
    r"^(?:bk|be|backend|upstream|pool)[-_.]|[-_.](?:bk|be|backends?|upstreams?|pool|servers?|cluster)$", re.IGNORECASE
)


def app_name(pool: Pool, taken: set[str]) -> str:
    """After the pool, without what only says that it is one; another one where that is taken."""
    plain = _AFFIX.sub("", pool.name) or pool.name
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_") or "app"
    for number in range(2, len(taken) + 3):
        if name not in taken:
            break
        name = f"{name.removesuffix(f'-{number - 1}')}-{number}"
    return name


def split(name: str, port: int = 0) -> tuple[str, str]:
    """`web-blue` → `web-{slot}` and blue; `web@3001` at that port → `web@{port}`; another name as it is, without a slot."""
    if port and re.search(rf"[-_.@]{port}$", name):
        return f"{name.removesuffix(str(port))}{{port}}", ""
    before, at, instance = name.partition("@")
    if at and SLOT.fullmatch(instance):
        return f"{before}@{{slot}}", instance
    found = _TAIL.fullmatch(name)
    return (f"{found[1]}{{slot}}", found[2]) if found else (name, "")


def other(name: str) -> str:
    """The slot beside that one."""
    return OTHER.get(name.lower()) or ("green" if name.lower() != "green" else "blue")
