"""Tables of a TOML file → structs, with what is wrong in the words of the file."""

from __future__ import annotations

import re
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from proxyswitch import durations
from proxyswitch.errors import SettingsError
from proxyswitch.settings_base import Bytes, Local, Percent, Seconds, suggest


def convert(tree: object, kind: type[Any], path: str, prefix: str) -> Any:
    """A table as a struct. Raises SettingsError with the path of the key, `prefix` before it."""
    try:
        return msgspec.convert(tree, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_explain(_with_key(str(error), tree), kind, prefix)}") from None


def _decode(kind: type[Any], value: object) -> object:
    if kind is Local and isinstance(value, str):
        return Local(value)
    if kind is Local:
        raise ValueError("expected a file or folder, as text")
    if kind in (Percent, Bytes):
        return kind.parse(value)
    if kind is not Seconds:
        raise NotImplementedError
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return Seconds(value)
    if not isinstance(value, str):
        raise ValueError("expected a duration: seconds, or as 500ms, 30s, 2m, 1h")
    return Seconds(durations.parse(value))


_INDEX = re.compile(r"\[(\d+)\]")
_NOTIFY = re.compile(r"^notify\[(\d+)\]")
_AT = re.compile(r" - at `(?:key in )?\$?\.?([^`]*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


def _with_key(message: str, tree: Any) -> str:
    """msgspec says `[...]` for a key that the person chose, as in env or slots: such tables hold texts, or lists."""
    at = _AT.search(message)
    table, found, rest = at[1].partition("[...]") if at else ("", "", "")
    if not found:
        return message
    for key in _INDEX.sub(r".\1", table).split("."):
        tree = tree[int(key) if isinstance(tree, list) else key]
    right = _texts if rest or "Expected `array`" in message else _text
    wrong = next(key for key, value in tree.items() if not right(value))
    return message.replace("[...]", f".{wrong}")


def _text(value: object) -> bool:
    return isinstance(value, str)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _explain(message: str, kind: type[Any], prefix: str) -> str:
    """msgspec's sentence in the words of the file: the path of the key first."""
    at = _AT.search(message)
    inner = at[1] if at else ""
    what = _AT.sub("", message)
    where = _NOTIFY.sub(_numbered, ".".join(p for p in (prefix, inner) if p))
    unknown, missing = _UNKNOWN.match(what), _MISSING.match(what)
    if unknown:
        fields = list(_struct_at(kind, inner).__struct_fields__)
        return f"{_join(where, unknown[1])}: unknown key{suggest(unknown[1], fields)}"
    if missing:
        return f"{_join(where, missing[1])}: this key is required"
    return f"{where}: {what[:1].lower()}{what[1:]}" if where else what


def _numbered(found: re.Match[str]) -> str:
    """One of several tables with the same name, as a person counts them."""
    return f"notify {int(found[1]) + 1}"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _struct_at(kind: type[Any], inner: str) -> type[Any]:
    """The struct that a path of keys leads to."""
    for key in filter(None, _INDEX.sub("", inner).split(".")):
        hint = get_type_hints(kind)[key]
        options = [hint, *get_args(hint)] if get_origin(hint) else [hint]
        kind = next((o for o in options if isinstance(o, type) and issubclass(o, Struct)), kind)
    return kind
