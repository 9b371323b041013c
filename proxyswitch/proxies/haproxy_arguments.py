"""The command line of HAProxy: its config files, where it works, its master socket, and what `haproxy -c` must get too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from proxyswitch.model import Endpoint

VALUED = frozenset("CnmNLfpxS")  # options with one value, by their first letter
HERE = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # an address to connect to


class Arguments(NamedTuple):
    """The command line of an HAProxy.

    `files` are those of each `-f` and behind `--`, absolute as long as the folder it works in may be known; a folder among
    them is not expanded. `master_socket` is the address of `-S` without its options. `rest` holds the options that
    `haproxy -c` must get too: `-W` is among them, since a config with a `program` section is refused without, and `-q` is
    not, since it hides the alerts. `command` is the whole line, without what a master adds for a reload.
    """

    files: tuple[str, ...] = ()
    folder: str = ""
    pidfile: str = ""
    master_socket: str = ""
    rest: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def master_endpoint(self) -> Endpoint | None:
        """Where the master socket listens; None where there is none, or none that we can reach (abstract)."""
        return socket_address(self.master_socket)


def options(words: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each option with its values, as HAProxy reads them (`init` in its src/haproxy.c): by the first letters.

    A value is always a word of its own. `-sf` and `-st` take all pids that follow, and so do options that may or may not
    have a value (`-dt`). Behind `--` there are only files.
    """
    at = 0
    while at < len(words):
        flag = words[at]
        at += 1
        if flag == "--":
            yield flag, tuple(words[at:])
            return
        end = at + 1 if flag[1:2] in VALUED else at
        while end < len(words) and flag[1:2] not in VALUED and not words[end].startswith("-"):
            end += 1
        yield flag, tuple(words[at:end])
        at = end


def parse(words: Sequence[str], folder: str) -> Arguments:
    """Read a command line, the program's name included. `folder` is where relative names count from."""
    found: dict[str, list[str]] = {"f": [], "p": [], "S": []}
    rest: list[str] = []
    command: list[str] = list(words[:1])
    for flag, values in options(words[1:]):
        kind = "f" if flag == "--" else flag[1:2]
        if kind in found:
            found[kind] += values
        elif _checked(flag):
            rest += ["-W"] if kind == "W" else [flag, *values]
        if not _of_a_reload(flag, values):
            command += [flag, *values]
    pidfile, master = found["p"][-1:], found["S"][:1]
    return Arguments(
        files=tuple(os.path.normpath(os.path.join(folder, name)) for name in found["f"]),
        folder=folder,
        pidfile=os.path.join(folder, pidfile[0]) if pidfile else "",
        master_socket=_without_options(master[0], folder) if master else "",
        rest=tuple(rest),
        command=tuple(command),
    )


def _checked(flag: str) -> bool:
    """True for an option that can change what a config means to HAProxy, or whether it is refused."""
    return flag[1:2] in "nmNLWd" and flag not in ("-d", "-db") and len(flag) > 1


def _of_a_reload(flag: str, values: tuple[str, ...]) -> bool:
    return flag[1:3] in ("sf", "st") or (flag[1:2] == "x" and values[:1] != () and values[0].startswith("sockpair@"))


def _without_options(text: str, folder: str) -> str:
    """The address of a `-S`: `unix@/run/m.sock,level,operator` is `/run/m.sock`."""
    address = text.partition(",")[0]
    if address.startswith("unix@"):
        return os.path.join(folder, address.removeprefix("unix@"))
    return address


def socket_address(text: str) -> Endpoint | None:
    """A socket's address as HAProxy writes it; None for one that we cannot reach, such as `abns@name`, or for nothing."""
    if text.startswith(("/", "unix@/")):
        return Endpoint(path=text.removeprefix("unix@"))
    host, colon, port = re.sub(r"^ipv[46]@", "", text).rpartition(":")
    if not colon or not port.isdecimal() or "@" in host:
        return None
    host = host.strip("[]")
    return Endpoint(HERE.get(host, host), int(port))


def replaced(words: Sequence[str]) -> frozenset[int]:
    """The pids that a process with this command line told to finish."""
    pids = (value for flag, values in options(words[1:]) if flag[1:3] in ("sf", "st") for value in values)
    return frozenset(int(pid) for text in pids for pid in text.split() if pid.isdecimal())
