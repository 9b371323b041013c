"""logrotate: the logs that nginx writes for us, and those of the apps that proxyswitch starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from proxyswitch.generate import common, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import App
from proxyswitch.settings_base import Bytes


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    found = {"nginx_log": [app.analysis.log] if app.analysis and app.analysis.log else [], "app_log": _written(name, app)}
    return {"name": name, **{key: paths for key, paths in found.items() if paths}}


def _written(name: str, app: App) -> list[str]:
    """Where its driver lets it write: see drivers/_logs.py. systemd, Docker and PM2 keep their own."""
    from proxyswitch.system import state

    if app.gunicorn:
        return [app.gunicorn.log] if app.gunicorn.log else []
    if app.driver not in ("process", "command"):
        return []
    folder = (app.process.log_dir if app.process else "") or str(state.folder() / "apps" / name / "logs")
    return [f"{folder}/{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}-*.log"]


def _group(values: Values) -> str:
    return str(values["user"])


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    if not values["nginx_log"] and not values["app_log"]:
        raise ValueError("name a log: --nginx-log for what nginx writes, --app-log for what an app writes")
    if twice := set(values["nginx_log"]) & set(values["app_log"]):
        raise ValueError(f"{min(twice)}: who writes it, nginx (--nginx-log) or an app (--app-log)?")
    for path in values["app_log"]:
        if re.search(r"[*?\[]", os.path.dirname(path)):
            raise ValueError(f"--app-log: {path}: a pattern may stand in the name of the file only")
    return {"cut": [(os.path.dirname(path), f"{os.path.basename(path)}.*") for path in values["app_log"]]}


KIND = Kind(
    name="logrotate",
    title="The rotation of logs of nginx and of apps.",
    values=(
        common.NAME,
        Value("nginx_log", words.path, "A log that nginx writes.", (), many=True, metavar="PATH"),
        Value(
            "app_log",
            words.path,
            "What an app writes to its output, as /srv/logs/web-*.log.",
            (),
            many=True,
            metavar="PATH",
        ),
        Value("every", words.one_of("hourly", "daily", "weekly"), "How often nginx's are rotated.", "daily"),
        Value("keep", words.number(1, 10000), "So many old ones are kept of each.", 14, metavar="N"),
        Value("size", words.size, "An app's is cut when it is that large.", Bytes.parse("50M"), metavar="SIZE"),
        Value("days", words.number(1, 10000), "What was cut off an app's log goes after so many days.", 30, metavar="N"),
        Value("pidfile", words.path, "The pid file of nginx.", "/run/nginx.pid", metavar="PATH"),
        Value("user", words.user, "Who owns the folder of an app's log, where that is not root.", "", metavar="USER"),
        Value("group", words.user, "Its group. [default: as the user]", _group, metavar="GROUP"),
    ),
    parts=(Part("logrotate.j2", "/etc/logrotate.d/{name}", check="logrotate"),),
    of_app=of_app,
    more=more,
    after="logrotate reads it with its next run; to see what it would do: logrotate -d /etc/logrotate.conf",
    variables={"cut": "The folder and the names of what was cut off each log of an app."},
)
