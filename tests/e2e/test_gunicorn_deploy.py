"""`deploy` of an app on a real gunicorn, in place: the good way, and every way in which it can fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.model import ProcessId
from proxyswitch.system import net, proc, signals
from tests.drivers.gunicorn_world import wait
from tests.e2e.gunicorn_support import Web, gunicorn_web
from tests.e2e.support import LIMIT
from tests.e2e.test_user import USER, code, readable_python

__all__ = ["code"]
HANG = "touch $PROXYSWITCH_HOOK; exec sleep 300"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """Version 1 runs."""
    with gunicorn_web(tmp_path) as made:
        made.release("1")
        yield made


class Slow:
    """A request that takes `seconds`; a worker has it when this is made."""

    def __init__(self, web: Web, seconds: float) -> None:
        self._url = f"http://127.0.0.1:{web.site.port}/slow?seconds={seconds}"
        self.version = ""
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        wait(lambda: self._taken(web))

    def _ask(self) -> None:
        with urllib.request.urlopen(self._url, timeout=60) as answer:
            self.version = str(answer.headers["X-Version"])

    def _taken(self, web: Web) -> bool:
        return net.connections([web.site.slot.endpoint])[web.site.slot.endpoint] > 0

    def end(self) -> str:
        self._thread.join(LIMIT)
        return self.version


def test_a_release_a_second_one_unchanged_and_back(web: Web) -> None:
    web.serves("1")
    old = web.site.master()
    done = web.release("2", "", "--json")
    assert done.json["mode"] == "in-place"
    assert (done.json["from"]["version"], done.json["to"]["version"]) == ("1", "2")
    web.serves("2")
    assert not proc.alive(old)
    master, workers = web.site.master(), web.workers()
    same = web.deploy("2")
    assert (same.out, same.err) == ("", "")
    assert (web.site.master(), web.workers()) == (master, workers)
    web.run("rollback", "web")
    web.serves("1")
    assert "process" not in web.run("status", "web").err
    assert web.run("stop", "web", "--force").out
    assert not web.site.processes()


def test_with_hup_the_master_stays(web: Web) -> None:
    web.configure(method="hup")
    master, workers = web.site.master(), web.workers()
    web.release("2")
    web.serves("2")
    assert web.site.master() == master
    assert not web.workers() & workers
    web.run("rollback", "web")
    web.serves("1")


@pytest.mark.parametrize("method", ["usr2", "hup"])
def test_code_that_does_not_import_is_not_told_to_gunicorn(web: Web, method: str) -> None:
    web.configure(method=method)
    before = web.site.master(), web.workers()
    failed = web.release("2", "exit", code=3)
    assert "RuntimeError: cannot reach the database: the last line" in failed.err
    assert "everything is as before: web 1 serves" in failed.err
    assert (web.site.master(), web.workers()) == before
    web.serves("1")
    web.release("3")
    web.serves("3")


def test_a_release_that_is_not_there_is_a_mistake_of_the_caller(web: Web) -> None:
    assert "there is no folder" in web.deploy("9", code=2).err
    web.serves("1")


@pytest.mark.parametrize("method", ["usr2", "hup"])
def test_one_that_never_gets_ready_is_taken_back(web: Web, method: str) -> None:
    web.configure(method=method, total="1s")
    old = web.site.master()
    failed = web.release("2", "never-ready", code=3)
    assert "503" in failed.err
    assert "everything is as before: web 1 serves" in failed.err
    assert web.site.master() == old
    web.serves("1")


def test_one_that_dies_after_the_switch_is_taken_back(web: Web) -> None:
    web.configure(watch="20s")
    old = web.site.master()
    failed = web.release("2", "dies-after:2", code=3)
    assert "Worker failed to boot" in failed.err
    assert web.site.master() == old
    web.serves("1")


def test_one_that_dies_only_in_gunicorn_is_taken_back(web: Web) -> None:
    """`--check-config` has loaded it, and a worker cannot: with hup that ends the master, and all stands still."""
    more = "import sys\nif '--check-config' not in sys.argv: raise RuntimeError('not here')"
    failed = web.release("2", more=more, code=3)
    assert "not here" in failed.err
    web.serves("1")
    web.configure(method="hup")
    failed = web.release("3", more=more, code=3)
    assert "no master is left: version 1 is started anew, with a gap" in failed.err
    web.serves("1")


def test_a_new_master_that_is_killed_is_taken_back(web: Web) -> None:
    web.configure(watch="60s", hooks={"after_switch": "touch after_switch"})
    old = web.site.master()
    web.site.put("2")
    running = web.spawn("deploy", "web", "--version", "2")
    wait((web.site.folder / "after_switch").exists)
    signals.send(web.second()[0], signals.KILL)
    _, err = running.communicate(timeout=LIMIT)
    assert running.returncode == 3, err
    assert "has ended" in err
    assert web.site.master() == old
    web.serves("1")


def test_when_all_is_killed_the_old_version_is_started_anew(web: Web) -> None:
    web.configure(watch="60s", hooks={"after_switch": "touch after_switch"})
    web.site.put("2")
    running = web.spawn("deploy", "web", "--version", "2")
    wait((web.site.folder / "after_switch").exists)
    for process in web.site.processes():
        signals.send(process, signals.KILL)
    _, err = running.communicate(timeout=LIMIT)
    assert running.returncode == 3, err
    assert "no master is left: version 1 is started anew, with a gap" in err
    web.serves("1")


def test_the_old_master_may_die_meanwhile(web: Web) -> None:
    # without the file: as long as it names a zombie, which init may leave for a moment, gunicorn does not take it over
    hook = f"pid=$(cat {web.site.pidfile}) && rm {web.site.pidfile} && kill -9 $pid"
    web.configure(hooks={"after_switch": hook})
    web.release("2")
    web.serves("2")
    web.configure(hooks={"after_switch": f"{hook}; exit 1"})
    assert "the hook after_switch" in web.release("3", code=3).err
    web.serves("2")


@pytest.mark.parametrize("method", ["usr2", "hup"])
def test_a_killed_run_is_taken_back_by_recover(web: Web, method: str) -> None:
    web.configure(method=method, hooks={"after_switch": HANG})
    old = web.site.master()
    running = kill_in_hook(web, "2")
    assert web.site.version() == "2"
    web.configure(method=method)
    assert "took back an interrupted release of web 2" in web.run("recover").err
    assert web.site.master() == old
    web.serves("1")
    assert running.returncode


def test_a_run_that_is_killed_while_the_second_master_comes_up(web: Web) -> None:
    """It has sent USR2, and has not heard of the second master."""
    web.site.put("2", more="import time, sys\nif '--check-config' not in sys.argv: time.sleep(1)")
    running = web.spawn("deploy", "web", "--version", "2")
    wait(web.second)
    running.kill()
    web.release("3")
    web.serves("3")
    assert len(web.site.processes()) == 3


def test_a_run_that_is_killed_at_its_end_is_finished(web: Web) -> None:
    slow = Slow(web, 4)
    web.site.put("2")
    running = web.spawn("deploy", "web", "--version", "2")
    journal = web.site.folder / "state/journal/app-web.jsonl"
    wait(lambda: journal.exists() and _confirming(journal))
    running.kill()
    web.run("recover")
    assert slow.end() == "1"
    web.serves("2")


def _confirming(journal: Path) -> bool:
    """The last step of the plan has begun."""
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    last = len(rows[0]["plan"]["steps"]) - 1
    return any(row.get("number") == last for row in rows)


def kill_in_hook(web: Web, version: str) -> subprocess.Popen[str]:
    """Deploy, and kill -9 the run in its hook after_switch; the hook is ended too."""
    web.site.put(version)
    running = web.spawn("deploy", "web", "--version", version)
    wait((web.site.folder / "after_switch").exists)
    wait(lambda: proc.children(running.pid))
    hooks = [found for pid in proc.children(running.pid) if (found := proc.identify(pid))]
    running.kill()
    running.wait()
    for hook in hooks:
        signals.send(hook, signals.KILL)
    return running


def test_old_workers_that_do_not_finish_in_time_are_left_and_the_next_release_ends_them(web: Web) -> None:
    web.configure(drain="500ms")
    slow = Slow(web, 5)
    old = web.site.master()
    late = web.release("2", code=5)
    assert "old workers still finish requests" in late.err
    assert proc.alive(old)
    assert web.site.version() == "2"
    assert slow.end() == "1"
    web.release("3")
    assert not proc.alive(old)
    web.serves("3")


def test_a_stop_that_hangs_is_killed_and_said(web: Web) -> None:
    deaf = "import signal\nsignal.signal = lambda *_: None\nimport signal as s, _signal\n_signal.signal(15, 1)"
    web.configure(grace="1s")
    web.release("2", more=deaf)
    stopped = web.run("stop", "web", "--force")
    assert "did not end within 1.0 s and was killed" in stopped.err
    assert not web.site.processes()
    web.deploy("1")
    web.serves("1")


def test_gunicorn_is_absent(web: Web) -> None:
    web.configure(command=["/nowhere/gunicorn", "web:app"])
    web.site.put("2")
    assert "there is no program /nowhere/gunicorn" in web.deploy("2", code=2).err
    web.configure(command=[sys.executable, "-m", "no_such_gunicorn", "web:app"])
    assert "pip install gunicorn" in web.run("doctor", code=1).out
    web.serves("1")


@pytest.mark.root
def test_an_ordinary_user_may_not(code: Path) -> None:
    """It may read all of it, and not signal the master."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-user-"))
    folder.chmod(0o755)
    try:
        with gunicorn_web(folder) as web:
            web.configure(pidfile=str(folder / "web.pid"))
            web.release("1")
            web.site.put("2")
            said = f"no permission to signal gunicorn's master, process {(folder / 'web.pid').read_text().strip()}"
            done = by_user(folder, code, "deploy", "web", "--version", "2")
            assert done.returncode == 2, done.stdout + done.stderr
            assert said in done.stderr
            assert (web.site.version(), web.link) == ("1", "releases/1")
    finally:
        shutil.rmtree(folder)


def by_user(folder: Path, code: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`proxyswitch` as an ordinary user, with a state of its own."""
    theirs = folder / "theirs"
    theirs.mkdir(exist_ok=True)
    shutil.chown(theirs, USER)
    env = ("env", f"PROXYSWITCH_STATE={theirs}/state", f"PYTHONPATH={code}")
    argv = ["runuser", "-u", USER, "--", *env, readable_python(USER), "-m", "proxyswitch", *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def by_hand(web: Web, *words: str, chdir: str = "current") -> ProcessId:
    """A master that a person has started, in the foreground."""
    web.run("stop", "web", "--force")
    (web.site.state).mkdir(exist_ok=True, parents=True)
    folder = str(web.site.folder / chdir)
    argv = [word.format(address=f"127.0.0.1:{web.site.port}") for word in web.site.command(*words)]
    log = web.site.state / "logs/main.log"
    with open(log, "ab") as file:
        child = subprocess.Popen(
            [*argv, "--pid", str(web.site.pidfile), "--chdir", folder],
            stdout=file,
            stderr=file,
            start_new_session=True,
            cwd=web.site.folder,
        )
    web.children = [child]  # type: ignore[attr-defined]
    wait(web.site.version)
    return web.site.master()


def test_one_that_a_person_has_started_is_taken_over(web: Web) -> None:
    master = by_hand(web)
    web.site.put("2")
    assert "is no daemon" in web.deploy("2", code=2).err
    web.configure(method="hup")
    done = web.deploy("2", "--json")
    assert done.json["from"]["version"] == "1"
    assert web.site.master() == master
    web.serves("2")
    web.run("stop", "web", "--force")
    web.children[0].wait()  # type: ignore[attr-defined]


def test_one_that_was_started_in_the_folder_of_a_release_is_not_called_released(web: Web) -> None:
    """It has that code for ever, wherever the link leads: a reload changes nothing."""
    by_hand(web, chdir="releases/1")
    web.site.put("2")
    web.configure(method="hup")
    assert "does not follow the link" in web.deploy("2", code=3).err
    web.serves("1")
    assert (web.site.folder / "current").resolve().name == "1"
    web.run("stop", "web", "--force")
    web.children[0].wait()  # type: ignore[attr-defined]
