"""What a person may put into a template: each word is checked here, and becomes a value. All raise ValueError.

What could end a directive, a line or a string in any of the formats (line ends, quotes, braces, semicolons) is refused, not
escaped by luck.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable

from proxyswitch import durations
from proxyswitch.model import MAX_PORT, Endpoint
from proxyswitch.settings_base import Bytes, Seconds

Word = Callable[[str], object]

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(\*\.)?({_LABEL}\.)*{_LABEL}", re.ASCII)
# the grammar of github.com/distribution/reference
_REGISTRY = r"[A-Za-z0-9]+([.-]+[A-Za-z0-9]+)*(:\d{1,5})?"
_PART = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"({_REGISTRY}/)?{_PART}(/{_PART})*(:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?", re.ASCII
)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"'`{};$\\#]")


def name(text: str) -> str:
    """The name of an app, pool or unit."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,62}", text, re.ASCII):
        raise ValueError(f"{text!r} is no name: a letter first, then letters, digits, - and _, 63 at most")
    return text


def domain(text: str) -> str:
    """A host name, as shop.example.com or *.example.com; in lower case."""
    lower = text.lower()
    if not lower.isascii():
        raise ValueError(f"{text!r}: write a domain with other letters in its ASCII form, xn--…")
    if not _DOMAIN.fullmatch(lower) or len(lower) > 253:
        raise ValueError(f"{text!r} is no domain, as shop.example.com or *.example.com")
    return lower


def address(text: str) -> Endpoint:
    """Where an instance listens, as 127.0.0.1:3001, [::1]:3001 or unix:/run/app.sock."""
    if bad := _UNSAFE.search(text):
        raise ValueError(f"{text!r}: an address must not contain {bad[0]!r}")
    return Endpoint.parse(text)


def port(text: str) -> int:
    return number(1, MAX_PORT)(text)


def number(least: int, most: int) -> Callable[[str], int]:
    """A word that is a whole number within these limits."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"{text!r}: expected a number from {least} to {most}")
        return int(text)

    return parse


def path(text: str) -> str:
    """An absolute path."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r}: expected an absolute path, as /srv/web")
    if bad := _UNSAFE.search(text):
        raise ValueError(f"{text!r}: a path here must not contain {bad[0]!r}")
    return text


def plain_path(text: str) -> str:
    """An absolute path that can stand inside a test or a longer path: nothing in it needs quotes."""
    if not re.fullmatch(r"(/[A-Za-z0-9_.-]+)+", text, re.ASCII) or {"..", "."} & set(text.split("/")):
        raise ValueError(f"{text!r}: expected an absolute path of letters, digits, '_', '.' and '-'")
    return text


def log(text: str) -> str:
    """Where a log goes: an absolute path, or off."""
    return text if text == "off" else path(text)


def url_path(text: str) -> str:
    """The path of a request, as /health."""
    if not re.fullmatch(r"/[A-Za-z0-9/._~%?&=+@:,-]*", text, re.ASCII):
        raise ValueError(f"{text!r}: expected the path of a URL, as /health")
    return text


def route(text: str) -> str:
    """A path that a framework routes, as /health: without the signs that routes give a meaning to."""
    if not re.fullmatch(r"(/[A-Za-z0-9][A-Za-z0-9_-]*)+", text, re.ASCII):
        raise ValueError(f"{text!r}: expected a path as /health, of letters, digits, - and _")
    return text


def time(text: str) -> Seconds:
    """A duration in seconds, as 30s or 2m."""
    return Seconds(durations.parse(text))


def size(text: str) -> Bytes:
    """An amount of bytes, as 10M."""
    return Bytes.parse(text)


def user(text: str) -> str:
    """A user or group of the system."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", text, re.ASCII):
        raise ValueError(f"{text!r} is no name of a user, as www-data")
    return text


def header(text: str) -> str:
    """The name of a header."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text, re.ASCII):
        raise ValueError(f"{text!r} is no name of a header, as X-Forwarded-For")
    return text


def command(text: str) -> tuple[str, ...]:
    """A command, split as a shell would; nothing else of the shell's is understood."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError(f"{text!r}: a command has one line")
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"{text!r}: {str(error).lower()}") from None
    if not words:
        raise ValueError("the command is empty")
    return words


def image(text: str) -> str:
    """The image of a container, as shop:latest or registry.example.com/shop:1."""
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"{text!r} is no name of an image, as shop:latest")
    return text


def url(text: str) -> str:
    """A web address that anybody may read, as https://shop.example.com/health: without a password."""
    if not re.fullmatch(
        r"https?://([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?(/[A-Za-z0-9/._~%?&=+@:,-]*)?", text, re.ASCII
    ):
        raise ValueError(f"{text!r} is no address of the web, as https://shop.example.com/health")
    return text


def repository(text: str) -> str:
    """Where git finds a repository: https://…, ssh://…, git@host:path or a path."""
    if re.search(r"://[^/]*:[^/]*@", text):
        raise ValueError("an address in a file that all can read must not hold a password")
    if not re.fullmatch(r"((https|ssh|file)://|git@[A-Za-z0-9.-]+:|/)[A-Za-z0-9@:/._~+-]+", text, re.ASCII):
        raise ValueError(f"{text!r} is no address of a repository, as https://example.com/proxyswitch")
    return text


def branch(text: str) -> str:
    """A branch or tag of git (git-check-ref-format(1)), of letters, digits and ./_-."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9./_-]{0,199}", text, re.ASCII) or re.search(
        r"\.\.|//|/\.|[/.]$|\.lock(/|$)", text
    ):
        raise ValueError(f"{text!r} is no branch or tag, as main or v1.2")
    return text


def label(text: str) -> str:
    """A label of a runner, as production or ubuntu-24.04."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", text, re.ASCII):
        raise ValueError(f"{text!r} is no label of a runner, as production")
    return text


def inside(text: str) -> str:
    """A path inside the project, as dist; `.` is all of it."""
    if text != "." and (not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*", text, re.ASCII) or ".." in text.split("/")):
        raise ValueError(f"{text!r}: expected a path inside the project, as dist")
    return text


def pattern(text: str) -> str:
    """A regular expression for the names of files, as ^deploy/nginx/."""
    if bad := re.search(r"[\"'`;#]", text):
        raise ValueError(f"{text!r}: a pattern here must not contain {bad[0]!r}")
    if not text.isprintable():
        raise ValueError(f"{text!r}: a pattern has one line")
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


def network(text: str) -> str:
    """An address or network, as 10.0.0.0/8."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is no address or network, as 10.0.0.0/8: {error}") from None


def ip(text: str) -> str:
    """An address of this machine to listen on, as 127.0.0.1 or ::1."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address, as 127.0.0.1 or ::1") from None
    if getattr(found, "scope_id", None):
        raise ValueError(f"{text!r}: an address with a zone cannot be listened on")
    return str(found)


def one_of(*known: str) -> Callable[[str], str]:
    """A word that is one of these."""

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text!r}: expected {', '.join(known[:-1])} or {known[-1]}")
        return text

    return parse


def version(text: str) -> tuple[int, ...]:
    """A version, as 1.26.3."""
    if not re.fullmatch(r"\d{1,4}(\.\d{1,4}){1,3}", text, re.ASCII):
        raise ValueError(f"{text!r} is no version, as 1.26 or 1.26.3")
    return tuple(int(part) for part in text.split("."))


def yes(text: str) -> bool:
    """The word of an option that is there or not."""
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r}: expected yes or no")
    return text == "yes"


def sticky(text: str) -> str:
    """What tells clients apart, as cookie:NAME, header:NAME or variable:NAME."""
    if not re.fullmatch(r"cookie:[A-Za-z0-9_]+|header:[A-Za-z0-9-]+|variable:[A-Za-z_][A-Za-z0-9_]*", text, re.ASCII):
        raise ValueError(f"{text!r}: expected cookie:NAME, header:NAME or variable:NAME")
    return text
