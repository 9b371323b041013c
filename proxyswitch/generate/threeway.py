"""Three texts side by side: as we made it, as it was edited since, and as it would be made now."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff


def diff(before: str, after: str, before_name: str, after_name: str) -> str:
    """A unified diff."""
    lines = unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), before_name, after_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines)


def picture(base: str | None, edited: str, new: str, path: str) -> str:
    """What was edited, what is new, and where both touch the same lines. Without `base` only how the two differ."""
    if base is None:
        return diff(edited, new, path, f"{path} (made anew)")
    parts = [
        "what you edited since it was made:\n",
        diff(base, edited, f"{path} (as it was made)", path),
        "what is made differently now:\n" if base != new else "nothing is made differently now\n",
        diff(base, new, f"{path} (as it was made)", f"{path} (made anew)"),
    ]
    both = list(_conflicts(base, edited, new))
    if both:
        parts.append(f"both touch the same lines, as it was made: {', '.join(both)}\n")
    elif base != new:
        parts.append("the two touch different lines\n")
    return "".join(parts)


def _conflicts(base: str, edited: str, new: str) -> Iterator[str]:
    """The lines of `base`, counted from 1, that both change and not in the same way."""
    ours, theirs = _touched(base, edited), _touched(base, new)
    for first, last, text in ours:
        for other_first, other_last, other in theirs:
            if first < max(other_last, other_first + 1) and other_first < max(last, first + 1) and text != other:
                yield f"{first + 1}" if last - first < 2 else f"{first + 1}-{last}"
                break


def _touched(base: str, other: str) -> list[tuple[int, int, tuple[str, ...]]]:
    """The ranges of lines of `base` that are different in `other`, each with what is there instead."""
    one, two = base.splitlines(), other.splitlines()
    codes = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    return [(i, j, tuple(two[k:m])) for tag, i, j, k, m in codes if tag != "equal"]
