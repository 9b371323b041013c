"""The steps of a plan: values that can be shown, stored in the journal, and read back after a crash."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from proxyswitch.release.intents import (
    Adopt,
    AsItIs,
    Canary,
    Exactly,
    Maintain,
    SetState,
    SetWeights,
    SwitchTo,
    Unadopt,
)

AnyIntent = SwitchTo | SetState | SetWeights | Exactly | AsItIs | Adopt | Unadopt | Maintain | Canary


class Step(Struct, frozen=True, tag=True):
    """One thing that the engine does."""


class RunHook(Step, frozen=True):
    """Run a command of the person's own: `prepare`, `before_switch`, `after_switch`, `after_release`, `on_failure`."""

    app: str
    hook: str
    slot: str
    version: str
    old_slot: str = ""
    old_version: str = ""


class StartInstance(Step, frozen=True):
    """Start a version in a slot."""

    app: str
    slot: str
    version: str


class StopInstance(Step, frozen=True):
    """Stop what runs in a slot."""

    app: str
    slot: str


class WaitHealthy(Step, frozen=True):
    """Wait until an instance of an app is healthy, or until `url` is; `total` in seconds."""

    app: str = ""
    slot: str = ""
    version: str = ""
    url: str = ""
    total: float = 60.0


class EditConfig(Step, frozen=True):
    """Change a pool in the config and apply it; not done before Prove."""

    pool: str
    intent: AnyIntent
    app: str = ""
    force: bool = False


class Prove(Step, frozen=True):
    """Prove that the change before took effect."""

    pool: str


class Watch(Step, frozen=True):
    """Keep looking at the new version for that many seconds; a death or an illness undoes the release."""

    app: str
    slot: str
    version: str
    seconds: float


class Drain(Step, frozen=True):
    """Wait until the old side has finished its requests, at most that many seconds.

    `earlier` waits for what changes before this plan left behind; `close` ends, when time is up, what is still there.
    """

    pool: str
    seconds: float
    earlier: bool = False
    close: bool = False


AnyStep = RunHook | StartInstance | StopInstance | WaitHealthy | EditConfig | Prove | Watch | Drain


class Plan(Struct, frozen=True):
    """Steps in order. Until step number `commit` (counted from 0) has begun, a failure undoes them all."""

    steps: tuple[AnyStep, ...]
    commit: int

    @property
    def drains(self) -> bool:
        """True when it waits for the old side."""
        return any(isinstance(self.steps[number], Drain) for number in range(len(self.steps)))

    def describe(self) -> list[str]:
        """The plan in words, a line a step."""
        return [describe(step) for step in self.steps]


def undo_of(step: Step) -> AnyStep | None:
    """What takes a step back, as data; None for a step that changes nothing or cannot be taken back.

    An EditConfig is taken back from its own journal, which holds the bytes.
    """
    if isinstance(step, StartInstance):
        return StopInstance(step.app, step.slot)
    return None


# What a step does, in words; `{0}` is the step.
_WORDS: dict[type[Step], str] = {
    RunHook: "run the hook {0.hook} of {0.app}",
    StartInstance: "start {0.app} {0.version} in slot {0.slot}",
    StopInstance: "stop {0.app} in slot {0.slot}",
    Prove: "prove that {0.pool} has switched",
    Watch: "watch {0.app} {0.version} for {0.seconds:g} s",
}


def describe(step: Step) -> str:
    """A step in words."""
    match step:
        case WaitHealthy():
            return f"wait until {step.url or f'{step.app} {step.version} in slot {step.slot}'} is healthy"
        case EditConfig():
            return f"change {step.pool}: {_wish(step.intent)}"
        case Drain():
            whom = "what earlier changes left behind" if step.earlier else f"the old side of {step.pool}"
            return f"wait for {whom} to drain, at most {step.seconds:g} s"
        case _:
            return _WORDS[type(step)].format(step)


# What is wanted of a pool, in words; `{0}` is the intent.
_WISHES: dict[type[Any], str] = {
    SetState: "{0.server} becomes {0.state}",
    Exactly: "{0.words}",
    AsItIs: "what runs becomes as the file says",
    Adopt: "instant mode",
    Unadopt: "the form that it had before it was adopted",
    Canary: "the new side gets {0.percent} % of the clients",
}


def _wish(intent: AnyIntent) -> str:
    match intent:
        case SwitchTo():
            return f"all traffic to {', '.join(intent.targets)}"
        case SetWeights():
            return ", ".join(f"{name} gets weight {weight}" for name, weight in intent.weights)
        case Maintain():
            return "closed for maintenance" if intent.closed else "open again"
        case _:
            return _WISHES[type(intent)].format(intent)
