"""Have HAProxy load its config anew. That it did so is for `haproxy_reload` to prove: nobody who is asked here tells.

In this order: the master socket, the systemd service that it is the main process of, SIGUSR2 to the master. Without a master
a second process is started beside the first, with its command line and `-sf`: it ends with an error when it cannot take
over, and HAProxy's alerts are on its standard error.

Whoever is asked: to bind a port that is in use HAProxy tries for up to 2 s, and lets the old worker close its own ports
meanwhile. Clients are refused for so long, though the old worker goes on afterwards.
"""

from __future__ import annotations

import os
import re

from proxyswitch import polling
from proxyswitch.conf.haproxy.config import expand
from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint
from proxyswitch.proxies.base import NotTaken
from proxyswitch.proxies.haproxy_arguments import options
from proxyswitch.proxies.haproxy_process import Instance, heeds_signals, unit_of
from proxyswitch.proxies.haproxy_stage import messages
from proxyswitch.system import files, proc, signals
from proxyswitch.system.run import Command, run

START_TIMEOUT = 120.0  # seconds: names of servers are resolved, one after the other
READY_TIMEOUT = 10.0
STEP = "mend what it says, then run it again; haproxy -c does not show everything, such as a port in use"


def reload(instance: Instance, socket: str) -> None:
    """Have the config loaded anew, by whatever runs this HAProxy. `socket` is the master socket, if that answers.

    Raises UsageError when it may not or cannot be done, NotTaken when HAProxy says that it has failed.
    """
    check(instance)
    if not instance.master:
        unit = _unit(instance)
        return _by_systemd(unit, instance) if unit else _start_beside(instance)
    if socket:
        return _by_master_socket(Endpoint.parse(socket))
    unit = _unit(instance)
    return _by_systemd(unit, instance) if unit else _by_signal(instance)


def check(instance: Instance) -> None:
    """Raise UsageError when a reload would do harm, or is not possible: before anything is changed."""
    if instance.master:
        _check_folder(instance)
    elif not _unit(instance):
        _check_plain(instance)


def _by_master_socket(socket: Endpoint) -> None:
    from proxyswitch.proxies.haproxy_socket import Master

    verdict = Master(socket).reload()
    if verdict.success is False:
        raise NotTaken(f"HAProxy did not take the reload: {_reasons(verdict.log)}", next_step=STEP)


def _by_systemd(unit: str, instance: Instance) -> None:
    _wait_for(instance)
    result = run(Command(("systemctl", "reload", unit), timeout=START_TIMEOUT))
    if not result.ok:
        why = result.err.strip() or result.reason()
        raise NotTaken(f"systemctl reload {unit} failed: {why}", next_step=f"look with: journalctl -u {unit} -n 30")


def _wait_for(instance: Instance) -> None:
    """A master that has just been started or reloaded would lose the signal."""
    if instance.master:
        polling.until(lambda: _ready(instance) or None, READY_TIMEOUT, first=0.002, longest=0.05)


def _ready(instance: Instance) -> bool:
    return heeds_signals(instance.process) or not proc.alive(instance.process)


def _by_signal(instance: Instance) -> None:
    _wait_for(instance)
    if not signals.send(instance.process, signals.number("USR2")):
        raise NotTaken(f"the HAProxy master {instance.process.pid} is gone: it ended before it could be told to reload")


def _start_beside(instance: Instance) -> None:
    """The second process forks into the background when it has bound all ports, and has told the first to finish."""
    argv = (instance.binary, "-sf", str(instance.process.pid), *instance.arguments.command[1:])
    if not proc.alive(instance.process):
        raise NotTaken(f"HAProxy (pid {instance.process.pid}) is gone: it ended before it could be replaced")
    result = run(Command(argv, START_TIMEOUT, instance.arguments.folder or None, instance.environment))
    if not result.ok:
        raise NotTaken(f"a new HAProxy could not take over: {_reasons(result.err) or result.reason()}", next_step=STEP)


def _reasons(text: str) -> str:
    """HAProxy's alerts in a text of its log, else the last line of it."""
    alerts = [str(m) for m in messages(text) if m.level == "ALERT"]
    return "; ".join(alerts[:3]) or next(reversed(text.strip().splitlines()), "")


def _unit(instance: Instance) -> str:
    """The systemd service whose main process this is. One that HAProxy was started in by hand is another's."""
    unit = unit_of(instance.process)
    if not unit:
        return ""
    shown = run(Command(("systemctl", "show", "--property=MainPID", "--value", unit), timeout=10))
    return unit if shown.ok and shown.out.strip() == str(instance.process.pid) else ""


def _check_folder(instance: Instance) -> None:
    """A master enters the folder of `-C` again at each reload, from where it is: a relative one ends it then."""
    for flag, values in options(instance.arguments.command[1:]):
        if flag[1:2] == "C" and values and not _stays(instance.arguments.folder, values[0]):
            raise UsageError(
                f"HAProxy was started with `-C {values[0]}`: at a reload its master would look for that folder inside the"
                " folder where it is already, and end with all its workers",
                next_step="give -C an absolute folder, and restart HAProxy once",
            )


def _stays(folder: str, given: str) -> bool:
    try:
        return os.path.samefile(os.path.join(folder, given), folder)
    except OSError:
        return os.path.isabs(given)


def _check_plain(instance: Instance) -> None:
    """Only a daemon can be replaced by a second process: whoever started one in the foreground waits for its end."""
    flags = [flag for flag, _ in options(instance.arguments.command[1:])]
    if {"-db", "-d"} & set(flags) or not ("-D" in flags or _says(instance, "daemon")):
        raise UsageError(
            f"HAProxy (pid {instance.process.pid}) runs in the foreground and without a master: only who started it can"
            " restart it",
            next_step="run it in master-worker mode (haproxy -W -S /run/haproxy-master.sock …), or as a daemon (-D)",
        )
    if not signals.may_signal(instance.process):
        raise UsageError(
            f"no permission to replace HAProxy (pid {instance.process.pid})",
            next_step="run it as the user who started HAProxy, or with sudo",
        )
    owner = proc.owner(instance.process.pid)
    if os.geteuid() == 0 and owner and not (_says(instance, "user") or _says(instance, "uid")):
        raise UsageError(
            f"HAProxy (pid {instance.process.pid}) was started by the user with the id {owner}: started by root, the new one"
            " would run as root",
            next_step="run it as that user",
        )


def _says(instance: Instance, keyword: str) -> bool:
    """True when a line of the config begins with that word."""
    pattern = re.compile(rb"^[ \t]*" + keyword.encode() + rb"(?=[ \t\r#]|$)", re.MULTILINE)
    try:
        return any(pattern.search(files.read(path)) for path in expand(instance.arguments.files))
    except OSError:
        return False
