"""What happens in a release, told to those who asked for it, and its figures written; neither can fail or delay it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from proxyswitch.release.pools import past
from proxyswitch.release.world import World

FACTS = ("app", "version", "slot", "old_version", "old_slot", "pool", "reason", "seconds")


@contextmanager
def announced(world: World) -> Iterator[None]:
    """Events of the world are told as long as this lasts; at its end the figures are written."""
    heard = world.event
    try:
        if world.settings.notify:
            with _told(world):
                yield
        else:
            yield
    finally:
        world.event = heard
        if world.settings.metrics.textfile:
            from proxyswitch.release import figures

            figures.publish(world.settings.metrics, past(), world.report)


@contextmanager
def _told(world: World) -> Iterator[None]:
    from proxyswitch import notify

    heard, known = world.event, {str(kind) for kind in notify.Kind}
    folder = os.path.dirname(os.path.abspath(world.settings.path)) if world.settings.path else None
    with notify.Teller(world.settings.notify, world.report, folder=folder) as teller:
        about: dict[str, Any] = {}
        release = ""

        def event(kind: str, facts: Mapping[str, object]) -> None:
            nonlocal release
            heard(kind, facts)
            release = str(facts.get("id", release))
            about.update({key: facts[key] for key in FACTS if key in facts})
            if kind in known and about:
                teller.tell(notify.Event(kind=kind, release=release, **about))

        world.event = event
        yield
