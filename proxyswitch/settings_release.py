"""The tables that say how an app is released: by which strategy, judged by what, with which migrations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field

from proxyswitch.settings_base import Bytes, Command, Percent, Seconds, Section, amount, percent, seconds

BLUE_GREEN, CANARY, ROLLING, STOP_START = STRATEGIES = ("blue-green", "canary", "rolling", "stop-start")
GO_ON, WAIT, GIVE_UP = ON_NO_TRAFFIC = ("promote", "wait", "abort")


class Canary(Section, frozen=True):
    """The shares of a canary, one after the other, and how long each is watched. The last step is always all traffic.

    `manual`: each further step waits for `proxyswitch promote`, at most `patience` seconds; then all is taken back.
    """

    steps: list[Percent] = field(default_factory=lambda: [Percent(5), Percent(25), Percent(50)])
    pause: Seconds = seconds(60)
    manual: bool = False
    patience: Seconds = seconds(3600)

    def problems(self) -> Iterator[str]:
        shares = [float(step) for step in self.steps]
        if not shares or not all(0 < share <= 100 for share in shares) or shares != sorted(set(shares)):
            yield 'steps: must be shares that grow, above 0%, as ["5%", "25%", "50%"]'
        if any(share != int(share) for share in shares):
            yield "steps: whole percents only"

    @property
    def shares(self) -> tuple[int, ...]:
        """Whole percents, all traffic not among them."""
        return tuple(int(step) for step in self.steps if step < 100)


class Rolling(Section, frozen=True):
    """How many slots are replaced at a time, and how many must serve meanwhile (empty: all the others)."""

    batch: Annotated[int, Meta(ge=1)] = 1
    min_ready: Annotated[int, Meta(ge=1)] | None = None


class Analysis(Section, frozen=True):
    """By what the new side is judged while it is watched, beside its health: what the proxy itself counts of each side.

    Ratios compare with the old side in the same time; 0 does not compare. A side with fewer than `min_requests` is not
    judged; when the watch ends so, `on_no_traffic` says what comes next, where there is a proxy that counts.
    """

    max_error_rate: Percent = percent(5)
    error_ratio: Annotated[float, Meta(ge=0)] = 3.0
    latency_ratio: Annotated[float, Meta(ge=0)] = 0.0
    min_requests: Annotated[int, Meta(ge=1)] = 20
    on_no_traffic: str = GO_ON
    patience: Seconds = seconds(600)
    log: str = ""

    def problems(self) -> Iterator[str]:
        if self.on_no_traffic not in ON_NO_TRAFFIC:
            yield f"on_no_traffic: {self.on_no_traffic!r} is not known; there is {', '.join(ON_NO_TRAFFIC)}"
        if not 0 <= self.max_error_rate <= 100:
            yield "max_error_rate: must be a share from 0% to 100%"


class Migrate(Section, frozen=True):
    """Migrations of the database: `expand` before a version gets traffic, `contract` when it is confirmed.

    `confirm_after` such a time `confirm --due` confirms a release by itself; empty: only a person does. `lock` is a name
    that apps with one database share.
    """

    expand: Command | None = None
    contract: Command | None = None
    timeout: Seconds = seconds(600)
    confirm_after: Seconds | None = None
    lock: str = ""

    def problems(self) -> Iterator[str]:
        if self.expand is None and self.contract is None:
            yield "expand: a migration needs this key, or contract"
        if self.lock and not re.fullmatch(r"[\w.-]+", self.lock):
            yield f"lock: {self.lock!r} must be made of letters, digits, - _ and ."


class WarmUp(Section, frozen=True):
    """Requests that a new version gets before the first user's. Their answers do not matter, as long as it stays healthy."""

    paths: Annotated[list[str], Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1)] = 5
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 2
    timeout: Seconds = seconds(30)


class Needs(Section, frozen=True):
    """What must be free before a release begins. `memory` of one instance; empty: what the running one uses.

    `disk` where its logs and images go. `load` is the highest load of the last minute, a processor; 0 does not look.
    """

    memory: Bytes | None = None
    disk: Bytes = amount("200M")
    load: Annotated[float, Meta(ge=0)] = 0.0
