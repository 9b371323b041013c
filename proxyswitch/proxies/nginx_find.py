"""Which nginx is meant: by the config that was named, or by the one master that runs; and what its config says of itself."""

from __future__ import annotations

import os

from proxyswitch.conf.nginx import chain
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.errors import UsageError
from proxyswitch.proxies import nginx_master
from proxyswitch.proxies.base import Options, Several
from proxyswitch.proxies.nginx_master import Arguments, Master
from proxyswitch.system import files


def locate(options: Options) -> tuple[str, Master | None]:
    """The main config, and the master that runs with it. Raises UsageError when that is none or not one."""
    if options.conf:
        return _named(options.conf)
    found = nginx_master.masters()
    confs = {os.path.realpath(conf_of(m)): m for m in found}
    if len(confs) > 1:
        listed = "; ".join(f"pid {m.process.pid} with {conf_of(m)}" for m in confs.values())
        choices = {conf_of(m): m.process.pid for m in confs.values()}
        step = "name the config of yours with --nginx-conf"
        raise Several(f"several nginx run here: {listed}", choices, next_step=step)
    for master in confs.values():
        return conf_of(master), master
    return nginx_master.conf_of(nginx_master.find_binary(options.binary), Arguments()), None


def _named(conf: str) -> tuple[str, Master | None]:
    path = os.path.abspath(conf)
    if os.path.isdir(os.path.dirname(path)) and not os.access(os.path.dirname(path), os.X_OK):
        raise UsageError(f"{path}: no permission to read it", next_step="run it as a user who may")
    if not os.path.isfile(path):
        raise UsageError(f"{path}: no such config file", next_step="name the main config, such as nginx.conf")
    real = os.path.realpath(path)
    mine = [m for m in nginx_master.masters() if os.path.realpath(conf_of(m)) == real]
    if len(mine) > 1:
        # two masters with one config, as in the midst of an upgrade: the pid file tells which is to be signalled
        config = chain.load(path)
        mine = [m for m in mine if m.process.pid == pid_in_file(config, m.binary, m.arguments)] or mine
    return (conf_of(mine[0]), mine[0]) if mine else (path, None)


def pid_in_file(config: Config, binary: str, arguments: Arguments) -> int:
    """The pid in the config's pid file; 0 when there is none."""
    named = main_value(config, b"pid") or nginx_master.build(binary).pid
    try:
        return int(files.read(os.path.join(nginx_master.prefix_of(binary, arguments), named)))
    except (OSError, ValueError):
        return 0


def conf_of(master: Master) -> str:
    """Its main config."""
    return nginx_master.conf_of(master.binary, master.arguments)


def main_value(config: Config, name: bytes) -> str:
    """The first argument of the last such directive outside all blocks."""
    return next(iter(main_words(config, name)), "")


def main_words(config: Config, name: bytes) -> list[str]:
    """The arguments of the last such directive outside all blocks."""
    found: list[str] = []
    for visit in config.visits:
        for directive in visit.document.directives if not visit.context else ():
            if directive.name == name:
                found = visit.document.text(directive) or found
    return found


def user(config: Config) -> tuple[str, str]:
    """The words of the `user` directive; empty where there is none."""
    words = main_words(config, b"user")
    return words[0] if words else "", words[1] if len(words) > 1 else ""


def error_log(config: Config, binary: str, arguments: Arguments) -> str:
    """The main error log, if it is a file."""
    named = main_value(config, b"error_log") or arguments.error_log
    named = named or nginx_master.build(binary).error_log
    if named == "stderr" or named.startswith(("syslog:", "memory:")):
        return ""
    return os.path.join(nginx_master.prefix_of(binary, arguments), named)
