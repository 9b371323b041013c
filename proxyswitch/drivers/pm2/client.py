"""PM2 and its daemon: how it is reached, its commands as values, and what it must not be asked.

Every command of PM2 starts a daemon where none runs, `pm2 jlist` and `pm2 --version` too. So it is looked first whether one
answers, and nothing is asked of one that does not run.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from proxyswitch import durations
from proxyswitch.drivers._words import PLACES, TRACKING
from proxyswitch.drivers.pm2.worker import Worker, read
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.polling import Report, silent
from proxyswitch.settings_pm2 import Pm2
from proxyswitch.system import files, net, proc, run

CONFIG = str(Path(__file__).with_name("app.config.cjs"))
ORDER = "PROXYSWITCH_PM2"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LINES = 5
LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Client:
    """Talks to one daemon. Every method raises UsageError where PM2 is absent, or where we may not."""

    app: str
    settings: Pm2
    report: Report = silent

    # where it is

    @property
    def home(self) -> str:
        if self.settings.home:
            return self.settings.home
        theirs = "" if self.settings.user else os.environ.get("PM2_HOME", "")
        return theirs or os.path.join(self._person(), ".pm2")

    def _person(self) -> str:
        """The home folder of who runs PM2."""
        if not self.settings.user:
            return os.path.expanduser("~")
        try:
            return pwd.getpwnam(self.settings.user).pw_dir
        except KeyError:
            what = f"apps.{self.app}.pm2.user: there is no user {self.settings.user!r} on this machine"
            raise UsageError(what) from None

    def program(self) -> str:
        found = shutil.which(self.settings.program)
        if not found:
            where = "" if "/" in self.settings.program else " in PATH"
            step = f"install it: npm install -g pm2; or name it: program in apps.{self.app}.pm2"
            raise UsageError(f"there is no program {self.settings.program}{where}", next_step=step)
        if not shutil.which("node"):
            raise UsageError(
                "there is no program node in PATH: PM2 runs on it", next_step="install it: apt-get install nodejs"
            )
        return found

    def version(self) -> str:
        """As its package says: `pm2 --version` would start a daemon."""
        package = Path(os.path.realpath(self.program())).parents[1] / "package.json"
        try:
            return str(json.loads(files.read(package)).get("version", "(unknown)"))
        except (OSError, ValueError, AttributeError):
            return "(unknown)"

    def runs(self) -> bool:
        """Whether its daemon answers. Raises UsageError where we may not talk to it, or would do so as somebody else."""
        self._must_be_ours()
        try:
            net.connect(Endpoint(path=f"{self.home}/rpc.sock"), 5.0).close()
        except PermissionError as error:
            step = "run it as the user who runs PM2; or with sudo, and write user = that one"
            raise UsageError(f"no permission to talk to PM2 at {self.home}", next_step=step) from error
        except OSError:
            return False
        return True

    def daemon(self) -> ProcessId | None:
        """Its process, as its pid file says."""
        try:
            return proc.identify(int(files.read(f"{self.home}/pm2.pid")))
        except (OSError, ValueError):
            return None

    def _must_be_ours(self) -> None:
        where, me = f"apps.{self.app}.pm2", os.geteuid()
        wanted = pwd.getpwnam(self.settings.user).pw_uid if self._person() and self.settings.user else me
        if me not in (0, wanted):
            what = f"{where}.user: only root can talk to PM2 as {self.settings.user}"
            raise UsageError(what, next_step="run it with sudo, or as that user")
        try:
            owner = os.stat(self.home).st_uid
        except OSError:
            return  # not there yet; or not to be seen, which the daemon's socket tells better
        if me == 0 and owner != wanted:
            what = f"the PM2 at {self.home} belongs to user {owner}: as another one, a daemon of its own would be started"
            raise UsageError(what, next_step=f"name that user: user in {where}")

    # what it is asked

    def list(self, name: str) -> list[Worker]:
        """The processes of an app, also those that are stopped; none where no daemon runs."""
        return [worker for worker in self.workers() if worker.name == name]

    def workers(self) -> tuple[Worker, ...]:
        """The processes of every app; none where no daemon runs."""
        if not self.runs():
            return ()
        result = run.run(self._command(("--silent", "jlist")))
        found = read(result.out) if result.ok else None
        if found is None:  # what it printed is not shown: the environment of all apps is in it
            raise Failed(f"pm2 jlist gave no list: {result.reason()}", next_step="look yourself: pm2 ls")
        return tuple(found)

    def act(self, *words: str, order: Mapping[str, object] | None = None, limit: float = LIMIT) -> run.Result:
        """Let it do something; how that ends is the caller's to judge. A daemon is started first where none runs, without
        the order: all apps in cluster mode would inherit it."""
        if not self.runs():
            run.run(self._command(("ping",)))
        shown = f"pm2 {' '.join(words).replace(CONFIG, '…')}"
        whole = durations.show(limit)
        return run.run(
            self._command(words, order, limit), lambda s: self.report(f"{shown}: {durations.show(s)} of at most {whole}")
        )

    def done(self, *words: str, limit: float = LIMIT) -> None:
        """Let it do something. Raises Failed with what it says."""
        result = self.act(*words, limit=limit)
        if not result.ok:
            raise Failed(f"pm2 {' '.join(words)}: {result.reason()}{said(result)}")

    def asked(self, order: Mapping[str, object]) -> str:
        """How an app is to run, as JSON, without its environment. Raises UsageError when that cannot be read."""
        result = run.run(self._through(("node", CONFIG), self._environment(order), LIMIT))
        if not result.ok:
            source = order.get("file") or f"the app {order.get('known')}"
            raise UsageError(f"{source}: {result.err.strip() or result.reason()}")
        return result.out

    def _command(
        self, words: tuple[str, ...], order: Mapping[str, object] | None = None, limit: float = LIMIT
    ) -> run.Command:
        return self._through((self.program(), *words), self._environment(order), limit)

    def _environment(self, order: Mapping[str, object] | None) -> dict[str, str]:
        env = {"PM2_HOME": self.home, "HOME": self._person()}
        return env | {ORDER: json.dumps({**order, "pm2": self.program()})} if order else env

    def _through(self, argv: tuple[str, ...], env: dict[str, str], limit: float) -> run.Command:
        """By the user who runs PM2, and without what is in our environment and not for an app."""
        unset = [word for key in sorted(TRACKING | PLACES) for word in ("-u", key)]
        return run.Command((*self._as_user(), "env", *unset, *argv), limit, cwd="/", env=env)

    def _as_user(self) -> tuple[str, ...]:
        user = self.settings.user
        if not user or os.geteuid() != 0 or pwd.getpwnam(user).pw_uid == 0:
            return ()
        return ("runuser", "-u", user, "--")

    # what it keeps

    def saved(self) -> set[str] | None:
        """The names in its dump, which it brings up at a boot; None where there is no dump."""
        try:
            found = json.loads(files.read(f"{self.home}/dump.pm2"))
            return {str(one["name"]) for one in found if one.get("status") == "online"}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def save(self) -> None:
        """`pm2 save`, unless other apps would be lost by it: a daemon that was started anew does not know them."""
        running = {worker.name for worker in self._everything()}
        lost = sorted((self.saved() or set()) - running)
        if lost:
            self.report(f"warning: not saved: PM2 does not know {', '.join(lost)} any more; bring it back: pm2 resurrect")
            return
        self.done("save", "--force")

    def _everything(self) -> Iterator[Worker]:
        result = run.run(self._command(("--silent", "jlist")))
        yield from (read(result.out) if result.ok else None) or ()

    def log(self) -> str:
        """The log of the daemon."""
        return f"{self.home}/pm2.log"


def said(result: run.Result) -> str:
    """The last lines of a command, below a sentence, without the table that PM2 adds."""
    lines = [line.strip() for line in COLOUR.sub("", result.out + result.err).splitlines()]
    told = list(dict.fromkeys(line for line in lines if line and line[0] not in "┌├│└"))
    return "".join(f"\n  | {line}" for line in told[-LINES:])
