"""What surrounds a release: migrations and their end, warm-up, the public address, what is kept, who is told, CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxyswitch.system import proc
from tests.e2e.haproxy_pairs import done
from tests.e2e.shop import Shop, environment, python, wait
from tests.ports import free_port

# writes what it is told into a file, and says something
MIGRATE = "echo {phase} $APP_VERSION from ${{PROXYSWITCH_VERSION}} >> ran; echo said by {phase}"


def migrating(made: Shop, **changes: object) -> None:
    words = {phase: MIGRATE.format(phase=phase) for phase in ("expand", "contract")}
    made.configure(migrate={**words, **changes})


def ran(made: Shop) -> list[str]:
    path = made.bench.folder / "ran"
    return [" ".join(line.split()[:2]) for line in path.read_text().splitlines()] if path.exists() else []


# migrations


def test_expand_runs_before_the_traffic_and_contract_when_confirmed(web: Shop) -> None:
    migrating(web)
    web.deploy("2")
    assert ran(web) == ["expand 2"]
    log = web.bench.state / "apps/web/logs/migrate-expand-2.log"
    assert log.read_text() == "said by expand\n"
    told = web.run("confirm", "web")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("web: 2 is confirmed (")
    assert ran(web) == ["expand 2", "contract 2"]
    again = web.run("confirm", "web")
    assert (again.code, again.out, again.err) == (0, "", "")


def test_each_once_a_version(web: Shop) -> None:
    migrating(web)
    web.deploy("2")
    done(web.run("rollback", "web"))
    assert web.run("confirm", "web").code == 0  # nothing stands that could be confirmed
    assert ran(web) == ["expand 2"]
    web.deploy("2")
    assert ran(web) == ["expand 2"]


def test_several_releases_are_confirmed_in_their_order(web: Shop) -> None:
    migrating(web)
    web.deploy("2")
    web.deploy("3")
    done(web.run("confirm", "web"))
    assert ran(web) == ["expand 2", "expand 3", "contract 2", "contract 3"]


def test_an_expand_that_fails_takes_the_release_back(web: Shop) -> None:
    web.configure(migrate={"expand": "echo no such column; exit 3"})
    result = web.deploy("2", code=3)
    assert "the migration expand of web 2 failed: it ended with status 3" in result.err
    assert "  | no such column" in result.err
    assert "what it had done to the database by then stays" in result.err
    assert web.instances() == {"blue": "1"}
    migrating(web)
    web.deploy("2")  # one that failed runs again
    assert ran(web) == ["expand 2"]


def test_a_release_that_is_taken_back_runs_nothing_backwards_and_says_so(web: Shop) -> None:
    words = MIGRATE.format(phase="expand")
    web.configure(migrate={"expand": words, "contract": "false"}, hooks={"after_switch": "false"})
    result = web.deploy("2", code=3)
    assert "the migration of web 2 stays: nothing runs backwards" in result.err
    assert ran(web) == ["expand 2"]


def test_an_expand_that_hangs_is_ended_in_time(web: Shop) -> None:
    web.configure(migrate={"expand": "sleep 600", "timeout": "500ms"})
    assert "it did not end within" in web.deploy("2", code=3).err


def test_a_contract_that_fails_needs_a_person(web: Shop) -> None:
    web.configure(migrate={"contract": "exit 1"})
    web.deploy("2")
    result = web.run("confirm", "web")
    assert result.code == 4
    assert "web 2 serves, and is not confirmed" in result.err
    web.configure(migrate={"contract": MIGRATE.format(phase="contract")})
    done(web.run("confirm", "web"))
    assert ran(web) == ["contract 2"]


def test_two_apps_with_one_database(web: Shop) -> None:
    """The lock has one name; the second app only needs to be there for it."""
    web.configure(migrate={"expand": "touch begun; sleep 60", "lock": "db"})
    first = web.spawn("2")
    wait((web.bench.folder / "begun").exists)
    text = web.settings.read_text()
    other = f"127.0.0.1:{free_port()}"
    web.settings.write_text(
        text + text[text.index("[apps.web]") :].replace("[apps.web]", "[apps.shop]").replace(f"127.0.0.1:{web.green}", other)
    )
    result = web.run("deploy", "shop", "--version", "2", "--slot", "green")
    assert result.code == 75, (result.out, result.err)
    assert "the migrations of db is busy" in result.err
    first.terminate()
    first.communicate(timeout=60)
    assert first.returncode == 143


def test_a_migration_of_a_run_that_was_killed_is_not_joined_by_another(web: Shop) -> None:
    web.configure(migrate={"expand": "touch begun; sleep 60"})
    first = web.spawn("2")
    wait((web.bench.folder / "begun").exists)
    first.kill()
    first.communicate()
    result = web.deploy("2", code=75)
    assert "a migration of web still runs, from a run that was killed" in result.err
    for process in proc.with_environment("PROXYSWITCH_MIGRATION", "web"):
        assert process.pid  # they end with the bench


def test_confirm_while_an_older_version_runs(web: Shop) -> None:
    migrating(web)
    web.deploy("2")
    done(web.run("start", "web:blue", "--version", "1"))
    result = web.run("confirm", "web")
    assert result.code == 2
    assert "web 1 still runs in slot blue: it may need what contract removes" in result.err
    assert "proxyswitch stop web:blue" in result.err
    assert ran(web) == ["expand 2"]


def test_confirmed_by_itself_after_a_time(web: Shop) -> None:
    migrating(web, confirm_after="1h")
    web.deploy("2")
    early = web.run("confirm", "--due")
    assert (early.code, early.out, early.err) == (0, "", "")
    migrating(web, confirm_after=0)
    due = web.run("confirm", "--due")
    assert (due.code, due.out.startswith("web: 2 is confirmed")) == (0, True)
    assert ran(web) == ["expand 2", "contract 2"]
    assert web.run("confirm", "--due").out == ""


@pytest.mark.parametrize("words", [(), ("web", "--due")])
def test_confirm_needs_one_of_two(web: Shop, words: tuple[str, ...]) -> None:
    assert web.run("confirm", *words).code == 2


def test_no_way_back_once_it_is_contracted(web: Shop) -> None:
    migrating(web)
    web.deploy("2")
    done(web.run("confirm", "web"))
    result = web.run("rollback", "web")
    assert result.code == 2
    assert "web 2 is confirmed, and its contract migrations have run" in result.err
    assert web.bench.version() == "2"
    done(web.run("rollback", "web", "--force"))
    assert web.bench.version() == "1"


# further back, and what is kept


def test_back_to_a_version(web: Shop) -> None:
    for version in ("2", "3", "4"):
        web.deploy(version)
    result = web.run("rollback", "web", "--to", "2", "--json")
    assert result.code == 0, result.err
    assert (result.json["from"]["version"], result.json["to"]["version"]) == ("4", "2")
    assert web.bench.version() == "2"
    done(web.run("rollback", "web"))  # from there on as ever
    assert web.bench.version() == "1"


def test_back_to_what_was_there_before_the_first_release(web: Shop) -> None:
    web.deploy("2")
    web.deploy("3")
    done(web.run("rollback", "web", "--to", "1"))
    assert web.bench.version() == "1"
    unknown = web.run("rollback", "web", "--to", "9")
    assert unknown.code == 2
    assert "no release of web 9 is in the history" in unknown.err


def test_to_is_for_apps(web: Shop) -> None:
    assert web.run("rollback", "app_backend", "--to", "1").code == 2


def test_an_instance_that_still_runs_is_gone_back_to(web: Shop) -> None:
    """The old side had not drained, so it was left running."""
    web.configure(drain="200ms")
    from tests.e2e.shop import Long

    long = Long(web, 3)
    web.deploy("2", code=5)
    first = web.runs("blue")
    assert first
    result = web.run("rollback", "web")
    assert web.bench.version() == "1"
    assert web.runs("blue") == first
    assert "start web 1" not in result.err
    long.end()


def test_old_versions_are_cleaned_up_once(web: Shop) -> None:
    web.configure(keep=2, hooks={"cleanup": "echo $PROXYSWITCH_VERSION >> cleaned"})
    for version in ("2", "3", "4", "5"):
        web.deploy(version)
    assert (web.bench.folder / "cleaned").read_text().split() == ["2", "3"]
    web.configure(keep=2, hooks={"cleanup": "false"})
    result = web.deploy("6")
    assert "warning: the hook cleanup of web failed" in result.err
    assert web.bench.version() == "6"


# warm-up, and the public address

COUNTING = python(
    "import http.server, json, os",
    "class Handler(http.server.BaseHTTPRequestHandler):",
    "    def do_GET(self):",
    "        open('asked', 'a').write(self.path + '\\n')",
    "        status = 500 if self.path == '/broken' else 404 if self.path == '/gone' else 200",
    "        body = json.dumps({'status': 'healthy', 'version': os.environ['APP_VERSION']}).encode()",
    "        self.send_response(status)",
    "        self.send_header('X-Version', os.environ['APP_VERSION'])",
    "        self.send_header('Content-Length', str(len(body)))",
    "        self.end_headers()",
    "        self.wfile.write(body)",
    "    def log_message(self, *words): pass",
    "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()",
)


def test_warm_up_before_the_traffic(web: Shop) -> None:
    web.configure(command=COUNTING, warmup={"paths": ["/", "/search?q=a", "/gone"], "count": 4, "concurrency": 3})
    web.deploy("2")
    asked = (web.bench.folder / "asked").read_text().splitlines()
    assert [asked.count(path) for path in ("/", "/search?q=a", "/gone")] == [4, 4, 4]


def test_a_warm_up_that_fails_keeps_the_traffic_away(web: Shop) -> None:
    web.configure(command=COUNTING, warmup={"paths": ["/broken"], "count": 2})
    result = web.deploy("2", code=3)
    assert "2 of 2 requests that warm up web 2 failed" in result.err
    assert "status 500" in result.err
    assert web.bench.version() == "1"


def test_the_public_address_is_asked_for_the_version(web: Shop) -> None:
    web.configure(command=COUNTING)
    web.deploy("2", "--verify", f"http://127.0.0.1:{web.bench.port}/")
    assert web.bench.version() == "2"


@pytest.mark.timeout(120)
def test_a_public_address_that_leads_elsewhere_takes_all_back(web: Shop) -> None:
    web.configure(command=COUNTING)
    result = web.deploy("2", "--verify", f"http://127.0.0.1:{web.blue}/health", code=3)
    assert "field version is" in result.err
    assert web.bench.version() == "1"
    assert web.instances() == {"blue": "1"}


# who is told


def notified(web: Shop) -> list[str]:
    path = web.bench.folder / "told"
    return path.read_text().splitlines() if path.exists() else []


def with_notifier(web: Shop, metrics: Path) -> None:
    entry = '[[notify]]\ncommand = "echo $PROXYSWITCH_EVENT $PROXYSWITCH_VERSION >> told"\n'
    entry += 'events = ["started", "switched", "done", "failed", "rolled_back", "drain_overdue"]\n'
    web.settings.write_text(web.settings.read_text() + f'\n{entry}\n[metrics]\ntextfile = "{metrics}"\n')


def test_those_who_asked_for_it_are_told_and_figures_are_written(web: Shop) -> None:
    metrics = web.bench.folder / "web.prom"
    with_notifier(web, metrics)
    web.deploy("2")
    assert sorted(notified(web)) == ["done 2", "started 2", "switched 2"]
    assert 'proxyswitch_releases_total{app="web",result="done"} 1.0' in metrics.read_text()
    web.deploy("3-crashes", code=3)
    assert sorted(notified(web)) == ["done 2", "failed 3-crashes", "started 2", "started 3-crashes", "switched 2"]
    done(web.run("rollback", "web"))
    assert "rolled_back 1" in notified(web)
    assert 'result="failed"} 1.0' in metrics.read_text()


def test_a_failure_after_the_switch_is_told_as_taken_back(web: Shop) -> None:
    web.configure(hooks={"after_switch": "false"})
    with_notifier(web, web.bench.folder / "web.prom")
    web.deploy("2", code=3)
    assert "rolled_back 2" in notified(web)


def test_a_notifier_that_fails_is_reported_and_fails_nothing(web: Shop) -> None:
    web.settings.write_text(web.settings.read_text() + '\n[[notify]]\ncommand = "false"\nevents = ["done"]\n')
    result = web.deploy("2")
    assert "warning: notify" in result.err
    assert web.bench.version() == "2"


# in CI


def test_github_gets_a_table_and_annotations(web: Shop, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done(web.run("deploy", "web", "--version", "2", env=env))
    failed = web.run("deploy", "web", "--version", "3-crashes", env=env)
    assert failed.code == 3
    assert "::error title=proxyswitch::" in failed.err
    text = summary.read_text()
    assert "| web | 1 | 2 | green | done |" in text
    assert "| web | - | 3-crashes | - | exit 3: " in text


def test_events_as_lines_of_json(web: Shop) -> None:
    result = web.deploy("2", "--json")
    lines = [json.loads(line) for line in result.out.splitlines()]
    kinds = [line.get("event") for line in lines]
    assert kinds[0] == "started"
    assert kinds[-2:] == ["done", None]
    assert lines[-1]["changed"] is True
    assert "switched" in kinds
    failed = web.deploy("3-crashes", "--json", code=3)
    last = [json.loads(line) for line in failed.out.splitlines()]
    assert (last[-2]["event"], last[-1]["exit"], last[-1]["changed"]) == ("failed", 3, False)


def test_a_release_that_is_gone_back_to_has_the_variables_that_it_had(web: Shop) -> None:
    web.configure(env={"MOOD": "calm"})
    web.deploy("2")
    web.configure(env={"MOOD": "wild"})
    web.deploy("3")
    process = web.runs(web.live())
    assert process
    assert environment(process)["MOOD"] == "wild"
    done(web.run("rollback", "web"))
    process = web.runs(web.live())
    assert process
    assert environment(process)["MOOD"] == "calm"
    kept = list((web.bench.state / "apps/web/releases").iterdir())
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert "MOOD" not in (web.bench.state / "history.jsonl").read_text()
