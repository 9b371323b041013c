"""Is the answer the one that was wanted? If not, why, in words for a tired person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from proxyswitch import durations
from proxyswitch.health.check import Check

if TYPE_CHECKING:
    from http.client import HTTPResponse


BODY_LIMIT = 1 << 20  # bytes that are read of an answer


def fault(check: Check, response: HTTPResponse) -> str:
    from http.client import HTTPException

    if response.status not in check.statuses:
        return f"status {response.status}, expected {_ranges(check.statuses)}"
    try:
        data = response.read(BODY_LIMIT)
    except TimeoutError:
        return f"the answer was not complete within {durations.show(check.timeout)}"
    except (HTTPException, ConnectionError):
        return "the answer was cut off"
    if response.length and len(data) < BODY_LIMIT:
        return "the answer was cut off"
    return _body_fault(check, data)


def _ranges(statuses: frozenset[int]) -> str:
    """`200-299, 304`."""
    rows: list[list[int]] = []
    for status in sorted(statuses):
        if rows and status == rows[-1][1] + 1:
            rows[-1][1] = status
        else:
            rows.append([status, status])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in rows)


def _body_fault(check: Check, data: bytes) -> str:
    if check.body and check.body.encode() not in data:
        within = " in its first 1 MiB" if len(data) >= BODY_LIMIT else ""
        return f"the body does not contain {check.body!r}{within}"
    if not check.json:
        return ""
    import json

    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return "the answer is longer than 1 MiB" if len(data) >= BODY_LIMIT else "the answer is not JSON"
    return next(_differences(check.json, found, ""), "")


def _differences(expected: Any, found: Any, where: str) -> Iterator[str]:
    """What is not as expected. A found object may have more fields, at each level."""
    if not isinstance(expected, Mapping):
        if not _same(expected, found):
            yield f"field {where} is {_show(found)}, expected {_show(expected)}"
    elif not isinstance(found, Mapping):
        yield f"field {where} is {_show(found)}, expected an object" if where else "the answer is not a JSON object"
    else:
        for key, value in expected.items():
            path = f"{where}.{key}" if where else key
            if key in found:
                yield from _differences(value, found[key], path)
            else:
                yield f"field {path} is missing"


def _same(expected: Any, found: Any) -> bool:
    """Text equals the scalar that reads so: '2' fits 2 and 'true' fits true; but 1 is not true."""
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and not any(
            any(_differences(one, other, "")) for one, other in zip(expected, found, strict=True)
        )
    if isinstance(found, bool) or isinstance(expected, bool):
        return bool(expected is found or (isinstance(expected, str) and expected == _show(found)))
    if isinstance(expected, str) and isinstance(found, int | float):
        return expected == str(found)
    return bool(expected == found)


def _show(value: Any) -> str:
    import json

    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"
