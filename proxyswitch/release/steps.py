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
    SetStates,
    SetWeights,
    Share,
    SwitchTo,
    Unadopt,
)

AnyIntent = SwitchTo | SetState | SetStates | Share | SetWeights | Exactly | AsItIs | Adopt | Unadopt | Maintain | Canary


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


class Migrate(Step, frozen=True):
    """Run a migration of a version, once: `expand` before it gets traffic, `contract` when it stays. Never taken back."""

    app: str
    phase: str
    version: str
    slot: str = ""


class StartInstance(Step, frozen=True):
    """Start a version in a slot; exactly that `artefact`, where one is given. `again`: unless it runs there already."""

    app: str
    slot: str
    version: str
    artefact: str = ""
    again: bool = False


class StopInstance(Step, frozen=True):
    """Stop what runs in a slot. With a `version` it is started again when the plan is taken back, exactly as `artefact`.

    `gap`: from here on nobody serves, until the app is healthy again.
    """

    app: str
    slot: str
    version: str = ""
    artefact: str = ""
    gap: bool = False


class ReloadInstance(Step, frozen=True):
    """Let the runner replace what runs in a slot by that version; `pool` follows meanwhile, where addresses change."""

    app: str
    slot: str
    version: str
    artefact: str = ""
    pool: str = ""
    proxy: str = ""


class RevertInstance(Step, frozen=True):
    """Let the runner go back to what ran before the last reload."""

    app: str
    slot: str
    pool: str = ""
    proxy: str = ""


class ConfirmInstance(Step, frozen=True):
    """The version that a reload brought stays: what was kept for going back is ended."""

    app: str
    slot: str


class Follow(Step, frozen=True):
    """All traffic of a pool goes to where the runner says that the app listens. Taken back as the edit of a pool is."""

    app: str
    slot: str
    pool: str
    proxy: str = ""


class WaitHealthy(Step, frozen=True):
    """Wait until an instance of an app is healthy, or until `url` is; `total` in seconds."""

    app: str = ""
    slot: str = ""
    version: str = ""
    url: str = ""
    total: float = 60.0


class WarmUp(Step, frozen=True):
    """Send requests to a new version before it gets traffic, so that the first user need not wait."""

    app: str
    slot: str
    version: str


class EditConfig(Step, frozen=True):
    """Change a pool in the config and apply it; not done before Prove. `proxy` is empty for the one of the app."""

    pool: str
    intent: AnyIntent
    app: str = ""
    force: bool = False
    proxy: str = ""


class Prove(Step, frozen=True):
    """Prove that the change before took effect."""

    pool: str
    proxy: str = ""


class Watch(Step, frozen=True):
    """Keep looking at the new version for that many seconds; a death, an illness or too many failures undo the release.

    `pool` counts the requests of both sides, where one is named; `old_slot` is the other side. `share` is what the new side
    gets, in percent. `manual`: then wait for a person, at most `patience` seconds.
    """

    app: str
    slot: str
    version: str
    seconds: float
    pool: str = ""
    proxy: str = ""
    old_slot: str = ""
    share: int = 100
    manual: bool = False
    patience: float = 0.0


class Drain(Step, frozen=True):
    """Wait until the old side has finished its requests, at most that many seconds.

    `earlier` waits for what changes before this plan left behind; `close` ends, when time is up, what is still there.
    `strict`: the plan cannot go on before, so that it fails when time is up.
    """

    pool: str
    seconds: float
    earlier: bool = False
    close: bool = False
    proxy: str = ""
    strict: bool = False


AnyStep = (
    RunHook
    | Migrate
    | StartInstance
    | StopInstance
    | ReloadInstance
    | RevertInstance
    | ConfirmInstance
    | Follow
    | WaitHealthy
    | WarmUp
    | EditConfig
    | Prove
    | Watch
    | Drain
)


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


def undo_of(step: Step) -> tuple[AnyStep, ...]:
    """What takes a step back, as data; nothing for a step that changes nothing or cannot be taken back.

    An EditConfig is taken back from its own journal, which holds the bytes.
    """
    match step:
        case StartInstance():
            return (StopInstance(step.app, step.slot),)
        case StopInstance(version=version) if version:
            again = StartInstance(step.app, step.slot, version, step.artefact, again=True)
            return (again, WaitHealthy(step.app, step.slot, version))
        case ReloadInstance():
            return (RevertInstance(step.app, step.slot, step.pool, step.proxy),)
    return ()


# What a step does, in words; `{0}` is the step.
_WORDS: dict[type[Step], str] = {
    RunHook: "run the hook {0.hook} of {0.app}",
    Migrate: "run the migration {0.phase} of {0.app} {0.version}",
    StartInstance: "start {0.app} {0.version} in slot {0.slot}",
    StopInstance: "stop {0.app} in slot {0.slot}",
    ReloadInstance: "replace {0.app} by {0.version} in place",
    RevertInstance: "{0.app} goes back to the version before",
    ConfirmInstance: "end what is left of the old version of {0.app}",
    Follow: "{0.pool} gets the addresses of {0.app}",
    WarmUp: "warm up {0.app} {0.version} in slot {0.slot}",
    Prove: "prove that {0.pool} has switched",
}


def describe(step: Step) -> str:
    """A step in words."""
    match step:
        case WaitHealthy():
            return f"wait until {step.url or f'{step.app} {step.version} in slot {step.slot}'} is healthy"
        case EditConfig():
            return f"change {step.pool}: {_wish(step.intent)}"
        case StopInstance(gap=True):
            return f"stop {step.app} {step.version} in slot {step.slot}: from here on nobody serves"
        case Watch():
            share = f" with {step.share} % of the traffic" if step.share < 100 else ""
            wait = ", then wait for `proxyswitch promote`" if step.manual else ""
            return f"watch {step.app} {step.version}{share} for {step.seconds:g} s{wait}"
        case Drain():
            whom = "what earlier changes left behind" if step.earlier else f"the old side of {step.pool}"
            return f"wait for {whom} to drain, at most {step.seconds:g} s"
        case _:
            return _WORDS[type(step)].format(step)


# What is wanted of a pool, in words; `{0}` is the intent.
_WISHES: dict[type[Any], str] = {
    SetState: "{0.server} becomes {0.state}",
    Share: "{0.new} gets {0.percent} % of the traffic",
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
        case SetStates():
            return f"{', '.join(intent.servers)} {'becomes' if len(intent.servers) == 1 else 'become'} {intent.state}"
        case SetWeights():
            return ", ".join(f"{name} gets weight {weight}" for name, weight in intent.weights)
        case Maintain():
            return "closed for maintenance" if intent.closed else "open again"
        case _:
            return _WISHES[type(intent)].format(intent)
