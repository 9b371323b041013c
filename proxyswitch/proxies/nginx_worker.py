"""May nginx's workers reach a folder? They do not run as root as a rule, and what they may not see is not there for them.

Mode bits are judged, for os.access cannot be asked for another user. Where an access list decides, the answer is that it
is unknown. A security module (SELinux, AppArmor) or a service's own mounts (PrivateTmp, ProtectHome) can bar more.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import shlex
import stat
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.errors import UsageError
from proxyswitch.model import ProcessId
from proxyswitch.proxies import nginx_reload
from proxyswitch.system import proc

ACCESS_LIST = "system.posix_acl_access"
MAX_LINKS = 40  # the kernel's own limit
ROOT = 0


class Identity(NamedTuple):
    """As whom a process reaches files: ids of user, group and further groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def __str__(self) -> str:
        return _user(self.uid)


def worker_identity(master: ProcessId) -> Identity | None:
    """As whom the workers of that running master reach files; None when it has none, or we may not see them."""
    now = nginx_reload.workers(master)
    for worker in (*now.active, *now.old):
        found = proc.credentials(worker.pid)
        if found:
            return Identity(*found)
    return None


def configured_identity(binary: str, user: str = "", group: str = "", *, as_root: bool = True) -> Identity:
    """As whom the workers would run. Raises UsageError for a user or group that this machine does not have.

    `user` and `group` are the words of the `user` directive; without them what was compiled in counts. Unless root starts
    nginx, nginx cannot change its user, and the workers run as we do.
    """
    if not as_root:
        return Identity(os.geteuid(), os.getegid(), tuple(os.getgroups()))
    if not user:
        user, group = _compiled_in(binary)
    try:
        uid, gid = pwd.getpwnam(user).pw_uid, grp.getgrnam(group or user).gr_gid
    except KeyError:
        raise UsageError(
            f"nginx is to run its workers as user {user}, group {group or user}, which this machine does not have",
            next_step='name another in nginx.conf: "user NAME GROUP;"',
        ) from None
    return Identity(uid, gid, tuple(os.getgrouplist(user, gid)))


def _compiled_in(binary: str) -> tuple[str, str]:
    """User and group of `nginx -V`; nginx's own defaults where it names none."""
    from proxyswitch.system.run import Command, run

    said = dict(re.findall(r"--(user|group)=(\S+)", run(Command((binary, "-V"), timeout=10)).err))
    user = said.get("user", "nobody")
    return user, said.get("group") or ("nogroup" if user == "nobody" and not _has_group(user) else user)


def _has_group(name: str) -> bool:
    try:
        return bool(grp.getgrnam(name))
    except KeyError:
        return False


def unreachable(path: str, identity: Identity) -> str | None:
    """Why that identity cannot look into a folder, with the chmod that would help; "" when it can, None when unknown.

    Every folder on the way needs search permission, those behind symlinks too, and the last one as well. Unknown is what
    an access list decides, and what we may not look at ourselves.
    """
    unknown = False
    try:
        for folder, status in _way(path):
            verdict = _may_enter(folder, status, identity)
            if verdict is False:
                return _barred(folder, status, identity)
            unknown = unknown or verdict is None
    except PermissionError:
        return None
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None if unknown else ""


def _way(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every folder that the kernel passes on its way into `path`, from the root on. Raises OSError."""
    here, links = "/", 0
    yield here, os.lstat(here)
    rest = os.path.join(os.getcwd(), path).split("/")[::-1]
    while rest:
        step = os.path.join(here, rest.pop())
        status = os.lstat(step)
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(step)
            here = "/" if target.startswith("/") else here
            rest += target.split("/")[::-1]
        elif stat.S_ISDIR(status.st_mode):
            here = os.path.normpath(step)  # no links are left in it: `..` is what it says
            yield here, status
        else:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def _may_enter(folder: str, status: os.stat_result, identity: Identity) -> bool | None:
    if identity.uid == ROOT:
        return True
    if identity.uid != status.st_uid and _has_access_list(folder):
        return None
    return bool(status.st_mode & _bit(status, identity))


def _has_access_list(folder: str) -> bool:
    try:
        return bool(os.getxattr(folder, ACCESS_LIST))
    except OSError:  # none, or a file system without them
        return False


def _bit(status: os.stat_result, identity: Identity) -> int:
    """The one bit that counts: the first class that fits, even where a later one would allow more."""
    if identity.uid == status.st_uid:
        return stat.S_IXUSR
    return stat.S_IXGRP if status.st_gid in (identity.gid, *identity.groups) else stat.S_IXOTH


def _barred(folder: str, status: os.stat_result, identity: Identity) -> str:
    who = {stat.S_IXUSR: "u", stat.S_IXGRP: "g", stat.S_IXOTH: "o"}[_bit(status, identity)]
    return (
        f"nginx's workers run as {identity}, who may not enter {folder}: its mode is {stat.S_IMODE(status.st_mode):04o} and"
        f" it belongs to {_user(status.st_uid)}; this would help: chmod {who}+x {shlex.quote(folder)}"
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"
