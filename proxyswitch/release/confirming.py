"""A release is confirmed: it stays for good, and its `contract` migrations run, once, when nothing older runs any more."""

from __future__ import annotations

from proxyswitch import durations
from proxyswitch.errors import Failed, NeedsPerson, UsageError
from proxyswitch.release import history, migrations, running, steps
from proxyswitch.release.deploy import Request
from proxyswitch.release.history import Entry
from proxyswitch.release.pools import past
from proxyswitch.release.world import World
from proxyswitch.system import clock


def waiting(app: str) -> list[Entry]:
    """The releases of an app that stand and are not confirmed, the oldest first."""
    return [entry for entry in past().standing(app) if entry.at > _last(app)]


def _last(app: str) -> float:
    """When an app was last confirmed, in seconds since 1970."""
    done = (e.at for e in past().entries() if e.kind == history.CONFIRM and e.app == app)
    return max(done, default=0.0)


def refuse_back(world: World, request: Request) -> None:
    """Raise UsageError where a release would go back whose database has been contracted: the old version may not know it."""
    migrate, ids = world.app(request.app).migrate, request.undoes.split()
    confirmed = [e for e in past().standing(request.app) if e.id in ids and e.at <= _last(request.app)]
    if confirmed and migrate and migrate.contract is not None:
        raise UsageError(
            f"{request.app} {confirmed[-1].version} is confirmed, and its contract migrations have run:"
            f" {request.version} may not know the database any more",
            next_step="release a version that does; or go back all the same with --force",
        )


def due(world: World, app: str) -> bool:
    """True when the last release of an app is old enough to be confirmed by itself."""
    migrate, found = world.app(app).migrate, waiting(app)
    if migrate is None or migrate.confirm_after is None or not found:
        return False
    return clock.wall() - found[-1].at >= float(migrate.confirm_after)


def confirm(world: World, app: str) -> Entry | None:
    """Confirm what is live; None when it is confirmed already. Raises UsageError while an older version still runs,
    NeedsPerson when a migration fails."""
    with world.lock_app(app):
        running.recover(world, app)
        found = waiting(app)
        if not found:
            return None
        last, begun = found[-1], clock.now()
        _refuse_others(world, app, last)
        for entry in found:
            _contract(world, app, entry)
        entry = history.entry(
            history.CONFIRM,
            id=history.new_id(),
            app=app,
            version=last.version,
            slot=last.slot,
            release=last.id,
            seconds=round(clock.now() - begun, 3),
        )
        past().add(entry)
        return entry


def _refuse_others(world: World, app: str, last: Entry) -> None:
    """An old version would meet a database that it does not know."""
    for slot, there in world.instances(app).items():
        if there and there.version != last.version:
            raise UsageError(
                f"{app} {there.version or '(version unknown)'} still runs in slot {slot}: it may need what contract removes",
                next_step=f"stop it first: proxyswitch stop {app}:{slot}",
            )
    if not any(world.instances(app).values()):
        raise UsageError(
            f"{app} does not run: nobody can say that {last.version} is well", next_step=f"proxyswitch status {app}"
        )


def _contract(world: World, app: str, entry: Entry) -> None:
    try:
        migrations.run(world, steps.Migrate(app, migrations.CONTRACT, entry.version, entry.slot))
    except Failed as error:
        raise NeedsPerson(
            error.what,
            state=f"{app} {entry.version} serves, and is not confirmed; what the migration did to the database stays",
            next_step=error.next_step,
        ) from error


def words(entry: Entry) -> str:
    """What was done, in a line."""
    return f"{entry.app}: {entry.version} is confirmed ({durations.show(entry.seconds)})"
