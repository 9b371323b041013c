"""Find HAProxy: the program, what was compiled into it, and what runs, with the arguments it was started with.

In master-worker mode the master is the instance, and its children are the workers. After a reload the master executes
itself again; while it loads, its command line begins with `-sf PID… -x sockpair@…`, and that of each later worker does so
for good: it names the workers that were told to finish.

Without a master the process is the instance. After a reload the old process lives on until its connections end: of those
with the same config files the one that was started last is the instance, the others are old.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from proxyswitch.errors import UsageError
from proxyswitch.model import ProcessId
from proxyswitch.proxies.haproxy_arguments import Arguments, options, parse, replaced
from proxyswitch.system import files, proc
from proxyswitch.system.signals import number

NAME = re.compile(r"haproxy(?:-?\d[\w.+-]*)?")  # haproxy28 and haproxy-3.0.5 too, but no exporter and no wrapper
PLACES = ("/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/opt/haproxy/sbin/haproxy")
CONF = "/etc/haproxy/haproxy.cfg"
INSTALL = 'install it (apt-get install haproxy), or name it in proxyswitch.toml: haproxy.binary = "/path/to/haproxy"'

# What a master tells itself across its own execution, and systemd's addresses: no other process may act on them.
INTERNAL = frozenset(
    {
        "HAPROXY_MWORKER_REEXEC",
        "HAPROXY_MWORKER_WAIT_ONLY",
        "HAPROXY_PROCESSES",
        "HAPROXY_STARTUPLOGS_FD",
        "HAPROXY_LOAD_SUCCESS",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    }
)


class Build(NamedTuple):
    """What `haproxy -vv` tells: the version, what is compiled in (such as OPENSSL, LUA), and the version's whole text."""

    version: tuple[int, ...]
    features: frozenset[str]
    text: str
    openssl: tuple[int, ...] = ()


class Instance(NamedTuple):
    """A running HAProxy: its master where there is one, else its only process.

    `environment` is what the process was started with (less what concerns a master only), {} where we may not read it.
    """

    process: ProcessId
    master: bool
    binary: str
    arguments: Arguments
    environment: Mapping[str, str]


class Workers(NamedTuple):
    """The processes that serve: those that accept connections, and those that only finish what they have."""

    current: tuple[ProcessId, ...]
    old: tuple[ProcessId, ...]


class Reloads(NamedTuple):
    """How often a master has reloaded, how many of the last attempts failed, and whether one is under way."""

    total: int
    failed: int
    loading: bool


# the program


def find_binary(named: str = "") -> str:
    """The path of HAProxy. Raises UsageError, with how to install it."""
    found = shutil.which(named or "haproxy") or next((p for p in PLACES if not named and os.access(p, os.X_OK)), None)
    if not found:
        raise UsageError(f"HAProxy was not found{f': {named}' if named else ' on this machine'}", next_step=INSTALL)
    return found


@lru_cache(maxsize=4)
def version(binary: str) -> Build:
    """Ask the program. Raises UsageError when it does not answer as HAProxy does."""
    from proxyswitch.proxies import openssl
    from proxyswitch.system.run import Command, run

    result = run(Command((binary, "-vv"), timeout=10))
    match = re.match(r"HA-?Proxy version (\S+)", result.out)
    if not result.ok or not match:
        raise UsageError(f"{binary} -vv does not answer as HAProxy does: {result.reason()}", next_step=INSTALL)
    return Build(numbers(match[1]), _features(result.out), match[1], openssl.version(result.out))


def numbers(text: str) -> tuple[int, ...]:
    """The version as numbers: `2.6.12-1+deb12u4` is (2, 6, 12), `3.2-dev5` is (3, 2)."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(n) for n in match[0].split(".")) if match else ()


def _features(text: str) -> frozenset[str]:
    """From the feature list; versions before 2.1 have only the build options, such as USE_OPENSSL=1."""
    listed = re.search(r"^Feature list : (.*)$", text, re.MULTILINE)
    found = re.findall(r"\+(\w+)", listed[1]) if listed else re.findall(r"\bUSE_(\w+)=[^0\s]", text)
    return frozenset(found)


# what runs


class _Seen(NamedTuple):
    """A process of HAProxy's, master, worker or plain; its parent as it was then, for it may end at any moment."""

    process: ProcessId
    parent: int
    words: tuple[str, ...]
    exe: str

    @property
    def arguments(self) -> Arguments:
        return parse(self.words, _folder(self))


def here() -> bool:
    """True when HAProxy has a config at the usual place, or runs."""
    return os.path.exists(CONF) or bool(instances())


def instances() -> list[Instance]:
    """Every HAProxy of this machine that serves and is not in a container of its own."""
    seen = _all()
    tops = [s for s in seen.values() if s.parent not in seen]
    masters = [s for s in tops if _is_master(s, seen)]
    plain: dict[tuple[str, ...], list[_Seen]] = {}
    for s in tops:
        if s not in masters:
            plain.setdefault(s.arguments.files, []).append(s)
    return [_instance(s, True) for s in masters] + [_instance(_newest(group), False) for group in plain.values()]


def workers(instance: Instance) -> Workers:
    """Who serves now, as far as the processes show it: the master socket knows better."""
    return workers_of(instance.process, instance.master, instance.arguments.files)


def workers_of(process: ProcessId, master: bool, names: tuple[str, ...]) -> Workers:
    """The same of a master, or of the plain processes that have these config files.

    A worker counts as old when a later one has told it to finish, a plain process when a later one with its files runs.
    """
    if master:
        found = [s for s in map(_seen, proc.children(process.pid)) if s and proc.alive(process)]
        old = [s for s in found if any(_replaces(other, s) for other in found)]
    else:
        found = _plain(names)
        old = [s for s in found if s is not _newest(found)]
    return Workers(tuple(s.process for s in found if s not in old), tuple(s.process for s in old))


def accepts(process: ProcessId) -> bool | None:
    """True while it listens on any TCP port; None where we may not know (another user's process, no netlink).

    A worker counts as old as soon as it was told to finish. It may take a moment, or the time of `grace` in the config,
    before it closes its ports: so long it gets new connections.
    """
    from proxyswitch.system import sockdiag

    try:
        numbers = os.listdir(f"/proc/{process.pid}/fd")
        open_files = {proc.link(process.pid, f"fd/{number}") for number in numbers}
        return any(f"socket:[{row.inode}]" in open_files for row in sockdiag.rows(sockdiag.LISTEN))
    except FileNotFoundError:
        return False
    except OSError:
        return None


def reloads(master: ProcessId) -> Reloads | None:
    """What a master says of its reloads in its own environment, which versions 2.4 to 3.0 renew at each.

    None where it may not be read, or where the version keeps no such account.
    """
    environment = proc.environment(master.pid)
    about = environment.get("HAPROXY_PROCESSES", "")
    own = next((row for row in about.split("|") if row.startswith("type=m;")), "")
    fields = dict(field.partition("=")[::2] for field in own.split(";"))
    if not own or not (2, 4) <= numbers(environment.get("HAPROXY_STARTUP_VERSION", "")) < (3, 1):
        return None
    total, failed = (int(fields.get(name) or 0) for name in ("reloads", "failedreloads"))
    return Reloads(total, failed, "HAPROXY_MWORKER_WAIT_ONLY" not in environment)


def heeds_signals(master: ProcessId) -> bool:
    """True when a master would act on SIGUSR2: while it loads, or has just executed itself, the signal would be lost."""
    told = reloads(master)
    return not (told and told.loading) and _catches(master.pid, number("USR2"))


def _catches(pid: int, signum: int) -> bool:
    """True when the process has a handler for that signal, and does not block it (proc_pid_status(5))."""
    try:
        lines = files.read_text(f"/proc/{pid}/status").splitlines()
    except OSError:
        return False
    masks = {name: int(mask, 16) for name, _, mask in (row.partition(":") for row in lines) if name in ("SigCgt", "SigBlk")}
    bit = 1 << (signum - 1)
    return bool(masks.get("SigCgt", 0) & bit) and not masks.get("SigBlk", 0) & bit


def _all() -> dict[int, _Seen]:
    found = (_seen(pid) for pid in proc.pids())
    return {s.process.pid: s for s in found if s}


def _seen(pid: int) -> _Seen | None:
    """The process if it is an HAProxy that serves: one that only checks a config is none."""
    words = proc.arguments(pid)
    exe = proc.link(pid, "exe").removesuffix(" (deleted)")
    if not words or not NAME.fullmatch(os.path.basename(exe or words[0])):
        return None
    if any(flag[1:2] in ("c", "v", "h") for flag, _ in options(words[1:])) or not parse(words, "/").files:
        return None
    process, parent = proc.identify(pid), proc.parent(pid)
    if process is None or not parent or not proc.sees_our_files(pid):
        return None
    return _Seen(process, parent, words, exe)


def _plain(names: tuple[str, ...]) -> list[_Seen]:
    """The plain processes with those config files, of whatever age."""
    seen = _all()
    tops = [s for s in seen.values() if s.parent not in seen]
    return [s for s in tops if s.arguments.files == names and not _is_master(s, seen)]


def _is_master(s: _Seen, seen: dict[int, _Seen]) -> bool:
    """By `-W`, or by its workers: `master-worker` can stand in the config too."""
    if any(flag.startswith("-W") for flag, _ in options(s.words[1:])):
        return True
    return any(other.parent == s.process.pid for other in seen.values())


def _newest(group: list[_Seen]) -> _Seen:
    """Start times count in 0.01 s: of two that started at once, the one that nobody tells to finish."""
    return max(group, key=lambda s: (s.process.start, not any(_replaces(other, s) for other in group), s.process.pid))


def _replaces(later: _Seen, earlier: _Seen) -> bool:
    """True when it was told to finish by the other. A pid that was used again is told by the start times."""
    return earlier.process.pid in replaced(later.words) and earlier.process.start <= later.process.start


def _instance(s: _Seen, master: bool) -> Instance:
    environment = {k: v for k, v in proc.environment(s.process.pid).items() if k not in INTERNAL}
    return Instance(s.process, master, _binary(s), s.arguments, environment)


def _binary(s: _Seen) -> str:
    """The program file; after an upgrade the file that took its place."""
    for path in (s.exe, s.words[0]):
        if path.startswith("/") and os.access(path, os.X_OK):
            return path
    return find_binary(os.path.basename(s.words[0]))


def _folder(s: _Seen) -> str:
    """The folder it works in. It has entered that of `-C` already, unless `chroot` has moved it away since."""
    given = next((values[0] for flag, values in options(s.words[1:]) if flag[1:2] == "C" and values), "")
    if given.startswith("/"):
        return os.path.normpath(given)
    pid = s.process.pid
    if proc.link(pid, "root") in ("/", ""):
        return proc.link(pid, "cwd")
    return os.path.normpath(os.path.join(proc.environment(pid).get("PWD", ""), given))


# systemd


def unit_of(process: ProcessId) -> str:
    """The systemd service that the process runs in; empty where there is none."""
    return unit_in(proc.cgroup(process.pid))


def unit_in(cgroup: str) -> str:
    """The service in the text of /proc/PID/cgroup, of version 1 or 2 (cgroups(7)).

    A service of a user's own manager is not given: that manager answers to this user only.
    """
    rows = [line.split(":", 2) for line in cgroup.splitlines()]
    paths = [row[2] for row in rows if len(row) == 3 and row[1] in ("", "name=systemd")]
    for path in paths:
        *above, last = path.split("/")
        if last.endswith(".service") and not any(name.startswith("user@") for name in above):
            return last
    return ""
