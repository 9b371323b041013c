"""A live bar on a terminal while the old side drains."""

from __future__ import annotations

from proxyswitch import durations
from proxyswitch.cli.screen import area, bar
from proxyswitch.proxies.base import Left


class Bar:
    """One line that is written over; it goes with the next line."""

    def __init__(self) -> None:
        self.last = -1.0

    def tick(self, waited: float, limit: float, left: Left) -> None:
        """Show how long it has waited, of how long, and for what; at most ten times a second."""
        if 0 <= waited - self.last < 0.1:
            return
        self.last = waited
        done = bar(100 * waited / limit if limit else 100)
        area.show(f"draining [{done}] {durations.show(waited)} of {durations.show(limit)}: {left.count} left")
