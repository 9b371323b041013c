"""systemd, systemd-timer and logrotate: what is refused, what the settings know, and what the real tools say."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from proxyswitch.errors import ProxyswitchError, UsageError
from proxyswitch.generate import checking
from proxyswitch.generate.kind import Part
from proxyswitch.generate.render import Made
from proxyswitch.lint.finding import Source
from proxyswitch.lint.kinds import kind_of
from proxyswitch.proxies.base import Rejected
from tests.conftest import missing
from tests.generate.cases.units import CASES
from tests.generate.golden import FOLDER
from tests.generate.support import files, generate

APP = "systemd --name web --command 'bin/server'"
TIMER = "systemd-timer --name web --run 'deploy web' --program /bin/true"
LOGS = "logrotate --name web"
BAD_NAMES = ("a\nb", "a{b", "a;b", 'a"b', "a'b", "a%b", "a b", "../a", "a/b", "", "-a", "a$b", "a@b", "ä")
BAD_PATHS = ("srv", "/a\nb", '/a"b', "/a{b", "/a;b", "/a$b", "/a\\b", "/a'b", "/a`b")


def refused(words: str, *more: str) -> str:
    with pytest.raises(UsageError) as caught:
        generate(words, *more)
    return str(caught.value)


@pytest.mark.parametrize(
    "kind", ["systemd --command x", "systemd-timer --run 'deploy web' --at daily", "logrotate --app-log /a"]
)
@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_refused(kind: str, name: str) -> None:
    assert "--name" in refused(kind, "--name", name)


@pytest.mark.parametrize("path", BAD_PATHS)
@pytest.mark.parametrize(
    ("words", "option"),
    [(APP, option) for option in ("--current", "--environment-file", "--secrets", "--writable", "--pidfile")]
    + [(f"{TIMER} --at daily", option) for option in ("--settings", "--program")]
    + [(LOGS, option) for option in ("--nginx-log", "--app-log", "--pidfile")],
)
def test_paths_that_are_refused(words: str, option: str, path: str) -> None:
    assert option in refused(words, option, path)


@pytest.mark.parametrize("user", ["a\nb", "a b", "a;b", "a%b", "A", "1", "a:b", "-a", 'a"b'])
@pytest.mark.parametrize("words", [APP, f"{TIMER} --cron '5 3 * * *'", f"{LOGS} --app-log /srv/a.log"])
def test_users_that_are_refused(words: str, user: str) -> None:
    assert "--user" in refused(words, "--user", user)


@pytest.mark.parametrize(
    "command",
    ["a\nUser=root", "", "'", "+/bin/sh", "!x", "-x", "@x", ":x", "|x", "$X y", "'a b' c", '"a;b"', "x {address}", "%h/x"],
)
def test_commands_that_are_refused(command: str) -> None:
    assert "--command" in refused("systemd --name web", "--command", command)


@pytest.mark.parametrize("unit", ["web@blue", "web-{slot}", "web@@", "a b", "a%", "web.timer", "../web", "web\n"])
def test_units_that_are_refused(unit: str) -> None:
    assert "--unit" in refused(APP, "--unit", unit)


@pytest.mark.parametrize("run", ["rm -rf /", "lint x", "deploy 'web", "deploy\nweb", "", "proxyswitch", "proxyswitch rm"])
def test_orders_that_are_refused(run: str) -> None:
    assert "--run" in refused("systemd-timer --name web --at daily", "--run", run)


@pytest.mark.parametrize(
    "at",
    [
        "",
        "03:05\n",
        "%i",
        "5 3 * * *",
        "Sat03:05",
        "03:05;",
        "2026",
        "tomorrow",
        "Foo 03:05",
        " ",
        "03:05 'x'",
        "03:05\nUnit=x",
    ],
)
def test_calendars_that_are_refused(at: str) -> None:
    assert "--at" in refused(TIMER, "--at", at)


CALENDARS = (
    *("03:05", "Sat 03:05", "Mon..Fri 03:05:00", "*-*-01 04:00:00 Europe/Berlin", "daily", "2026-12-24", "*-*~01", "*:0/15"),
    *("Sat,Sun *-*-* 10:00", "Mon", "10:00 UTC", "*-12-24..26 03:00", "10..12:00", "*:*:0/2"),
)


@pytest.mark.parametrize("at", CALENDARS)
def test_calendars_that_systemd_reads(at: str) -> None:
    made = files(f"{TIMER} --at '{at}'")
    assert f"\nOnCalendar={at}\n" in made["web-deploy.timer"]
    assert checked("web-deploy.timer", made["web-deploy.timer"], "systemd-unit") == ""


BAD_CRON = ("60 3 * * *", "5 3 * *", "5 3 * * *\n", "5-3 * * * *", "5 3 * * * root", "@reboot", "5 3 % * *", "5  3 * * *")


@pytest.mark.parametrize(
    "cron", ["", *BAD_CRON, "*/0 * * * *", "5 3 * * 8", "5/2 3 * * *", "5 3 0 * *", "a * * * *", "5;6 3 * * *"]
)
def test_times_of_cron_that_are_refused(cron: str) -> None:
    assert "--cron" in refused(TIMER, "--cron", cron)


@pytest.mark.parametrize("cron", ["5 3 * * *", "*/5 0-6/2 1,15 jan-mar,dec mon", "@daily", "0 0 31 12 7"])
def test_times_of_cron_that_are_taken(cron: str) -> None:
    assert f"\n{cron} root /bin/true deploy web -q " in files(f"{TIMER} --cron '{cron}'")["web-deploy"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"{APP} --scope user --user web", "--user: a unit of a user's own manager runs as that user"),
        (f"{APP} --scope user --pidfile /run/a-{{slot}}/a.pid", "leave out --pidfile"),
        (f"{APP} --type forking", "--type forking and --pidfile go together"),
        (f"{APP} --type notify --pidfile /run/a-{{slot}}/a.pid", "--type forking and --pidfile go together"),
        (f"{APP} --pidfile /srv/a.pid", "expected a file in a folder of its own below /run"),
        (f"{APP} --pidfile /run/a/a.pid", "--pidfile must contain {slot}"),
        (f"{APP} --environment-file /etc/web.env", "--environment-file must contain {slot}"),
        (f"{APP} --unit web --current '/srv/{{slot}}'", "web is no template: --unit web@"),
        (f"{APP} --unit web --secrets '/etc/{{slot}}'", "web is no template: --unit web@"),
        (f"{APP} --current /tmp/web", "/tmp/web: the unit has a /tmp and /var/tmp of its own"),
        (f"{APP} --current /srv/../web", "write it without //, . and .."),
        ("systemd --name web --command 'gunicorn -D web:app'", "leave out -D: --pidfile brings it"),
        ("systemd --name web --command 'gunicorn --pid=/a web:app'", "leave out --pid: --pidfile brings it"),
        (TIMER, "--at (for a timer of systemd's) or --cron is needed"),
        (f"{TIMER} --at daily --cron '@daily'", "and not both: it would be done twice"),
        (f"{TIMER} --cron '@daily' --persistent", "cron does not make up for a time that it missed"),
        (f"{TIMER} --cron '@daily' --scope user", "a file in /etc/cron.d is root's"),
        (f"{TIMER} --at daily --scope user --user web", "runs as that user"),
        (f"{TIMER} --at daily --run 'deploy web --config /a' --settings /b", "--run names a --config already"),
        (f"{TIMER} --cron '@daily' --run 'deploy a\\\\b'", "contains a backslash, which not every cron hands on"),
        (LOGS, "name a log: --nginx-log for what nginx writes, --app-log for what an app writes"),
        (f"{LOGS} --nginx-log /a --app-log /a", "/a: who writes it"),
        (f"{LOGS} --app-log '/srv/*/a.log'", "a pattern may stand in the name of the file only"),
    ],
)
def test_what_does_not_go_together(words: str, said: str) -> None:
    assert said in refused(words)


def test_words_of_a_command_stay_what_they_are() -> None:
    command = shlex.join(["/bin/x", "a b", 'c"d', "e;f", ";", "g%h", "$HOME", "i\\j", "--port={port}", "{slot}", "k'l", ""])
    (text,) = files(f"systemd --name web --command {shlex.quote(command)}").values()
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    said = r"""/bin/x "a b" "c\"d" "e;f" ";" g%%h $$HOME i\\j --port=${PORT} %i "k'l" "" """.strip()
    assert line == f"ExecStart={said}"


# what the settings know

SETTINGS = """\
[apps.web]
pool = "web"
slots = {{ blue = "127.0.0.1:3001", green = "127.0.0.1:3002" }}
{tables}
"""
ONE = '[apps.web]\nslots = {{ main = "127.0.0.1:8000" }}\n{tables}'


def of_app(folder: Path, kind: str, tables: str, *words: str, settings: str = SETTINGS) -> str:
    path = folder / "proxyswitch.toml"
    path.write_text(settings.format(tables=tables))
    return generate(f"{kind} --app web --config {path}", *words)


def test_the_unit_of_an_app_of_systemd(tmp_path: Path) -> None:
    table = 'unit = "shop@{slot}"\ncurrent = "/srv/web/{slot}"\nrelease = "/srv/r/{version}"'
    table += '\nenvironment_file = "/etc/web/{slot}.env"'
    made = of_app(tmp_path, "systemd", f"[apps.web.systemd]\n{table}", "--command", "bin/server")
    assert "\nWorkingDirectory=/srv/web/%i\nExecStart=/srv/web/%i/bin/server\n" in made
    assert "\nEnvironmentFile=-/etc/web/%i.env\n" in made
    assert "ExecReload" not in made


def test_the_unit_of_an_app_of_gunicorn(tmp_path: Path) -> None:
    table = 'unit = "shop"\ncommand = ["v/gunicorn", "--bind", "{address}", "web:app"]'
    table += '\ncurrent = "/srv/c"\nrelease = "/srv/r/{version}"'
    made = of_app(tmp_path, "systemd", f"[apps.web.gunicorn]\n{table}", settings=ONE)
    assert "\nType=notify\n" in made
    assert "\nExecStart=/srv/c/v/gunicorn --bind 127.0.0.1:8000 web:app --chdir /srv/c\n" in made
    assert "\nTimeoutStopSec=40s\n" in made


def test_an_app_with_one_slot_gets_no_template(tmp_path: Path) -> None:
    table = 'command = ["v/gunicorn", "web:app"]\ncurrent = "/srv/c"\nrelease = "/srv/r/{version}"'
    assert "\nDescription=web\n" in of_app(tmp_path, "systemd", f"[apps.web.gunicorn]\n{table}", settings=ONE)


def test_the_unit_of_an_app_that_proxyswitch_starts(tmp_path: Path) -> None:
    table = 'command = "exec node server.js"\nuser = "web"\nstop_signal = "SIGINT"\ngrace = "20s"\ncwd = "/srv/web"'
    made = of_app(tmp_path, "systemd", f"[apps.web.process]\n{table}")
    assert '\nExecStart=/bin/sh -c "exec node server.js"\n' in made
    assert "\nKillMode=control-group\n" in made
    assert "\nWorkingDirectory=/srv/web\n" in made
    assert "\nUser=web\n" in made
    assert "\nKillSignal=SIGINT\n" in made
    assert "\nTimeoutStopSec=25s\n" in made


def test_the_logs_of_an_app(tmp_path: Path) -> None:
    made = of_app(tmp_path, "logrotate", f'[apps.web.process]\ncommand = "x"\nlog_dir = "{tmp_path}"')
    assert f"\n{tmp_path}/web-*.log {{\n" in made
    made = of_app(tmp_path, "logrotate", '[apps.web.process]\ncommand = "x"')
    assert "/apps/web/logs/web-*.log {\n" in made


def test_the_release_of_an_app_at_its_time(tmp_path: Path) -> None:
    made = of_app(tmp_path, "systemd-timer", '[apps.web.process]\ncommand = "x"', "--at", "daily")
    assert " deploy web -q --lock-timeout 600s\n" in made


# the real tools


def checked(name: str, text: str, check: str, folder: str = "/etc/nowhere") -> str:
    tool, package = ("logrotate", "logrotate") if check == "logrotate" else ("systemd-analyze", "systemd")
    if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin"):
        missing(tool, f"apt-get install {package}")
    return checking.check(Made(Part("", "", check=check), f"{folder}/{name}", text), {})


def check_of(name: str) -> str:
    if name.startswith("logrotate"):
        return "" if name.endswith("user") else "logrotate"  # its user is not here
    return "systemd-user-unit" if name in ("systemd-user", "systemd-timer-switch") else "systemd-unit"


@pytest.mark.parametrize("name", [name for name in CASES if check_of(name) and not name.endswith("cron")])
def test_what_is_made_passes_its_tool(name: str) -> None:
    for path in (FOLDER / name).iterdir():
        said = checked(path.name, path.read_text(), check_of(name))
        assert said.endswith(" here yet") or said == ""


@pytest.mark.parametrize("name", CASES)
def test_lint_takes_none_of_it_for_a_file_of_its_own(name: str) -> None:
    assert [kind_of(Source(str(path), path.read_bytes())) for path in (FOLDER / name).iterdir()] in ([""], ["", ""])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ProtectSystem=much", "Failed to parse"),
        ("Restart=always\nType=oneshot", "Restart="),
        ("ExecStart=./x", "Neither a valid executable name nor an absolute path"),
    ],
)
@pytest.mark.parametrize("name", ["web.service", "web@.service"])
def test_a_unit_that_systemd_refuses(name: str, line: str, said: str) -> None:
    with pytest.raises(Rejected, match=said) as caught:
        checked(name, f"[Service]\nExecStart=/bin/sh\n{line}\n", "systemd-unit")
    assert f"systemd refuses /etc/nowhere/{name}" in str(caught.value)


def test_a_time_that_only_systemd_knows_to_be_none() -> None:
    with pytest.raises(Rejected, match=r"does not understand the time of .*2026-13-45"):
        checked("web.timer", "[Timer]\nOnCalendar=2026-13-45\n", "systemd-unit")


def test_what_an_older_systemd_does_not_know_is_said() -> None:
    said = checked("web@.service", "[Service]\nExecStart=/bin/sh\nProtectMoon=yes\n", "systemd-unit")
    assert said == "/etc/nowhere/web@.service: the systemd here does not know, and leaves out, ProtectMoon"


def test_what_is_not_here_yet_is_said() -> None:
    said = checked("web.service", "[Service]\nUser=t-nobody\nExecStart=/nowhere/x\n", "systemd-unit")
    assert said == "/etc/nowhere/web.service: there is no /nowhere/x and no user t-nobody here yet"


def test_a_rotation_that_logrotate_refuses(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"logrotate refuses it: .*/web:\d+ unknown option 'dayly'"):
        checked("web", f"{tmp_path}/x.log {{\n    dayly\n}}\n", "logrotate", str(tmp_path))


def test_a_log_that_is_rotated_already(tmp_path: Path) -> None:
    (tmp_path / "x.log").touch()
    (tmp_path / "other").write_text(f"{tmp_path}/*.log {{\n    daily\n}}\n")
    with pytest.raises(ProxyswitchError, match="duplicate log entry") as caught:
        checked("web", f"{tmp_path}/x.log {{\n    daily\n}}\n", "logrotate", str(tmp_path))
    assert "another file there rotates that log already" in caught.value.next_step
