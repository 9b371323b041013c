"""What a proxy does: read its pools, make a candidate, test it, apply it, prove that it took effect, and drain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from proxyswitch.errors import ConfigError, Failed, UsageError
from proxyswitch.model import Pool, PoolChange, Problem


class Options(NamedTuple):
    """What a person may say about a proxy: its main config and those that follow it, its program, its runtime socket, limits
    (seconds, a number of workers), and how a change is to be made (`reload`, `runtime`; empty: as is best).

    For one in a container: `inside`, the words that run a command there, from the folder `cwd`; and `paths`, pairs of a
    name inside and the name of the same file here."""

    conf: str = ""
    binary: str = ""
    reload_timeout: float = 10.0
    max_old_workers: int = 64
    more: tuple[str, ...] = ()
    socket: str = ""
    mode: str = ""
    inside: tuple[str, ...] = ()
    cwd: str = ""
    paths: tuple[tuple[str, str], ...] = ()


class Adopting(NamedTuple):
    """How a pool of nginx is to become an instant one: the addresses of its slots, the folder of its flag (empty: in the
    state folder), what a client is told by (`cookie:NAME`, `header:NAME`, `variable:NAME`; empty: its address), and a log
    file of its own (empty: none)."""

    blue: tuple[str, ...] = ()
    green: tuple[str, ...] = ()
    flags: str = ""
    sticky: str = ""
    log: str = ""


class Closing(NamedTuple):
    """Maintenance: the page that clients get with status 503, the Retry-After in seconds, and who gets in all the same
    (addresses and networks)."""

    page: str
    retry_after: int
    allow: tuple[str, ...] = ()


class Rejected(ConfigError):
    """Exit 3: the proxy itself refuses the candidate; nothing was written."""

    exit_code = 3


class NotTaken(Failed):
    """The proxy was told to apply a config, and there is no proof that it did."""


class NoPool(UsageError):
    """Exit 2: a proxy has no pool of that name."""


class Several(UsageError):
    """Exit 2: several proxies of one kind run here; `choices` are the main config of each and its process."""

    def __init__(self, what: str, choices: dict[str, int], *, next_step: str) -> None:
        super().__init__(what, next_step=next_step)
        self.choices = choices


def no_pool(name: str, known: list[str], where: str, none: str) -> NoPool:
    """The error, with the name that was likely meant; `none` says how it is when there is no pool at all."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1, 0.5)
    if close:
        return NoPool(f"no pool {name!r} in {where}: did you mean {close[0]!r}?")
    listed = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    what = f"no pool {name!r} in {where}; {f'there is {listed}' if known else none}"
    return NoPool(what, next_step="look with: proxyswitch show")


class FileChange(NamedTuple):
    """One file with the bytes it has and the bytes it is to have; `real` has all links resolved.

    `in_place`: it must stay the same file, for it alone is mounted into a container: another of its name is not seen there.
    """

    path: str
    real: str
    before: bytes
    after: bytes
    in_place: bool = False


class Candidate(NamedTuple):
    """An edit. `verify` raises unless it makes exactly the wanted change; it can run while the proxy tests the edit.

    The files are written in this order. One that is there twice has bytes in between with which the others are valid
    before and after.
    """

    pool: Pool
    change: PoolChange
    files: tuple[FileChange, ...] = ()
    verify: Callable[[], None] = lambda: None
    wish: Any = None  # what is meant beside the server lines, in the proxy's own form


@dataclass(frozen=True, slots=True)
class Left:
    """What still holds the old side: how many holders, and a sentence about them."""

    count: int
    what: str


class Seen(NamedTuple):
    """What runs of a server line: open connections or sessions, its state, weight and address where the proxy tells them,
    what its health check says, and in words what is not as the file says."""

    connections: int | None = None
    state: str = ""
    weight: int | None = None
    address: str = ""
    health: str = ""
    differs: tuple[str, ...] = ()


class Tries(NamedTuple):
    """What a proxy counted of one server: requests that were tried there, those that failed (5xx, or no answer), and how
    long an answer took on average, in seconds; None where it does not tell."""

    requests: int = 0
    failed: int = 0
    seconds: float | None = None

    @property
    def rate(self) -> float:
        """Failed, in percent."""
        return 100 * self.failed / self.requests if self.requests else 0.0


class Counter(Protocol):
    """Counts what a proxy does from the moment on that it is made."""

    def tries(self) -> Mapping[str, Tries]:
        """By the address of each server of the pool, in our spelling, since then."""


class Proxy(Protocol):
    """A proxy whose config we edit. Every method raises ProxyswitchError with a message for the user.

    A `token` is what `capture` saw before a change: data that the journal can hold (lists, numbers, texts).
    """

    name: str
    conf: str
    options: Options  # with which the same proxy is found again

    @property
    def keys(self) -> tuple[str, ...]:
        """What it is known by, the first for its journal: nobody else changes it while we hold a lock on each."""

    @property
    def folders(self) -> set[str]:
        """The folders of its main config and of what it writes itself: a killed run can leave a dotfile there."""

    # what it says

    def pools(self) -> list[Pool]:
        """All pools of the config as it is on disk now."""

    def pool(self, name: str) -> Pool:
        """The pool of that name. Raises UsageError, with the name that was likely meant."""

    def serving(self, pool: Pool) -> Pool:
        """The pool as it serves now, where that is known to differ from the file."""

    def seen(self, pools: list[Pool]) -> dict[tuple[str, str], Seen]:
        """What runs of each server, by the names of pool and server."""

    def near(self) -> bool:
        """True when the addresses of its servers lead from here to where they lead from it."""

    def running(self) -> bool:
        """True when the proxy runs."""

    def pending(self) -> list[str]:
        """The config files that differ from what the proxy has loaded, as far as that can be known."""

    # changing it

    def candidate(self, name: str, change: PoolChange) -> Candidate:
        """The edits that make the change in the config as `pool` last read it. Nothing is written."""

    def mode(self, candidate: Candidate) -> str:
        """How it is done: `reload`, `runtime`, or `file` where the proxy does not run."""

    def stale(self, candidate: Candidate) -> str:
        """Why something must be told although no file changes; empty when what runs is as wanted too, or nothing runs."""

    def adoption(self, pool: str, wish: Adopting) -> Candidate:
        """The edits that bring a pool into instant mode. Raises UsageError, with the line, where that cannot be done."""

    def plain(self, pool: str, pick: Callable[[Pool], PoolChange]) -> Candidate:
        """The edits that take it out of instant mode; `pick` says which of the restored servers are to serve."""

    def maintenance(self, pool: str, closing: Closing | None) -> Candidate:
        """What closes a pool for maintenance, or opens it again (None)."""

    def closed(self, pool: str) -> str:
        """Whether the pool is closed for maintenance, in a sentence; empty while it is open."""

    def gates(self, pool: str) -> bool:
        """True where the pool can be closed for maintenance."""

    def counter(self, pool: str, log: str) -> Counter | None:
        """What counts the requests of each server of a pool from now on; None where nothing tells. `log` is a log of tries
        that the person named."""

    def trouble(self, pools: list[Pool]) -> list[Problem]:
        """What is wrong with how these pools are set up, and would show only later."""

    def allowed(self, candidate: Candidate) -> None:
        """Raise UsageError unless we may write these files and tell the proxy: before anything is changed."""

    def safe(self, candidate: Candidate) -> None:
        """Raise unless somebody will answer after the change, as far as the proxy knows. `--force` does not ask."""

    def stage(self, candidate: Candidate) -> list[Problem]:
        """Verify the candidate, and let the proxy test it, while every live file stays as it is. Raises Rejected."""

    def capture(self, candidate: Candidate) -> Any:
        """What serves now, as data; None when the proxy does not run and so cannot be told."""

    def can_tell(self, token: Any) -> bool:
        """True when what `capture` saw can be told something: the proxy runs, or need not run for that."""

    def make_way(self, pool: str, names: set[str] | None = None) -> None:
        """Before files change: nothing beside the config says how these servers run (None: all of the pool), so that a
        start at any moment takes them from the config. `refresh` undoes it."""

    def refresh(self, pool: str) -> None:
        """What the proxy reads at its next start beside its config is as it runs now."""

    def apply(self, candidate: Candidate, token: Any) -> None:
        """Tell the proxy to take the change, which is on disk already."""

    def prove(self, candidate: Candidate, token: Any) -> Any:
        """Wait for proof that it did, and return what drains now. Raises NotTaken."""

    def revert(self, pool: str, token: Any, *, applied: bool) -> None:
        """The files are as before again: make what runs agree with them. Raises when it cannot be shown that it does.

        `applied` is False when `apply` was never called.
        """

    def facts(self) -> dict[str, object]:
        """What `--json` should say besides of the change just made."""

    # the old side

    def leftovers(self, pool: str = "") -> Any:
        """What earlier changes left behind and is still there, in the form that `draining` takes."""

    def release(self, token: Any) -> None:
        """Close what is kept open to the old side without a request on it, where that can be told apart. Tried before each
        look at what is left."""

    def draining(self, token: Any) -> Left | None:
        """What of `token` is still there; None when the old side has drained."""

    def stays(self, token: Any) -> str:
        """What keeps clients on the old side until `press`; empty for nothing."""

    def press(self, token: Any) -> str:
        """Make clients leave that come back to the old side as long as it lets them. What was done; empty for nothing."""

    def cut(self, token: Any) -> str:
        """End what is still there. What was done; empty where that is not possible."""
