#!/usr/bin/env python3
"""Write docs/cli.md from the real --help of every command, the table of keys in docs/settings.md from the settings,
docs/rules.md from the docstrings of the lint rules, and docs/kinds.md from what generate can make.

scripts/gen_docs.py            write them
scripts/gen_docs.py --check    change nothing; exit 1 when one is stale
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO))

from proxyswitch import durations, settings, settings_base, settings_release, settings_runners  # noqa: E402  # from this checkout, wherever it is called
from proxyswitch.cli.app import COMMANDS  # noqa: E402
from proxyswitch.generate.kinds import KINDS as CONFIGS  # noqa: E402
from proxyswitch.lint import examples  # noqa: E402
from proxyswitch.lint.finding import Rule  # noqa: E402
from proxyswitch.lint.rules import KINDS as RULE_KINDS  # noqa: E402
from proxyswitch.lint.sql.rule import ALL, BOTH, SqlRule  # noqa: E402
from scripts import gen_kinds  # noqa: E402

CLI = REPO / "docs" / "cli.md"
KEYS = REPO / "docs" / "settings.md"
RULES = REPO / "docs" / "rules.md"
MADE = REPO / "docs" / "kinds.md"
BEGIN, END = "<!-- keys: written by scripts/gen_docs.py -->", "<!-- end of keys -->"
# The same text on every machine: a fixed width, no colour, no shell to guess.
FIXED = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}

TABLES: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("nginx", settings.Nginx),
    ("haproxy", settings.Haproxy),
    ("notify", settings.Notify),
    ("metrics", settings.Metrics),
    ("lint", settings.Lint),
    ("apps.NAME", settings.App),
    *((f"apps.NAME.{name}", kind) for name, kind in settings_runners.RUNNERS.items()),
    ("apps.NAME.swarm.update", settings_runners.SwarmUpdate),
    ("apps.NAME.swarm.rollback", settings_runners.SwarmRollback),
    ("apps.NAME.health", settings.Health),
    ("apps.NAME.needs", settings_release.Needs),
    ("apps.NAME.canary", settings_release.Canary),
    ("apps.NAME.rolling", settings_release.Rolling),
    ("apps.NAME.analysis", settings_release.Analysis),
    ("apps.NAME.migrate", settings_release.Migrate),
    ("apps.NAME.warmup", settings_release.WarmUp),
    ("apps.NAME.hooks", settings.Hooks),
)
IS_TABLE = {path for path, _ in TABLES}
SEVERAL = {"notify"}  # tables of which there can be more than one

HOOK = "Command to run {}."
WORDS = {
    "nginx.conf": "The main config. Empty: that of the running nginx, else the one compiled in. `--nginx-conf` goes first.",
    "nginx.binary": "The nginx program. Empty: that of the running nginx, else the one in `PATH` or a usual place.",
    "nginx.exec": (
        "For an nginx in a container: what stands before a command that is to run in there, as `docker exec shop-nginx-1`"
        " or `docker compose exec -T nginx`. A string or a list of words; run in the folder of the settings file."
    ),
    "nginx.paths": (
        "Paths in that container with the folders or files here that they show. What is mounted from here is found without"
        " it. Paths here count from the folder of the settings file."
    ),
    "nginx.reload_timeout": "How long nginx may take over a reload. Keep it above 3 s: nginx tries a busy port that long.",
    "nginx.max_old_workers": "With so many old workers still shutting down, a further reload is refused.",
    "haproxy.conf": (
        "The config: what stands behind `-f`, a list where there are several; folders too."
        " Empty: that of the running HAProxy, else `/etc/haproxy/haproxy.cfg`. `--haproxy-conf` goes first."
    ),
    "haproxy.socket": (
        "The runtime socket: a path, or `127.0.0.1:9999`. Empty: as the `stats socket` lines of the config say."
        " Without `conf` only what runs is changed, and that does not last. `--haproxy-socket` goes first."
    ),
    "haproxy.binary": "The HAProxy program. Empty: that of the running HAProxy, else the one in `PATH` or a usual place.",
    "haproxy.reload_timeout": "How long HAProxy may take over a reload; 3 s at least, since it tries a busy port for 2 s.",
    "notify.events": (
        "What to tell: `started`, `switched`, `done`, `failed`, `rolled_back`, `drain_overdue`. Nothing else is told."
    ),
    "notify.apps": "Of these apps only. Empty: of all.",
    "notify.url": "Where to POST. May contain `${NAME}`, a variable of the environment. Exactly one of these five keys.",
    "notify.url_file": "A file that holds the URL. Its owner alone should be able to read it.",
    "notify.apprise": "A URL as [apprise](https://github.com/caronc/apprise/wiki) has them. May contain `${NAME}`.",
    "notify.apprise_file": "A file that holds that URL.",
    "notify.command": "A list of words, or a string for `/bin/sh -c`. Run in the folder of the settings file.",
    "notify.format": "What a `url` is sent: `json`, an object; or `text`, one line.",
    "notify.headers": "Headers for a `url`. The values may contain `${NAME}`.",
    "notify.timeout": "So long it may take, 5 s at most; then it is ended, and that is reported.",
    "metrics.textfile": "A file that ends in `.prom`, in the folder that node_exporter's textfile collector reads.",
    "lint.files": (
        "What `lint` looks at when no file is named: files, folders, or globs; `**` crosses folders. They count from the"
        " working folder."
    ),
    "lint.select": "Ask only these rules, or kinds of rules, as `nginx`. `--select` goes first.",
    "lint.ignore": "Leave these out. `--ignore` goes first.",
    "lint.per_file_ignores": (
        'Globs of files, each with a list of rules to leave out there: `{ "legacy/*.conf" = ["nginx"] }`. A glob without a'
        " slash is for the name alone."
    ),
    "lint.fail_on": "From which level on findings are exit 1: `info`, `warning` or `error`. `--fail-on` goes first.",
    "lint.dialect": "The database of the SQL: `postgres`, `mysql` or `sqlite`. `--dialect` goes first.",
    "lint.phase": "Of SQL whose path tells none: `expand` or `contract`. `--phase` goes first.",
    "apps.NAME.pool": (
        "The pool of the app: an `upstream` of nginx, a `backend` or `listen` of HAProxy. In nginx with its context"
        " (`http:NAME`, `stream:NAME`) where both have one."
    ),
    "apps.NAME.slots": "Name and address of each place where a version can run; two or more for `deploy`.",
    "apps.NAME.proxy": "The proxy that has the pool: `nginx` or `haproxy`.",
    "apps.NAME.driver": (
        "Who starts and stops the app: the name of one of the tables below. Without it: the only one that is there."
    ),
    "apps.NAME.drain": "How long to wait for the old side after a switch; then exit 5, and the old side is left running.",
    "apps.NAME.watch": "So long the new version is watched after the switch; if it fails: back to the old. 0: no watch.",
    "apps.NAME.more_pools": "More pools that send traffic to it and are switched with the first, as `haproxy:app`.",
    "apps.NAME.strategy": "`blue-green`, `canary`, `rolling` or `stop-start`. Empty: `blue-green`.",
    "apps.NAME.keep": "So many versions can be gone back to; for older ones the hook `cleanup` is run.",
    "apps.NAME.canary.steps": "The shares of the new version, one after the other. The last step is always all traffic.",
    "apps.NAME.canary.pause": "How long each share is watched.",
    "apps.NAME.canary.manual": "Each further step waits for `proxyswitch promote`.",
    "apps.NAME.canary.patience": "So long it waits for that; then all is taken back.",
    "apps.NAME.rolling.batch": "So many slots at a time.",
    "apps.NAME.rolling.min_ready": "So many slots must serve meanwhile. Empty: all the others.",
    "apps.NAME.analysis.max_error_rate": "More failed requests than this share of the new side's, and all is taken back.",
    "apps.NAME.analysis.error_ratio": "The same for so many times the errors of the old side; 0 does not compare.",
    "apps.NAME.analysis.latency_ratio": "The same for so many times its latency; 0 does not compare.",
    "apps.NAME.analysis.min_requests": "A side with fewer requests is not judged.",
    "apps.NAME.analysis.on_no_traffic": "When a watch ends with fewer: `promote`, `wait` or `abort`.",
    "apps.NAME.analysis.patience": "So long `wait` waits.",
    "apps.NAME.analysis.log": "The log that nginx writes of its tries.",
    "apps.NAME.migrate.expand": HOOK.format("before a version gets traffic; it is not taken back"),
    "apps.NAME.migrate.contract": HOOK.format("when a release is confirmed"),
    "apps.NAME.migrate.timeout": "For each migration.",
    "apps.NAME.migrate.confirm_after": "After such a time `confirm --due` confirms a release. Empty: only a person does.",
    "apps.NAME.migrate.lock": "A name that apps with one database share.",
    "apps.NAME.warmup.paths": "What a new version is asked for before the first user's request, as `/`.",
    "apps.NAME.warmup.count": "So many times each.",
    "apps.NAME.warmup.concurrency": "So many at a time.",
    "apps.NAME.warmup.timeout": "For each request.",
    "apps.NAME.needs.memory": "What one instance needs. Empty: what the running one uses.",
    "apps.NAME.needs.disk": "What must be free where its logs go, and where Docker keeps its images.",
    "apps.NAME.needs.load": "The highest load of the last minute, a processor. 0: it is not looked at.",
    "apps.NAME.process.command": "What starts the app, in the foreground: a list of words, or a string for `/bin/sh -c`.",
    "apps.NAME.process.cwd": "Its working folder. Counts from the folder of the settings file, which is also the default.",
    "apps.NAME.process.user": "The user it runs as. Only root can name another than itself.",
    "apps.NAME.process.umask": "Its umask, as `027`. Empty: as it is.",
    "apps.NAME.process.env": "More environment variables.",
    "apps.NAME.process.log_dir": "Where its log files go. Empty: `apps/NAME/logs` in the state folder.",
    "apps.NAME.process.log_keep": "So many log files a slot are kept; each start begins a new one.",
    "apps.NAME.process.stop_signal": "The signal that asks it to end: `TERM`, `INT`, `QUIT` …",
    "apps.NAME.process.grace": "How long it may take to end; then SIGKILL to the whole process group.",
    "apps.NAME.process.adopt_port": "Also find and stop what listens on a slot's port and was started by somebody else.",
    "apps.NAME.compose.service": (
        "The service of the compose file, as `app-{slot}`; one slot: as `app`. May contain {slot} and {port}."
    ),
    "apps.NAME.compose.files": (
        "The compose files, as after `docker compose -f`; or the folder that they are in. The first one's is the project's."
    ),
    "apps.NAME.compose.project": "The name of the project, as after `-p`. Empty: as Compose itself has it.",
    "apps.NAME.compose.program": (
        "`docker compose` (version 2), `docker-compose` (version 1), or `auto`: version 2 where it is there."
    ),
    "apps.NAME.compose.image": (
        "The image of a version, as `shop:{version}`. Empty: as the compose file says, which is given `APP_VERSION`."
    ),
    "apps.NAME.compose.build": "Build the image first, by the `build:` of the service.",
    "apps.NAME.compose.pull": "Pull the image first, though one of that name is here.",
    "apps.NAME.compose.env": "More variables for the compose file. May contain {version}, {slot} and {port}.",
    "apps.NAME.compose.port": "With `auto`: which port in the container is meant, where it publishes several, or none.",
    "apps.NAME.compose.grace": "How long a container may take to end; then SIGKILL. Empty: its `stop_grace_period`.",
    "apps.NAME.compose.timeout": "For each command of Compose: build, pull, start.",
    "apps.NAME.gunicorn.command": (
        "How gunicorn is started, as a list of words, without `--daemon`, `--pid` and `--chdir`. May contain {address},"
        " {host}, {port} and {slot}; not {version}, for a master keeps these words for life."
    ),
    "apps.NAME.gunicorn.current": "The link that leads to the release that runs. A release moves it.",
    "apps.NAME.gunicorn.release": "The folder of a version, as `releases/{version}`.",
    "apps.NAME.gunicorn.method": (
        "`usr2`: a second master comes up beside the first. `hup`: the master replaces its workers."
        " Empty: `usr2`, and `hup` with `unit`."
    ),
    "apps.NAME.gunicorn.pidfile": "The pid file of the master. Empty: one in the state folder.",
    "apps.NAME.gunicorn.cwd": "Where it runs. Empty: `current`.",
    "apps.NAME.gunicorn.user": "Start it as this user. Needs root.",
    "apps.NAME.gunicorn.env": (
        "More variables. May contain {version} only with `env_file`: a master keeps its own environment for life."
    ),
    "apps.NAME.gunicorn.env_file": (
        "A file that each release writes with its variables, `APP_VERSION` too, for the config of gunicorn to read."
    ),
    "apps.NAME.gunicorn.log": "Where gunicorn's output goes. Empty: a file in the state folder.",
    "apps.NAME.gunicorn.unit": "The systemd unit that runs it, where there is one: a release reloads that.",
    "apps.NAME.gunicorn.scope": "`system`, or `user` for a unit of your own manager.",
    "apps.NAME.gunicorn.start_timeout": "How long it may take until the workers of a version are up.",
    "apps.NAME.gunicorn.grace": "How long a master may take to end; then SIGKILL. Keep it above `graceful_timeout`.",
    "apps.NAME.command.start": (
        "Starts the app, and ends. A list of words, or a string for `/bin/sh`. May contain {version}, {slot}, {port},"
        " {host} and {address}, as all these commands."
    ),
    "apps.NAME.command.stop": "Stops the app, and ends.",
    "apps.NAME.command.status": (
        "Exit status 0: the app runs; 3: it does not; any other: an error. A first line of one word is the version."
    ),
    "apps.NAME.command.reload": "Replaces the running version. Required with one slot.",
    "apps.NAME.command.revert": "Takes a reload back. Empty: `reload`, with the version before.",
    "apps.NAME.command.confirm": "Run when a reload will not be taken back any more.",
    "apps.NAME.command.check": "Looks at a version before it is started or reloaded.",
    "apps.NAME.command.logs": "Prints the last `$PROXYSWITCH_LINES` lines. Empty: what the commands wrote.",
    "apps.NAME.command.cwd": "Where the commands run.",
    "apps.NAME.command.env": "More variables for the commands. May contain {version}, {slot} and {port}.",
    "apps.NAME.command.start_timeout": "For `start`, `reload`, `revert`, `confirm` and `check`, and until `status` says 0.",
    "apps.NAME.command.stop_timeout": "For `stop`, and until `status` says 3.",
    "apps.NAME.command.status_timeout": "For `status` and `logs`.",
    "apps.NAME.swarm.service": "The service, made before by `docker stack deploy` or `docker service create`.",
    "apps.NAME.swarm.image": "The image of a version, as `registry.example/shop:{version}`.",
    "apps.NAME.swarm.env": "More variables, set by each release beside `APP_NAME`, `APP_VERSION` and `APP_SLOT`.",
    "apps.NAME.swarm.replicas": "So many tasks `start` runs. Without it: as many as before the stop.",
    "apps.NAME.swarm.port": "The port in the container that the pool needs, where several are published.",
    "apps.NAME.swarm.timeout": "How long Swarm may take to replace all tasks, or to go back.",
    "apps.NAME.swarm.host": "A manager to talk to, as `ssh://deploy@manager1`. Empty: as `DOCKER_HOST` says.",
    "apps.NAME.swarm.context": "The same by the name of a Docker context.",
    "apps.NAME.swarm.resolve_image": "Ask the registry for the digest. `false` where there is no registry.",
    "apps.NAME.swarm.with_registry_auth": "Give the nodes your login to the registry.",
    "apps.NAME.swarm.update.parallelism": "So many tasks at a time; 0: all at once.",
    "apps.NAME.swarm.update.delay": "Between two tasks.",
    "apps.NAME.swarm.update.order": "`start-first` (the new task runs before the old one is ended) or `stop-first`.",
    "apps.NAME.swarm.update.monitor": "So long a new task is watched by Swarm.",
    "apps.NAME.swarm.update.max_failure_ratio": "The share of tasks that may fail, from 0 to 1.",
    "apps.NAME.swarm.update.failure_action": "What Swarm does when tasks fail: `rollback`, `pause` or `continue`.",
    "apps.NAME.swarm.rollback.parallelism": "So many tasks at a time; 0: all at once.",
    "apps.NAME.swarm.rollback.delay": "Between two tasks.",
    "apps.NAME.swarm.rollback.order": "`start-first` (the new task runs before the old one is ended) or `stop-first`.",
    "apps.NAME.swarm.rollback.monitor": "So long a new task is watched by Swarm.",
    "apps.NAME.swarm.rollback.max_failure_ratio": "The share of tasks that may fail, from 0 to 1.",
    "apps.NAME.swarm.rollback.failure_action": "What Swarm does when that fails too: `pause` or `continue`.",
    "apps.NAME.systemd.unit": "The unit, as `web@{slot}`; one slot: as `web`. May contain {slot} and {port}.",
    "apps.NAME.systemd.scope": "`system`, or `user`: the manager of the user who runs `proxyswitch`.",
    "apps.NAME.systemd.env": "More environment variables, for the drop-in or the file. Everybody can read a drop-in.",
    "apps.NAME.systemd.environment_file": (
        "A file of its own for the environment, which the unit names by `EnvironmentFile=`."
        " Empty: a drop-in, `UNIT.d/50-proxyswitch.conf`. May contain {slot} and {port}."
    ),
    "apps.NAME.systemd.current": "A link that the unit runs from; a release moves it to `release`, a failure moves it back.",
    "apps.NAME.systemd.release": "The folder of a version; contains {version}.",
    "apps.NAME.systemd.reload": "With one slot: `reload`, by the unit's `ExecReload=`; or `try-restart`, which has a gap.",
    "apps.NAME.systemd.enable": "Enable the unit of what is started, and disable that of what is stopped: for a boot.",
    "apps.NAME.systemd.start_timeout": "How long a unit may take to become active. Its own limits come first, if shorter.",
    "apps.NAME.systemd.stop_timeout": "How long it may take to end; then SIGKILL. Its own `TimeoutStopSec`, if shorter.",
    "apps.NAME.pm2.name": "The name in PM2, as `web-{slot}`; one slot: as `web`. May contain {slot} and {port}.",
    "apps.NAME.pm2.ecosystem": (
        "The ecosystem file that says how the app is started. May contain {version} and {slot}."
        " Without it and without `script`: as PM2 knows it by its name."
    ),
    "apps.NAME.pm2.app": "The name of the app in that file. Empty: as `name`.",
    "apps.NAME.pm2.environment": "As `--env`: `production` adds `env_production` of that file.",
    "apps.NAME.pm2.script": "Instead of a file: what is started, from `cwd`.",
    "apps.NAME.pm2.args": "The arguments of `script`.",
    "apps.NAME.pm2.interpreter": "What runs `script`. Empty: node, or as PM2 takes it from the name.",
    "apps.NAME.pm2.cwd": "Where it runs. Empty: as the file says, else `current`, else the folder of the file.",
    "apps.NAME.pm2.current": "A link that the app runs from; a release moves it to `release`, a failure moves it back.",
    "apps.NAME.pm2.release": "The folder of a version; contains {version}.",
    "apps.NAME.pm2.env": "More environment variables. They win over those of the file.",
    "apps.NAME.pm2.exec_mode": "`fork` or `cluster`. Empty: as the file says. Counts at a start, not at a reload.",
    "apps.NAME.pm2.instances": "How many processes. Empty: as the file says. Counts at a start, not at a reload.",
    "apps.NAME.pm2.wait_ready": 'PM2 waits until the app calls `process.send("ready")`. Empty: as the file says.',
    "apps.NAME.pm2.listen_timeout": "So long PM2 waits for that; then it ends the old worker anyway. Empty: as the file.",
    "apps.NAME.pm2.kill_timeout": "How long a process may take to end; then SIGKILL. Empty: as the file says, else 1.6 s.",
    "apps.NAME.pm2.preflight": "With one slot: first try a new version as one process beside the app, on a free `PORT`.",
    "apps.NAME.pm2.allow_gap": "With one slot: release in fork mode or without `wait_ready` too, where requests fail.",
    "apps.NAME.pm2.save": "`pm2 save` after each change: what runs comes up again at a boot.",
    "apps.NAME.pm2.home": "The folder of PM2's daemon. Empty: `PM2_HOME`, else `~/.pm2`.",
    "apps.NAME.pm2.user": "The user whose PM2 it is. Only root can name another than itself.",
    "apps.NAME.pm2.program": "The program, where it is not `pm2` in `PATH`.",
    "apps.NAME.pm2.start_timeout": "How long a version may take to come up, and to get ready when it is tried.",
    "apps.NAME.health.url": "`http://, `https://`, `tcp://` (connect only) or `unix:///run/app.sock:/path`.",
    "apps.NAME.health.status": 'The HTTP statuses that are healthy: `200`, `[200, 204]` or `"200-299,304"`.',
    "apps.NAME.health.body": "Text that the body must contain (in its first 1 MiB).",
    "apps.NAME.health.json": "Fields that the JSON answer must have; it may have more.",
    "apps.NAME.health.headers": "Headers to send.",
    "apps.NAME.health.host": "The Host header, and the name for TLS.",
    "apps.NAME.health.timeout": "For one try, whole.",
    "apps.NAME.health.total": "For all tries together; then the release has failed.",
    "apps.NAME.health.interval": "Between two tries.",
    "apps.NAME.health.successes": "So many healthy answers in a row are needed.",
    "apps.NAME.health.insecure": "Do not verify the certificate.",
    "apps.NAME.hooks.prepare": HOOK.format("before the new version is started"),
    "apps.NAME.hooks.before_switch": HOOK.format("when the new version is healthy, before the switch"),
    "apps.NAME.hooks.after_switch": HOOK.format("after the switch, before the watch; when it fails, all is taken back"),
    "apps.NAME.hooks.after_release": HOOK.format("at the very end, when the old version is stopped"),
    "apps.NAME.hooks.on_failure": HOOK.format("when the release has failed and was taken back"),
    "apps.NAME.hooks.cleanup": HOOK.format("for each version that is older than the last `keep`"),
    "apps.NAME.hooks.timeout": "For each hook.",
}


def cli() -> str:
    """docs/cli.md."""
    parts = [
        "# Commands",
        "This page is the `--help` of every command, written by `scripts/gen_docs.py`. Do not edit it by hand.",
        _block("proxyswitch", help_of()),
    ]
    for name in COMMANDS:
        parts.append(_block(f"proxyswitch {name}", help_of(name)))
        parts += [_block(f"proxyswitch generate {kind}", help_of(name, kind)) for kind in CONFIGS if name == "generate"]
    return "\n\n".join(parts) + "\n"


def _block(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```"


def help_of(*words: str) -> str:
    """What `--help` prints."""
    environment = {**os.environ, **FIXED, "PYTHONPATH": str(REPO)}
    argv = [sys.executable, "-m", "proxyswitch", *words, "--help"]
    text = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


RULES_HEAD = """\
# Lint rules

This page is the docstring of every rule, written by `scripts/gen_docs.py`. Do not edit it by hand.

How to use them: [guide-lint.md](guide-lint.md), and for SQL [guide-migrations.md](guide-migrations.md). A comment lets one
pass at its line, or alone at the next line: `# proxyswitch: ignore=RULE why`, in SQL behind `--`."""
KIND_NAMES = {"comment": "Comments", "haproxy": "HAProxy", "nginx": "nginx", "settings": "Settings", "sql": "SQL"}


def rules() -> str:
    """docs/rules.md."""
    parts = [RULES_HEAD]
    for kind, load in RULE_KINDS.items():
        parts.append(f"## {KIND_NAMES[kind]}")
        parts += [part for name, rule in load().items() for part in _rule(name, rule)]
    return "\n\n".join(parts) + "\n"


def _rule(name: str, rule: Rule) -> Iterator[str]:
    doc, kind = inspect.getdoc(rule) or "", name.partition("/")[0]
    yield f"### {name}"
    yield " · ".join([rule.LEVEL, *(_sql_facts(cast("SqlRule", rule)) if kind == "sql" else ())])
    yield examples.prose(doc)
    for example in examples.examples(doc):
        words = f" ({', '.join(example.words)})" if example.words else ""
        language = next((word for word in example.words if word in RULE_KINDS), "nginx" if kind == "comment" else kind)
        yield f"{'Found' if example.fires else 'Not found'}{words}:\n\n```{language}\n{example.text}```"


def _sql_facts(rule: SqlRule) -> Iterator[str]:
    yield "expand and contract" if rule.PHASES == BOTH else ", ".join(rule.PHASES)
    yield "all dialects" if rule.DIALECTS == ALL else ", ".join(rule.DIALECTS)
    if rule.OPTIONAL:
        yield "off by default"


def keys() -> str:
    """docs/settings.md, with its table of keys written anew."""
    text = KEYS.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n" + "\n".join(_tables()) + f"\n{END}{after}"


def _tables() -> Iterator[str]:
    known = set()
    for path, kind in TABLES:
        yield from (
            f"### `[[{path}]]`" if path in SEVERAL else f"### `[{path}]`",
            "",
            "| key | kind | default | what it does |",
            "|---|---|---|---|",
        )
        for key, row in _rows(path, kind):
            known.add(key)
            yield row
        yield ""
    left = set(WORDS) - known
    if left:
        raise SystemExit(f"gen_docs.py describes keys that are not there: {', '.join(sorted(left))}")


def _rows(path: str, kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        key = f"{path}.{field.encode_name}"
        if key in IS_TABLE:
            continue
        if key not in WORDS:
            raise SystemExit(f"gen_docs.py does not describe {key}: add it to WORDS")
        yield key, f"| `{field.encode_name}` | {_kind(hints[field.name])} | {_default(field)} | {WORDS[key]} |"


NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    settings.Seconds: "duration",
    settings_base.Percent: "share",
    settings_base.Bytes: "amount",
    settings.Local: "path",
}


def _kind(hint: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(_kind(i) for i in inner if i is not type(None))
    if origin is list:
        return f"list of {_kind(inner[0])}s"
    if origin is dict:
        return "table"
    return NAMES[hint]


def _default(field: Any) -> str:
    if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
        return "**required**"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, settings.Seconds):
        return f"`{_duration(value)}`"
    if isinstance(value, settings_base.Bytes):
        return f"`{_amount(value)}`"
    if value in ("", None, {}, []):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else msgspec.json.encode(value, enc_hook=str).decode()}`"


def _duration(value: float) -> str:
    text = f"{value:g}s" if value >= 1 or not value else f"{value * 1000:g}ms"
    if durations.parse(text) != value:
        raise SystemExit(f"{value} s cannot be written as a duration")
    return text


def _amount(value: settings_base.Bytes) -> str:
    text = str(value).replace(" ", "").removesuffix("B")
    if settings_base.Bytes.parse(text) != value:
        raise SystemExit(f"{int(value)} bytes cannot be written as an amount")
    return text


def main(words: list[str]) -> int:
    """Exit status: 1 when --check found something stale."""
    pages = ((CLI, cli()), (KEYS, keys()), (RULES, rules()), (MADE, gen_kinds.page()))
    stale = [(path, text) for path, text in pages if _text(path) != text]
    for path, text in stale:
        if "--check" in words:
            sys.stderr.write(f"{path.relative_to(REPO)} is stale: run scripts/gen_docs.py (or: make docs)\n")
        else:
            path.write_text(text)
            sys.stderr.write(f"wrote {path.relative_to(REPO)}\n")
    return int("--check" in words and bool(stale))


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
