"""Which HAProxy is meant: by its config, by what runs, or by its runtime socket alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from proxyswitch.conf.haproxy import config as configs
from proxyswitch.conf.haproxy import running
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint
from proxyswitch.proxies import haproxy_process
from proxyswitch.proxies.base import Options, Several
from proxyswitch.proxies.haproxy_arguments import Arguments, socket_address
from proxyswitch.proxies.haproxy_process import CONF, Instance


class Found(NamedTuple):
    """The names given with `-f` (none where only a socket is known), and the process, if one runs with them."""

    names: tuple[str, ...]
    instance: Instance | None


def locate(options: Options) -> Found:
    """Find it. Raises UsageError when nothing is there, or when several could be meant."""
    if options.conf:
        return _named(options)
    if options.socket:
        return Found((), None)
    found = haproxy_process.instances()
    if len(found) > 1:
        listed = "; ".join(f"pid {i.process.pid} with {' '.join(i.arguments.files)}" for i in found)
        choices = {" ".join(i.arguments.files): i.process.pid for i in found}
        step = "name the config of yours with --haproxy-conf"
        raise Several(f"several HAProxy run here: {listed}", choices, next_step=step)
    if found:
        return Found(found[0].arguments.files, found[0])
    if not os.path.exists(CONF):
        haproxy_process.find_binary(options.binary)
        raise UsageError("no HAProxy runs here, and there is no " + CONF, next_step="name its config with --haproxy-conf")
    return Found((CONF,), None)


def _named(options: Options) -> Found:
    names = tuple(os.path.abspath(name) for name in (options.conf, *options.more))
    for name in names:
        if not os.path.exists(name):
            raise UsageError(f"{name}: no such config file", next_step="name the one that HAProxy is started with")
    reals = {os.path.realpath(name) for name in names}
    mine = [i for i in haproxy_process.instances() if reals <= {os.path.realpath(f) for f in i.arguments.files}]
    if len(mine) > 1:
        pids = ", ".join(str(i.process.pid) for i in mine)
        raise UsageError(f"several HAProxy run with {names[0]}: pids {pids}", next_step="end those that should not run")
    return Found(mine[0].arguments.files, mine[0]) if mine else Found(names, None)


def load(found: Found, options: Options) -> Config:
    """The config as it is on disk now, read as the running process reads it."""
    files = configs.expand(found.names)
    environment = found.instance.environment if found.instance else os.environ
    config = configs.load(files, Facts(env=environment or None))
    if not any(b".if" in document.data for document in config.documents):
        return config
    build = haproxy_process.version(binary(found, options))
    return configs.load(files, Facts(environment or None, build.version, build.features))


def binary(found: Found, options: Options) -> str:
    """The HAProxy program. Raises UsageError, with how to install it."""
    if found.instance and not options.binary:
        return found.instance.binary
    return haproxy_process.find_binary(options.binary)


def arguments(found: Found) -> Arguments:
    """The command line of the process; without one, that of a plain `haproxy -f …` in this folder."""
    return found.instance.arguments if found.instance else Arguments(files=found.names, folder=os.getcwd())


def environment(found: Found) -> Mapping[str, str]:
    return found.instance.environment if found.instance else {}


def sockets(config: Config, options: Options) -> list[Endpoint]:
    """The runtime sockets, the one to use first. Raises UsageError for a `--haproxy-socket` that is no address."""
    if options.socket:
        return [named_socket(options.socket)]
    found = [socket_address(s.address) for s in running.stats_sockets(config)]
    return [endpoint for endpoint in found if endpoint]


def named_socket(text: str) -> Endpoint:
    """A path, `unix:/path` or `host:port`."""
    try:
        return Endpoint.parse(f"unix:{os.path.abspath(text)}" if "/" in text and ":" not in text else text)
    except ValueError as error:
        raise UsageError(
            f"the runtime socket of HAProxy: {error}", next_step="write /run/haproxy/admin.sock or 127.0.0.1:9999"
        ) from None
