"""The person's own commands in a release: when they run, what they are told, and what their failure means."""

from __future__ import annotations

import pytest

from proxyswitch.system import proc
from tests.e2e.shop import Shop, python, wait
from tests.e2e.test_deploy import untouched

NAMES = ("prepare", "before_switch", "after_switch", "after_release", "on_failure")
FACTS = "APP HOOK POOL SLOT ADDRESS VERSION OLD_SLOT OLD_VERSION ERROR"


def test_hooks_run_in_order_where_the_settings_are_and_know_the_release(web: Shop) -> None:
    shell = "echo $PROXYSWITCH_HOOK $APP_VERSION $APP_SLOT $PORT $PROXYSWITCH_OLD_SLOT $PROXYSWITCH_OLD_VERSION >> said"
    words = python(
        "import os",
        f"facts = [os.environ['PROXYSWITCH_' + name] for name in '{FACTS}'.split()]",
        "print(*facts, sep='|', file=open('facts', 'a'))",
    )
    hooks = dict.fromkeys(NAMES, shell) | {"after_switch": words}
    web.configure(hooks=hooks)
    web.deploy("2")
    tail = f"2 green {web.green} blue 1"
    said = (web.bench.folder / "said").read_text().splitlines()
    assert said == [f"{name} {tail}" for name in ("prepare", "before_switch", "after_release")]
    facts = (web.bench.folder / "facts").read_text().splitlines()
    assert facts == [f"web|after_switch|app_backend|green|127.0.0.1:{web.green}|2|blue|1|"]


def test_each_hook_runs_at_its_moment(web: Shop) -> None:
    """What runs, and where the traffic goes, as each hook sees it."""
    look = python(
        "import os, socket, urllib.request",
        "def up(port):",
        "    with socket.socket() as sock: return sock.connect_ex(('127.0.0.1', port)) == 0",
        f"live = urllib.request.urlopen('http://127.0.0.1:{web.bench.port}/').headers['X-Version']",
        "hook = os.environ['PROXYSWITCH_HOOK']",
        f"print(hook, up({web.blue}), up({web.green}), live, file=open('seen', 'a'))",
    )
    web.configure(hooks=dict.fromkeys(NAMES, look))
    web.deploy("2")
    assert (web.bench.folder / "seen").read_text().splitlines() == [
        "prepare True False 1",
        "before_switch True True 1",
        "after_switch True True 2",
        "after_release False True 2",
    ]


@pytest.mark.parametrize("hook", ["prepare", "before_switch", "after_switch"])
def test_a_hook_that_fails_takes_the_release_back(web: Shop, hook: str) -> None:
    tell = 'echo "$PROXYSWITCH_VERSION: $PROXYSWITCH_ERROR" > failure'
    web.configure(hooks={hook: "echo cannot build; echo no space >&2; exit 3", "on_failure": tell})
    pools = web.bench.pools.read_text()
    result = web.deploy("2", "--json", code=3)
    assert result.json["error"].startswith(f"the hook {hook} of web failed: it ended with status 3")
    assert "| cannot build" in result.err
    assert "| no space" in result.err
    assert result.json["state"] == "everything is as before: web 1 serves from slot blue"
    assert (web.bench.folder / "failure").read_text().startswith(f"2: the hook {hook} of web failed")
    assert web.bench.pools.read_text() == pools
    untouched(web)


def test_after_release_fails_when_the_new_version_is_live_already(web: Shop) -> None:
    web.configure(hooks={"after_release": "exit 1", "on_failure": "touch failure"})
    result = web.deploy("2", "--json", code=4)
    assert result.json["changed"] is True
    assert result.json["state"].startswith("the new version is live")
    assert web.instances() == {"green": "2"}
    assert web.bench.version() == "2"
    assert web.journals() == []
    assert web.releases() == [("release", "2", "done")]
    assert not (web.bench.folder / "failure").exists()  # the release did not fail
    web.configure()
    web.deploy("3")


def test_a_program_that_is_not_there_fails_like_the_hook_itself(web: Shop) -> None:
    web.configure(hooks={"before_switch": ["/nonexistent/program"]})
    result = web.run("deploy", "web", "--version", "2")
    assert result.code in (2, 3)
    assert "/nonexistent/program" in result.err
    untouched(web)


def test_on_failure_that_fails_itself_is_a_warning(web: Shop) -> None:
    web.configure(hooks={"on_failure": "exit 9"})
    result = web.deploy("2-crashes", code=3)
    assert "warning: the hook on_failure of web failed: it ended with status 9" in result.err
    untouched(web)


def test_a_hook_that_hangs_is_ended_with_all_that_it_started(web: Shop) -> None:
    web.configure(hooks={"prepare": "sleep 987 & echo $! > child; wait", "timeout": "300ms"})
    result = web.deploy("2", code=3)
    assert "the hook prepare of web failed: it did not end within" in result.err
    child = int((web.bench.folder / "child").read_text())
    wait(lambda: "sleep" not in proc.title(child))
    untouched(web)


def test_a_signal_ends_the_hook_that_runs(web: Shop) -> None:
    web.configure(hooks={"prepare": "echo $$ > hook; exec sleep 987"})
    running = web.spawn("2")
    wait(lambda: (web.bench.folder / "hook").exists() and (web.bench.folder / "hook").read_text().strip())
    running.terminate()
    _, err = running.communicate(timeout=30)
    assert running.returncode == 143, err
    pid = int((web.bench.folder / "hook").read_text())
    wait(lambda: "sleep" not in proc.title(pid))
    untouched(web)
