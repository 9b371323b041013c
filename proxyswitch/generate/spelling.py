"""The command that makes a file, as it stands in its head: only what was said; the rest follows the machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from proxyswitch.generate.value import Given, Value


def spell(kind: str, values: Sequence[Value], given: Given, more: Mapping[str, str]) -> str:
    """`proxyswitch generate KIND …` with the options that were given, `more` after them."""
    words = ["proxyswitch", "generate", kind]
    for value in values:
        said = given.get(value.key)
        if not said:
            continue
        if value.switch:
            words.append(value.option if said == "yes" else f"--no-{value.option.removeprefix('--')}")
            continue
        for text in [said] if isinstance(said, str) else said:
            words += [value.option, text]
    for option, text in more.items():
        words += [option, text] if text else []
    return shlex.join(words)
