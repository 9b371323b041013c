"""Find nginx: the program, what was compiled into it, and the running master with the arguments it was started with."""

from __future__ import annotations

import os
import re
import shutil
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from proxyswitch.errors import UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import proc

if TYPE_CHECKING:  # it costs time at the start, which `get` need not spend
    from proxyswitch.system.run import Result

TITLE = "nginx: master process "
PLACES = (
    "/usr/sbin/nginx",
    "/usr/local/sbin/nginx",
    "/usr/local/nginx/sbin/nginx",
    "/usr/local/openresty/nginx/sbin/nginx",
)
INSTALL = 'install it (apt-get install nginx), or name it in proxyswitch.toml: nginx.binary = "/path/to/nginx"'


class Build(NamedTuple):
    """What `nginx -V` tells: version and compiled-in places, which may be relative to the prefix."""

    version: tuple[int, ...]
    prefix: str
    conf: str
    pid: str
    error_log: str
    access_log: str
    openssl: tuple[int, ...] = ()


class Arguments(NamedTuple):
    """The arguments of nginx that matter to a config: those of `-c`, `-p`, `-g` and `-e`; empty where not given."""

    conf: str = ""
    prefix: str = ""
    globals: str = ""
    error_log: str = ""


class Master(NamedTuple):
    """A running master process."""

    process: ProcessId
    binary: str
    arguments: Arguments


def find_binary(named: str = "") -> str:
    """The path of nginx. Raises UsageError, with how to install it."""
    found = shutil.which(named or "nginx") or next((p for p in PLACES if not named and os.access(p, os.X_OK)), None)
    if not found:
        raise UsageError(f"nginx was not found{f': {named}' if named else ' on this machine'}", next_step=INSTALL)
    return found


@lru_cache(maxsize=4)
def build(binary: str) -> Build:
    """Ask the program. Raises UsageError when it does not answer as nginx does."""
    from proxyswitch.system.run import Command, run

    return read_build(run(Command((binary, "-V"), timeout=10)), binary)


def read_build(result: Result, binary: str) -> Build:
    """What `nginx -V` said. Raises UsageError when that is not what nginx says."""
    from proxyswitch.proxies import openssl

    version = re.search(r"nginx version: \S+?/([\d.]+)", result.err)
    if not result.ok or not version:
        raise UsageError(f"{binary} -V does not answer as nginx does: {result.reason()}", next_step=INSTALL)
    return Build(
        tuple(int(n) for n in version[1].strip(".").split(".")),
        _option(result.err, "prefix", "/usr/local/nginx"),
        _option(result.err, "conf-path", "conf/nginx.conf"),
        _option(result.err, "pid-path", "logs/nginx.pid"),
        _option(result.err, "error-log-path", "logs/error.log"),
        _option(result.err, "http-log-path", "logs/access.log"),
        openssl.version(result.err),
    )


def _option(text: str, name: str, default: str) -> str:
    match = re.search(rf"--{name}=(\S+)", text)
    return match[1] if match else default


def parse_title(title: str) -> tuple[str, Arguments]:
    """The program and its arguments from a master's title, where nginx has joined the words by spaces.

    A value reaches to the next word that is an option of nginx's: `-g daemon off; -c /x` has two.
    """
    words = title.removeprefix(TITLE).split(" ")
    values: dict[str, list[str]] = {}
    current: list[str] = []
    for word in words[1:]:
        match = re.fullmatch(r"-([?hvVtTqscpge])(.*)", word)
        if match:
            current = values.setdefault(match[1], [])
            current += [match[2]] if match[2] else []
        else:
            current.append(word)
    given = {option: " ".join(value) for option, value in values.items()}
    return words[0], Arguments(given.get("c", ""), given.get("p", ""), given.get("g", ""), given.get("e", ""))


def here() -> bool:
    """True when nginx is installed or runs."""
    return shutil.which("nginx") is not None or any(os.access(p, os.X_OK) for p in PLACES) or bool(masters())


def masters() -> list[Master]:
    """Every nginx master of this machine that is not in a container of its own."""
    found = (master_at(pid) for pid in proc.pids())
    return [m for m in found if m]


def master_at(pid: int) -> Master | None:
    """The master with that pid; None when the process is something else, or in a container."""
    process = titled(pid)
    if process is None or not proc.sees_our_files(pid):
        return None
    program, arguments = parse_title(proc.title(pid))
    return Master(process, _binary(pid, program), _absolute(pid, arguments))


def titled(pid: int) -> ProcessId | None:
    """The process with that pid if it is an nginx master, in a container or not."""
    if not proc.title(pid).startswith(TITLE):
        return None
    if proc.title(proc.parent(pid)).startswith(TITLE):
        return None  # a child so young that it still carries its master's title
    return proc.identify(pid)


def _binary(pid: int, program: str) -> str:
    """The program file; after an upgrade the file that took its place."""
    for path in (proc.link(pid, "exe").removesuffix(" (deleted)"), program):
        if path.startswith("/") and os.access(path, os.X_OK):
            return path
    return find_binary(os.path.basename(program)) if program else find_binary()


def _absolute(pid: int, given: Arguments) -> Arguments:
    """A relative prefix counts from the folder in which the master was started."""
    if not given.prefix or given.prefix.startswith("/"):
        return given
    folder = proc.link(pid, "cwd") or os.getcwd()
    prefix = os.path.normpath(os.path.join(folder, given.prefix))
    return Arguments(given.conf, prefix, given.globals, given.error_log)


def prefix_of(binary: str, arguments: Arguments) -> str:
    """The folder that relative pid and log files start from, and a relative `-c`."""
    return arguments.prefix or build(binary).prefix


def conf_of(binary: str, arguments: Arguments) -> str:
    """The main config file as nginx was given it; a relative name counts from the prefix."""
    return arguments.conf if arguments.conf.startswith("/") else conf_in(build(binary), arguments)


def conf_in(built: Build, arguments: Arguments) -> str:
    """The same for a program that was asked already."""
    return os.path.join(arguments.prefix or built.prefix, arguments.conf or built.conf)
