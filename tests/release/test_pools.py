"""Taking back the change of a pool: which one, and when it is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Pool, PoolChange, Server, ServerChange
from proxyswitch.release import history, intents, pools
from proxyswitch.release.history import Entry
from proxyswitch.release.intents import Changed, Exactly
from tests.ports import free_port
from tests.release.values import BLUE, GREEN, pool


@dataclass
class Proxy:
    """A proxy that is only looked at."""

    conf: str
    now: Pool
    name: str = "nginx"

    def pool(self, _name: str) -> Pool:
        return self.now

    def near(self) -> bool:
        return True


def switched(conf: str, *servers: Server | str, id: str = "1", **more: Any) -> tuple[Entry, Pool]:
    """The entry of a switch of that pool to GREEN, and the pool afterwards."""
    before = pool(*servers)
    change = intents.changes(intents.SwitchTo((GREEN,)), before)
    after = tuple(change.result(before.servers).elements())
    entry = Entry(id=id, kind="switch", at=1.0, pool="app_backend", conf=conf, change=change, after=after, **more)
    pools.past().add(entry)
    return entry, pool(*after)


@pytest.fixture
def conf(tmp_path: Path) -> str:
    (tmp_path / "home").mkdir(exist_ok=True)
    pools.past().path.parent.mkdir(parents=True)
    return str(tmp_path / "nginx.conf")


def proxy(conf: str, now: Pool) -> Any:
    return Proxy(conf, now)


def test_the_last_change_of_that_config_and_pool_counts(conf: str) -> None:
    entry, now = switched(conf, BLUE)
    pools.past().add(replace_entry(entry, id="2", conf="/other.conf"))
    pools.past().add(replace_entry(entry, id="3", pool="other"))
    assert pools.last_change(proxy(conf, now), "app_backend").id == "1"
    assert pools.last_change(proxy(conf, now)).id == "3"
    with pytest.raises(UsageError, match="no change of nowhere is in the history"):
        pools.last_change(proxy(conf, now), "nowhere")


def replace_entry(entry: Entry, **changes: Any) -> Entry:
    import msgspec

    return msgspec.structs.replace(entry, **changes)


def test_a_pool_that_a_release_switched_does_not_go_back_alone(conf: str) -> None:
    _, now = switched(conf, BLUE, app="web")
    with pytest.raises(UsageError, match="was a release of web") as caught:
        pools.last_change(proxy(conf, now), "app_backend")
    assert caught.value.next_step == "take the release back: proxyswitch rollback web"


def test_the_inverse_is_what_is_wished_unless_nothing_answers_there(conf: str) -> None:
    old = f"127.0.0.1:{free_port()}"
    entry, now = switched(conf, old)
    with pytest.raises(Failed, match=f"nothing answers where app_backend would go back to: {old}"):
        pools.rollback_wish(proxy(conf, now), entry, drain=0, force=False)
    wish = pools.rollback_wish(proxy(conf, now), entry, drain=5, force=True)
    assert (wish.kind, wish.undoes, wish.drain, wish.force) == (history.ROLLBACK, "1", 5, True)
    back = PoolChange("app_backend", (ServerChange(Server(GREEN), Server(old)),))
    assert wish.intent == Exactly(back, lenient=True, restores="1")


@pytest.mark.parametrize(
    "now",
    [
        pool(Server(GREEN, weight=2)),
        pool(GREEN, BLUE),
        pool(replace(Server(GREEN), params=("max_fails=0",))),
        pool(BLUE),
    ],
)
def test_a_pool_that_was_changed_since_is_refused_with_both_sides(conf: str, now: Pool) -> None:
    entry, _ = switched(conf, BLUE)
    with pytest.raises(Changed) as caught:
        pools.rollback_wish(proxy(conf, now), entry, drain=0, force=False)
    assert "after the last change it had 127.0.0.1:3002; now it has " in caught.value.what
    assert "(nginx.conf:1)" in caught.value.what
    assert "--force" in caught.value.next_step
