"""How many instances more than now a plan lets run at once."""

from __future__ import annotations

from typing import Any

import pytest

from proxyswitch import settings_base, settings_runners
from proxyswitch.release import room, strategies
from proxyswitch.release.plan import Release
from proxyswitch.release.steps import Plan, ReloadInstance
from proxyswitch.settings import App
from proxyswitch.settings_base import Local
from proxyswitch.settings_release import Rolling
from tests.release.values import BLUE, GREEN, SLOTS, app, pool, release

FOUR = {name: f"127.0.0.1:{3001 + number}" for number, name in enumerate(("a", "b", "c", "d"))}


def way(strategy: str, *servers: str, batch: int = 1, slots: dict[str, str] = SLOTS, **running: str) -> Release:
    of = app(strategy=strategy, rolling=Rolling(batch=batch), slots=slots)
    return release(pool(*servers), of=of, **running)


@pytest.mark.parametrize(
    ("found", "more"),
    [
        (way("blue-green", BLUE, blue="1"), 1),
        (way("blue-green", "127.0.0.1:9"), 1),  # the first release
        (way("blue-green", BLUE, blue="1", green="0"), 0),  # what was left in the slot makes room first
        (way("canary", BLUE, blue="1"), 1),
        (way("stop-start", BLUE, blue="1"), 0),
        (way("stop-start", BLUE), 1),  # the old one does not run
        (way("rolling", *FOUR.values(), slots=FOUR, a="1", b="1", c="1", d="1"), 0),  # each is ended before the next begins
        (way("rolling", *FOUR.values(), slots=FOUR, batch=2, a="1", b="1", c="1", d="1"), 0),
        (way("rolling", FOUR["a"], FOUR["b"], slots=FOUR, a="1", b="1"), 2),  # those that were idle serve as well
        (way("rolling", BLUE, GREEN, blue="1", green="1"), 0),
    ],
)
def test_by_the_strategy(found: Release, more: int) -> None:
    assert room.more(strategies.of(found), found.app) == more


def in_place(driver: str, table: settings_base.Runner) -> App:
    of: dict[str, Any] = {"process": None, "driver": driver, driver: table, "slots": {"main": BLUE}}
    return app(**of)


UNIT = settings_runners.Systemd(unit="web")
SWARM = settings_runners.Swarm(service="web", image="web:{version}")
GUNICORN = settings_runners.Gunicorn(command=["g"], current=Local("/c"), release="{version}")


@pytest.mark.parametrize(
    ("driver", "table", "more"),
    [
        ("gunicorn", GUNICORN, 1),
        ("compose", settings_runners.Compose(service="web"), 1),
        ("systemd", UNIT, 1),
        ("systemd", settings_runners.Systemd(unit="web", reload="try-restart"), 0),
        ("swarm", SWARM, 1),
        (
            "swarm",
            settings_runners.Swarm(
                service="web", image="web:{version}", update=settings_runners.SwarmUpdate(order="stop-first")
            ),
            0,
        ),
    ],
)
def test_in_place(driver: str, table: settings_base.Runner, more: int) -> None:
    assert room.more(Plan((ReloadInstance("web", "main", "2"),), 1), in_place(driver, table)) == more
