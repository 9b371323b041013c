"""What reads the file later tests it: a compiler, an interpreter or a checker, where it is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from proxyswitch.generate import scratch
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Options, Rejected
from proxyswitch.system import run


def python(made: Made, options: Options) -> str:  # noqa: ARG001
    """Python itself reads it; what it imports need not be here."""
    try:
        compile(made.text, made.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Rejected(f"python refuses {made.path}: {error}") from None
    return ""


def node(made: Made, options: Options) -> str:  # noqa: ARG001
    return _ask(made, "node", "--check", brief=_place_and_error)


def go(made: Made, options: Options) -> str:  # noqa: ARG001
    """Its syntax; to compile it, its packages are needed."""
    return _ask(made, "gofmt", "-e", "-l")


def workflow(made: Made, options: Options) -> str:  # noqa: ARG001
    """It cannot know the labels of a person's own runners."""
    return _ask(made, "actionlint", "-ignore", 'label ".+" is unknown')


def hooks(made: Made, options: Options) -> str:  # noqa: ARG001
    return _ask(made, "pre-commit", "validate-config")


def _place_and_error(said: str) -> str:
    """What counts of a long complaint of node's: the lines between show the text."""
    lines = said.splitlines()
    return ": ".join([*lines[:1], *[line for line in lines if "Error" in line][:1]])


def _ask(made: Made, program: str, *words: str, brief: Callable[[str], str] = str) -> str:
    """Give it the file, by the same name in a folder of ours. Raises Rejected with what it said."""
    binary = shutil.which(program)
    if not binary:
        return f"{program} did not test {os.path.basename(made.path)}: it is not installed here"
    with scratch.folder() as folder:
        path = scratch.put(folder, made)
        result = run.run(run.Command((binary, *words, path), timeout=60))
    if not result.ok:
        said = (result.out + result.err).strip().replace(path, made.path)
        raise Rejected(f"{program} refuses {made.path}: {brief(said) or result.reason()}")
    return ""
