"""What stands in the way of a release by PM2, and what a person should know about an app of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from proxyswitch import durations
from proxyswitch.drivers.pm2.client import Client
from proxyswitch.drivers.pm2.orders import Definition, Orders
from proxyswitch.drivers.pm2.worker import CLUSTER, Worker
from proxyswitch.errors import UsageError
from proxyswitch.model import Problem


def gaps(orders: Orders, wanted: Definition, running: Sequence[Worker]) -> Iterator[UsageError]:
    """Why `pm2 reload` would not be zero-downtime."""
    where = f"apps.{orders.app}.pm2"
    modes = {worker.pm2_env.exec_mode for worker in running}
    clustered = modes == {CLUSTER} if running else wanted.clustered
    else_step = f"use two slots, or write allow_gap = true in {where}"
    if not clustered:
        yield UsageError(
            f"{orders.name} runs in fork mode, where pm2 reload is a restart: requests fail meanwhile",
            next_step=f'exec_mode = "cluster" (and a restart of the app, once), {else_step}',
        )
    if not wanted.waits:
        yield UsageError(
            f"PM2 does not wait until a new version of {orders.name} is ready: wait_ready is not set",
            next_step=f'let the app call process.send("ready") and set wait_ready = true, {else_step}',
        )


def astray(orders: Orders, running: Sequence[Worker]) -> Iterator[UsageError]:
    """Why a reload would start the same code again: PM2 keeps the path of the program."""
    link = orders.link
    for worker in running:
        paths = (worker.pm2_env.pm_exec_path, worker.pm2_env.pm_cwd)
        if link and not any(path == link or path.startswith(f"{link}/") for path in paths):
            yield UsageError(
                f"PM2 runs {orders.name} from {paths[0]}, not by the link {link}: a reload would start the same code again",
                next_step=f"start it by the link, once, with a gap: proxyswitch restart {orders.app}",
            )
            return


def problems(orders: Orders, wanted: Definition, running: Sequence[Worker], *, in_place: bool) -> Iterator[Problem]:
    """What is not zero-downtime, or would surprise."""
    where = f"apps.{orders.app}.pm2"
    if in_place:
        yield from _in_place(orders, wanted, running)
    if wanted.watch not in (None, False, "false", []):
        what = f"PM2 watches the files of {orders.name}, and restarts it when one changes, before any release"
        yield Problem(what, "remove watch from it")
    if orders.by_name and not running:
        yield Problem(f"nothing says how {orders.name} is started", f"name its ecosystem or script in {where}")


def _in_place(orders: Orders, wanted: Definition, running: Sequence[Worker]) -> Iterator[Problem]:
    where = f"apps.{orders.app}.pm2"
    yield from (Problem(fault.what, fault.next_step) for fault in gaps(orders, wanted, running))
    yield from (Problem(fault.what, fault.next_step) for fault in astray(orders, running))
    if not orders.settings.preflight:
        what = f"a version of {orders.app} that never gets ready ends the one that runs: preflight is off"
        yield Problem(what, "let the app listen at PORT, and remove preflight")
    if wanted.waits and not wanted.listen_timeout:
        given = durations.show(wanted.listens_within)
        yield Problem(
            f"PM2 ends the old workers after {given}, ready or not: listen_timeout is not set", f"set it in {where}"
        )
    if not wanted.kill_timeout:
        given = durations.show(wanted.ends_within)
        yield Problem(
            f"PM2 cuts requests that take longer than {given} at a release: kill_timeout is not set", f"set it in {where}"
        )
    if not orders.link:
        what = f"a release of {orders.app} that fails gets its environment back, but not its code"
        yield Problem(what, f"let it run from a link: current and release in {where}")


def boot(client: Client, orders: Orders, running: Sequence[Worker]) -> Iterator[Problem]:
    """What PM2 brings up at a boot is what was saved."""
    saved = client.saved()
    if running and (saved is None or orders.name not in saved):
        step = f"save = true in apps.{orders.app}.pm2, or: pm2 save; and once: pm2 startup"
        yield Problem(f"{orders.name} runs, and will not after a boot: PM2 has not saved it", step)
    elif not running and saved and orders.name in saved:
        yield Problem(f"{orders.name} does not run, and will after a boot: PM2 has saved it so", "pm2 save")


def unwritable(orders: Orders) -> Iterator[UsageError]:
    """The folder of the link."""
    folder = os.path.dirname(orders.link)
    if folder and os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK):
        yield UsageError(f"{folder}: no permission to write there", next_step="run it as a user who may")
