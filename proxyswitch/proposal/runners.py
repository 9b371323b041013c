"""Who runs an app: from who listens where its pool sends traffic, to the table of a driver. Pure."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable

from proxyswitch.model import Endpoint
from proxyswitch.proposal import in_docker, names
from proxyswitch.proposal.proposed import CHECK, FILL, Key, Runner
from proxyswitch.proposal.secrets import FILL as FILL_IN
from proxyswitch.proposal.seen import Listener, Pm2App, Release, Seen, Unit

PM2_NAME = re.compile(r"(?!\d+$)(?:[\w.-]|\{slot\}|\{port\})+")
UNIT_NAME = re.compile(r"(?:[A-Za-z0-9:_.@\\-]|\{slot\}|\{port\})+")


def find(at: Endpoint, seen: Seen) -> Runner:
    """Who runs what listens there, by the best sign there is."""
    listener = seen.listener(at)
    looks: tuple[Callable[[Endpoint, Listener | None, Seen], Runner | None], ...] = (
        _pm2,
        in_docker.look,
        _systemd,
        _gunicorn,
        _process,
        _ecosystem,
    )
    return next((found for look in looks if (found := look(at, listener, seen))), None) or _unknown(at, listener)


def _who(listener: Listener) -> str:
    title = f" ({listener.title})" if listener.title else ""
    return f"process {listener.pid}{title}"


# PM2


def _pm2(at: Endpoint, listener: Listener | None, seen: Seen) -> Runner | None:
    app = listener.pm2 if listener else None
    if app is None or listener is None:
        return None
    pattern, slot = names.split(app.name, at.port)
    if not PM2_NAME.fullmatch(pattern) or pattern == "all":
        return None
    in_place = pattern == app.name
    place = (Key("home", app.home, "the folder of that PM2"), *_user(app.user, seen)) if app.home else ()
    keys = (Key("name", pattern, f"its name in PM2: {app.name}, process {listener.pid}"), *place)
    more = _gap(app) if in_place else _source(app, seen)
    mode = app.mode.removesuffix("_mode") or "fork"
    return Runner("pm2", (*keys, *more), f"PM2 runs it as {app.name}, in {mode} mode", slot, in_place)


def _gap(app: Pm2App) -> tuple[Key, ...]:
    """A release in place that has a gap needs a person's yes."""
    if app.mode.startswith("cluster") and app.waits:
        return ()
    how = "has no wait_ready" if app.mode.startswith("cluster") else "runs in fork mode"
    why = f"{FILL}the app {how}, so requests can fail in a release: your yes, or wait_ready in cluster mode, or two slots"
    return (Key("allow_gap", True, why, True),)


def _source(app: Pm2App, seen: Seen) -> tuple[Key, ...]:
    """How the app of the other slot is started, which PM2 may not know yet."""
    file = next((one.path for one in seen.ecosystem if one.name == app.name), "")
    if file:
        return (Key("ecosystem", file, "the file that describes it; it must have an app for each slot"),)
    if not app.script:
        return ()
    script = Key("script", app.script, CHECK + "what PM2 starts, the same for both slots; PORT tells each its port")
    return (script, *((Key("cwd", app.cwd, "its folder"),) if app.cwd else ()))


def _ecosystem(at: Endpoint, listener: Listener | None, seen: Seen) -> Runner | None:
    """An app of a file, of which nothing runs."""
    app = next((one for one in seen.ecosystem if at.port and one.port == at.port), None)
    if app is None or listener is not None:
        return None
    pattern, slot = names.split(app.name, at.port)
    if not PM2_NAME.fullmatch(pattern):
        return None
    keys = (
        Key("name", pattern, f"its name in {app.path}"),
        Key("ecosystem", app.path, "the file that describes it"),
    )
    doubt = f"nobody listens at {at}; that port stands in {app.path}, so PM2 may run it"
    return Runner("pm2", keys, f"described in {app.path}", slot, pattern == app.name, doubt)


# systemd


def _systemd(at: Endpoint, listener: Listener | None, seen: Seen) -> Runner | None:
    if listener is not None:
        unit, doubt = listener.unit, ""
        how = f"{_who(listener)} belongs to {unit.name}.service" if unit else ""
    else:
        unit = next((u for u in seen.units if at.port and at.port in u.ports), None)
        doubt = f"nobody listens at {at}; that port stands in {unit.path}, so this unit may run it" if unit else ""
        how = f"{unit.path} has port {at.port}" if unit else ""
    if unit is None:
        return None
    pattern, slot = names.split(unit.name, at.port)
    if not UNIT_NAME.fullmatch(pattern):
        return None
    alone = pattern == unit.name
    keys = [Key("unit", pattern, f"{how}{f', which is {unit.path}' if unit.path and listener else ''}")]
    keys += [Key("scope", "user", "a manager of the user's own runs it")] if unit.scope == "user" else []
    keys += _again(unit) if alone else []
    return Runner("systemd", tuple(keys), f"systemd runs it as {unit.name}.service", slot, alone, doubt)


def _again(unit: Unit) -> list[Key]:
    """How a release replaces a version in place."""
    if unit.reloads:
        return [Key("reload", "reload", CHECK + "its ExecReload must bring up the new version")]
    why = CHECK + "it has no ExecReload: a release restarts it, and until it listens again requests fail. A template unit"
    return [Key("reload", "try-restart", f"{why} {unit.name}@.service with two slots has no such gap")]


# processes

ADDED = ("--daemon", "-D", "--enable-stdio-inheritance")  # which the driver adds itself
ADDED_WITH_VALUE = ("--pid", "-p", "--chdir")


def _gunicorn(at: Endpoint, listener: Listener | None, seen: Seen) -> Runner | None:
    if listener is None or "gunicorn" not in listener.title or not listener.pid:
        return None
    release = listener.release or Release("/srv/app/current", "/srv/app/releases/{version}")
    words, pidfile = _plain(listener.words)
    keys = [
        Key("command", [_through(word, at, listener, release) for word in words] or [FILL_IN], _command_why(listener)),
        Key("current", release.current, "the link to the release that runs; it starts in there"),
        Key("release", release.folder, "the folder of a version"),
        *_user(listener.user, seen),
    ]
    if pidfile:
        keys.append(Key("pidfile", posixpath.join(listener.cwd, pidfile), "the pid file that it was started with"))
    doubt = (
        ""
        if pidfile
        else "it was started without --pid, by which its master is found: start it with one, then run init again"
    )
    if listener.release and not listener.release.through:
        doubt = f"it was not started through the link {release.current}, so its next master would run the old release again"
    if listener.release is None:
        doubt = f"gunicorn replaces a version by a link such as current, and none leads to {listener.cwd or 'its folder'}"
    return Runner("gunicorn", tuple(keys), f"gunicorn: {_who(listener)}", in_place=True, doubt=_unclear(listener) or doubt)


def _plain(words: tuple[str, ...]) -> tuple[list[str], str]:
    """The command without what the driver adds, and the pid file in it."""
    kept: list[str] = []
    pidfile = ""
    rest = iter(words)
    for word in rest:
        option, mark, value = word.partition("=")
        if option in ADDED_WITH_VALUE:
            value = value if mark else next(rest, "")
            pidfile = pidfile if option == "--chdir" else value
        elif word not in ADDED:
            kept.append(word)
    return kept, pidfile


def _through(word: str, at: Endpoint, listener: Listener, release: Release) -> str:
    """A word with the link for the folder of the release that runs, and {address} for where it listens."""
    if listener.release and listener.cwd:
        word = word.replace(listener.cwd, release.current)
    return re.sub(rf"(?<![\w.]){re.escape(str(at))}(?!\d)", "{address}", word)


def _process(at: Endpoint, listener: Listener | None, seen: Seen) -> Runner | None:
    if listener is None or not listener.pid or in_docker.PROXY.search(listener.title):
        return None
    words, told = _command(at, listener)
    why = _command_why(listener)
    if not told:
        why += f"\n{CHECK}no word of it has the port {at}: the app must take PORT (and HOST) from its environment"
    folder = listener.release.folder if listener.release else listener.cwd
    keys = [Key("command", list(words) or [FILL_IN], why), *_folder(folder, listener), *_user(listener.user, seen)]
    adopt = f"so that the first release may stop process {listener.pid}, which proxyswitch has not started"
    keys.append(Key("adopt_port", True, adopt))
    if words and any(shlex.quote(word) != word for word in words):
        keys.append(Key("command", shlex.join(words), "the same for a shell", True))
    return Runner("process", tuple(keys), f"a plain process: {_who(listener)}", doubt=_unclear(listener))


def _command(at: Endpoint, listener: Listener) -> tuple[tuple[str, ...], bool]:
    """The words, with {version} for the release that runs and {port} for the port; and whether that was there."""
    words = listener.words
    if listener.release and listener.cwd:
        words = tuple(word.replace(listener.cwd, listener.release.folder) for word in words)
    if at.path:
        new = tuple(word.replace(f"unix:{at.path}", "{address}") for word in words)
    else:
        new = tuple(re.sub(rf"(?<!\d){at.port}(?!\d)", "{port}", word) for word in words)
    return new, new != words


def _command_why(listener: Listener) -> str:
    if not listener.words:
        return f"{FILL}the command; process {listener.pid} shows a title only ({listener.title})"
    if listener.masked:
        return (
            f"as process {listener.pid} runs\n{FILL}what looked like a secret was left out; put it into a file of the app's"
        )
    return f"as process {listener.pid} runs"


def _unclear(listener: Listener) -> str:
    if not listener.words:
        return f"process {listener.pid} shows a title and not its command: fill that in"
    return (
        "its command has something like a secret in it, which is not repeated here: fill that in" if listener.masked else ""
    )


def _folder(folder: str, listener: Listener) -> list[Key]:
    if not folder:
        return []
    why = f"the folder of process {listener.pid}"
    if listener.release:
        return [Key("cwd", folder, f"{why}; {listener.release.current} leads there, so each version has one of its own")]
    why += f"\n{CHECK}it is the same for all versions; where each has its own, write {{version}} for its name"
    return [Key("cwd", folder, why)]


def _user(user: str, seen: Seen) -> tuple[Key, ...]:
    return (Key("user", user, "who it runs as"),) if seen.root and user and user != "root" else ()


def _unknown(at: Endpoint, listener: Listener | None) -> Runner:
    doubt = (
        f"somebody listens at {at}, whom only root may see: run init with sudo"
        if listener
        else f"nobody listens at {at}, so it cannot be seen who runs the app: start it and run init again, or fill in"
    )
    return Runner("process", (Key("command", [FILL_IN], FILL + "the command that starts it"),), "not known", doubt=doubt)
