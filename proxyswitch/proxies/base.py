"""What a proxy does: read its pools, make a candidate, test it, apply it, prove that it took effect, and drain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from proxyswitch.errors import ConfigError, Failed
from proxyswitch.model import Endpoint, Pool, PoolChange, Problem


class Options(NamedTuple):
    """What a person may say about a proxy: its main config, its program, and limits (seconds, a number of workers)."""

    conf: str = ""
    binary: str = ""
    reload_timeout: float = 10.0
    max_old_workers: int = 64


class Rejected(ConfigError):
    """Exit 3: the proxy itself refuses the candidate; nothing was written."""

    exit_code = 3


class NotTaken(Failed):
    """The proxy was told to apply a config, and there is no proof that it did."""


class FileChange(NamedTuple):
    """One file with the bytes it has and the bytes it is to have; `real` has all links resolved."""

    path: str
    real: str
    before: bytes
    after: bytes


class Candidate(NamedTuple):
    """An edit. `verify` raises unless it makes exactly the wanted change; it can run while the proxy tests the edit."""

    pool: Pool
    change: PoolChange
    files: tuple[FileChange, ...]
    verify: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Left:
    """What still holds the old side: how many holders, and a sentence about them."""

    count: int
    what: str


class Proxy(Protocol):
    """A proxy whose config we edit. Every method raises ProxyswitchError with a message for the user.

    A `token` is what `capture` saw before a change: data that the journal can hold (lists, numbers, texts).
    """

    name: str
    conf: str

    def pools(self) -> list[Pool]:
        """All pools of the config as it is on disk now."""

    def pool(self, name: str) -> Pool:
        """The pool of that name. Raises UsageError, with the name that was likely meant."""

    def candidate(self, name: str, change: PoolChange) -> Candidate:
        """The edits that make the change in the config as `pool` last read it. Nothing is written."""

    def allowed(self, candidate: Candidate) -> None:
        """Raise UsageError unless we may write these files and reload: before anything is changed."""

    def stage(self, candidate: Candidate) -> list[Problem]:
        """Verify the candidate, and let the proxy test it, while every live file stays as it is. Raises Rejected."""

    def running(self) -> bool:
        """True when the proxy runs."""

    def pending(self) -> list[str]:
        """The config files that differ from what the proxy has loaded, as far as that can be known."""

    def capture(self) -> Any:
        """What serves now, as data; None when the proxy does not run."""

    def apply(self, token: Any) -> None:
        """Tell the proxy to take the config on disk."""

    def prove(self, token: Any) -> Any:
        """Wait for proof that what `token` saw no longer takes new requests, and return what drains now.

        Raises NotTaken.
        """

    def untouched(self, token: Any) -> bool:
        """True when just what `token` saw serves still: nothing was taken."""

    def leftovers(self) -> Any:
        """What earlier changes left behind and is still there, in the form that `draining` takes."""

    def draining(self, token: Any) -> Left | None:
        """What of `token` is still there; None when the old side has drained."""

    def connections(self, endpoints: list[Endpoint]) -> dict[Endpoint, int]:
        """Open connections to each endpoint."""
