"""Times for people, in the local zone."""

from __future__ import annotations


def minute(at: float) -> str:
    """A time to the minute, of seconds since 1970."""
    from datetime import datetime

    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")
