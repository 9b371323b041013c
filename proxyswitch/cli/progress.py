"""A live bar on a terminal while the old side drains."""

from __future__ import annotations

import sys

from proxyswitch import durations
from proxyswitch.proxies.base import Left

WIDTH = 20


class Bar:
    """One line that is written over; it goes when the wait is over, at the latest with the next line."""

    def __init__(self) -> None:
        self.last = -1.0

    def tick(self, waited: float, limit: float, left: Left) -> None:
        """Show how long it has waited, of how long, and for what; at most ten times a second."""
        if 0 <= waited - self.last < 0.1:
            return
        self.last = waited
        done = min(WIDTH, int(WIDTH * waited / limit)) if limit else WIDTH
        bar = "#" * done + "." * (WIDTH - done)
        text = f"draining [{bar}] {durations.show(waited)} of {durations.show(limit)}: {left.count} left"
        sys.stderr.write(f"\r\033[K{text[:79]}\r")
        sys.stderr.flush()
