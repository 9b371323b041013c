"""One update of a service: told to Swarm, followed to its end, and judged; and the ways back."""

from __future__ import annotations

import msgspec

from proxyswitch.drivers.swarm import words
from proxyswitch.drivers.swarm.follow import Follower
from proxyswitch.drivers.swarm.seen import Seen, newest
from proxyswitch.drivers.swarm.status import why
from proxyswitch.drivers.swarm.values import PAUSED
from proxyswitch.errors import Failed

FORWARD = ("", "updating", "completed")  # Swarm goes through these, and stays at the last
BACK = ("rollback_started", "rollback_completed")


class Before(msgspec.Struct, frozen=True):
    """What a release must know to go back, written before it begins. `mark` is that of the service then."""

    mark: str
    image: str
    version: str
    leaving: tuple[str, ...] = ()

    @classmethod
    def of(cls, seen: Seen) -> Before:
        build = seen.service.build
        return cls(seen.service.mark, build.image, build.version, tuple(task.id for task in seen.tasks if task.wanted))


def forward(follower: Follower, seen: Seen, argv: words.Argv) -> None:
    """To a new version. Raises Failed, with what its tasks said, when Swarm gives up; it may have gone back by then."""
    _follow(follower, seen, argv, FORWARD)


def back_again(follower: Follower, seen: Seen) -> None:
    """To the version before, by Swarm's own memory: its environment and all else are as they were, too."""
    _follow(follower, seen, words.back(follower.client.settings), BACK)


def _follow(follower: Follower, before: Seen, argv: words.Argv, way: tuple[str, ...]) -> None:
    follower.client.tell(argv)
    ours, old = follower.now().service.mark, before.service.mark
    known = frozenset(task.id for task in before.tasks)

    def arrived(seen: Seen) -> bool:
        """All tasks are of the new version, and Swarm has monitored them for its time."""
        failed = newest(task for task in seen.tasks if task.failed and task.id not in known)
        done = seen.service.update == way[-1]
        if seen.service.mark in {ours} - {old} and seen.service.update in way and not (done and failed and not seen.settled):
            return done and seen.settled
        told = why(follower.client, failed) or seen.service.told or "somebody else has changed it"
        raise Failed(f"Swarm did not bring {follower.client.settings.service} to the new version: {told}")

    follower.until(arrived, float(follower.client.settings.timeout))


def revert(follower: Follower, before: Before) -> None:
    """Back from an update that may not have begun, be under way, stand still, or have been taken back by Swarm itself.

    By the service's own memory where that is of the version before, else by its image. Raises Failed.
    """
    client, now = follower.client, follower.now()
    by_image = words.started(client.settings, before.image, {"APP_VERSION": before.version})
    if before.mark == now.service.mark_before != now.service.mark:
        client.tell(words.back(client.settings))
    elif before.mark != now.service.mark:
        follower.report(f"warning: somebody else changed {client.settings.service}; only its image goes back")
        client.tell(by_image)
    elif _stopped(now):  # an earlier way back
        client.tell(by_image)
    _came_back(follower, before)


def _came_back(follower: Follower, before: Before) -> None:
    client = follower.client

    def at_rest(seen: Seen) -> bool:
        if _stopped(seen):
            raise Failed(why(client, seen.failures) or f"Swarm stopped on the way: {seen.service.told}")
        return seen.settled

    build = follower.until(at_rest, float(client.settings.timeout)).service.build
    if (build.image, build.version) != (before.image, before.version):
        raise Failed(f"it runs {build.image}, not {before.image}")


def _stopped(seen: Seen) -> bool:
    return seen.service.update in PAUSED and not seen.settled
