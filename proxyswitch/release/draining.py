"""Waiting for the old side: until its last request is answered, at most for a time, and what to do with those who stay."""

from __future__ import annotations

from typing import Any

from proxyswitch import durations
from proxyswitch.errors import Failed
from proxyswitch.proxies.base import Left, Proxy
from proxyswitch.release.world import World
from proxyswitch.system import clock
from proxyswitch.system.clock import Deadline

REPORT_EVERY = 10.0
SETTLE = 5.0  # seconds that connections get to be gone once they were cut


def wait(world: World, proxy: Proxy, token: Any, seconds: float, *, close: bool = False) -> Left | None:
    """Wait for what `token` names, at most so many seconds; returns what is still there then.

    Clients that come back to the old side are made to leave when it is idle, at the latest at half of the time. `close`
    ends what is still there when time is up.
    """
    left = _Wait(world, proxy, token, seconds).run()
    if left is None or not close:
        return left
    try:
        world.report(proxy.cut(token) or f"{proxy.name} has no way to end what is left")
    except Failed as error:  # then it is what is left
        world.report(f"warning: {error.what}")
    return _Wait(world, proxy, token, SETTLE).run()


class _Wait:
    def __init__(self, world: World, proxy: Proxy, token: Any, seconds: float) -> None:
        self.world, self.proxy, self.token, self.seconds = world, proxy, token, seconds
        self.begun = clock.now()
        self.deadline, self.half = Deadline.after(seconds), Deadline.after(seconds / 2)
        self.reported = self.begun
        self.trouble: Left | None = None  # why clients cannot be made to leave: then nothing is drained

    def run(self) -> Left | None:
        pause = 0.01
        while True:
            self.proxy.release(self.token)
            left = self.proxy.draining(self.token)
            if left is None or self.half.over:
                if self.press():
                    continue
                left = left or self.trouble
            if left is None or self.deadline.over:
                return left
            self.tell(left)
            clock.sleep(min(pause, self.deadline.left))
            pause = min(pause * 1.5, 0.25)

    def press(self) -> bool:
        """True when something was done, so that it must be looked again. What cannot be done yet is tried at each look."""
        try:
            done, self.trouble = self.proxy.press(self.token), None
        except Failed as error:
            done, self.trouble = "", Left(1, error.what)
        if done:
            self.world.report(done)
        return bool(done)

    def tell(self, left: Left) -> None:
        waited = clock.now() - self.begun
        self.world.tick(waited, self.seconds, left)
        if clock.now() - self.reported >= REPORT_EVERY:
            self.reported = clock.now()
            self.world.report(f"draining for {durations.show(waited)}: {left.what}")
