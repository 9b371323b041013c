"""What to ask of an instance, which answer is healthy, and how a try ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """What to ask and which answer is healthy. `timeout` is for a whole try; `host` is the Host header and TLS name."""

    url: str
    statuses: frozenset[int] = frozenset({200})
    body: str = ""
    json: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    timeout: float = 2.0
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try ended, with the reason in words; `status` is None when no HTTP status came."""

    healthy: bool
    reason: str
    seconds: float
    status: int | None = None
