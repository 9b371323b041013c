"""What generate does for a kind: gather the values, make the files, and print, compare or write them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from proxyswitch.cli import asking, output
from proxyswitch.cli.context import Given, options_of, settings_of, settings_path
from proxyswitch.errors import UsageError
from proxyswitch.generate import checking, render, spelling, value, versions, words, writing
from proxyswitch.generate.kind import Kind
from proxyswitch.generate.render import Made
from proxyswitch.generate.versions import Named
from proxyswitch.generate.writing import Place

if TYPE_CHECKING:
    from proxyswitch.settings_app import App

YES, NO = "yes", "no"


def run(kind: Kind, given: dict[str, Any]) -> None:
    """The whole command, with the options as typer gives them."""
    if given["diff"] and given["write"]:
        raise UsageError("--diff writes nothing: leave out --write")
    values, command = _values(kind, given)
    made = render.make(kind, values, _versions(kind, given), command, given["template_dir"])
    made = [replace(one, path=_place(one.path, given["out"], len(made))) for one in made]
    if given["write"]:
        _write(made, given, render.after(kind, values))
    elif given["diff"]:
        _diff([writing.look(one) for one in made], as_json=given["json"])
    else:
        _print(kind, made, as_json=given["json"])


def _values(kind: Kind, given: dict[str, Any]) -> tuple[value.Values, str]:
    """The values, from wherever they come, and the command that says the same again."""
    said = _said(kind, given)
    name, app = _app(given, asked=bool(value.missing(kind.values, said) or given["config"]))
    known = {**(kind.of_app(name, app) if app else {}), **said}
    if lacking := value.missing(kind.values, known):
        answers = _ask(kind, lacking)
        said, known = {**said, **answers}, {**known, **answers}
    more = {option: str(given.get(key, "")) for option, key in MORE.items()}
    command = spelling.spell(kind.name, kind.values, said, {"--app": name, **more})
    return value.resolve(kind.values, known), command


# the options that the head of a file repeats, besides those of the values
MORE = {
    "--nginx-version": "nginx_version",
    "--haproxy-version": "haproxy_version",
    "--openssl-version": "openssl_version",
    "--template-dir": "template_dir",
    "--config": "config",
}


def _said(kind: Kind, given: Mapping[str, Any]) -> dict[str, value.Texts]:
    """The values as they were given on the command line."""
    said: dict[str, value.Texts] = {}
    for one in kind.values:
        text = given[one.key]
        said[one.key] = (YES if text else NO) if isinstance(text, bool) else text
    return {key: text for key, text in said.items() if text}


def _app(given: Mapping[str, Any], *, asked: bool) -> tuple[str, App | None]:
    """The app that was named; the only one of the settings, where values are missing or a file was named; none."""
    shared = Given(given["config"])
    if given["app"]:
        return given["app"], settings_of(shared).app(given["app"])
    if not asked or settings_path(shared) is None:
        return "", None
    apps = settings_of(shared).apps
    return next(iter(apps.items())) if len(apps) == 1 else ("", None)


def _ask(kind: Kind, lacking: list[value.Value]) -> dict[str, value.Texts]:
    """What is missing is asked for on a terminal; elsewhere it is an error."""
    if not asking.possible():
        raise value.unsaid(kind.name, lacking)
    output.note(f"generate {kind.name}: {kind.title[0].lower()}{kind.title[1:]}")
    return {one.key: _answer(one) for one in lacking}


def _answer(one: value.Value) -> str:
    def checked(text: str) -> str:
        one.parse(text)
        return text

    return asking.ask(f"  {one.help.rstrip('.')}", checked)


def _versions(kind: Kind, given: Mapping[str, Any]) -> versions.Versions:
    named = Named(*(_version(f"--{key}-version", given.get(f"{key}_version", "")) for key in Named._fields))
    found = versions.ask(kind.needs, named)
    for proxy in () if given["quiet"] else found.unknown:
        oldest = ".".join(map(str, getattr(found.versions, proxy).version))
        output.note(f"no {proxy} is installed here: made for {oldest}; --{proxy}-version names another")
    return found.versions


def _version(option: str, text: str) -> tuple[int, ...] | None:
    try:
        return words.version(text) if text else None
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _place(usual: str, out: str, count: int) -> str:
    """Where a file goes: its usual place, a file, or its name in a folder; files that lie together stay so there."""
    if not out:
        return os.path.abspath(os.path.expanduser(usual))
    if out.endswith("/") or os.path.isdir(out):
        return os.path.abspath(os.path.join(out, os.path.basename(usual) if os.path.isabs(usual) else usual))
    if count > 1:
        raise UsageError(f"{out}: this makes {count} files: name a folder, with a / at its end")
    return os.path.abspath(out)


def _print(kind: Kind, made: list[Made], *, as_json: bool) -> None:
    if as_json:
        output.as_json({"kind": kind.name, "files": [{"path": one.path, "text": one.text} for one in made]})
        return
    for one in made:
        if len(made) > 1:
            output.answer(f"{one.part.comment} ---- {one.path}")
        output.answer(one.text.removesuffix("\n"))


def _diff(places: list[Place], *, as_json: bool) -> None:
    """Exit 1 when anything would change."""
    texts = {place.path: writing.differences(place) for place in places}
    if as_json:
        output.as_json({"changed": False, "files": [{"path": path, "diff": text} for path, text in texts.items() if text]})
    elif any(texts.values()):
        output.answer("".join(texts.values()).removesuffix("\n"))
    if any(texts.values()):
        raise typer.Exit(1)


def _write(made: list[Made], given: Mapping[str, Any], after: str) -> None:
    places = [writing.look(one) for one in made]
    if not given["force"]:
        for place in places:
            if error := writing.refusal(place):
                _refuse(place, error, as_json=given["json"])
    changed = [place for place in places if not place.same]
    say = output.quiet if given["quiet"] else output.note
    untested = _test(changed, made, given)
    for line in untested:
        say(f"warning: {line}")
    kept = writing.write(places)
    if given["json"]:
        files = [place.path for place in changed]
        output.as_json({"changed": bool(changed), "files": files, "kept": kept, "untested": untested})
    elif changed:
        _tell(changed, kept, after, say)


def _test(changed: list[Place], made: list[Made], given: Mapping[str, Any]) -> list[str]:
    """Let the real tools test all of them before one is written. Returns what could not be tested; raises Rejected."""
    options = options_of(Given(given["config"], given.get("nginx_conf", "")))
    said = [checking.check(replace(place.made, beside=tuple(made)), options) for place in changed]
    return [line for line in said if line]


def _refuse(place: Place, error: UsageError, *, as_json: bool) -> NoReturn:
    """An edit by hand is shown beside what is new, so that nobody has to guess what would be lost."""
    if place.ours and not as_json:
        output.answer(writing.differences(place).removesuffix("\n"))
    raise error


def _tell(changed: list[Place], kept: list[str], after: str, say: Callable[[str], None]) -> None:
    for place in changed:
        say(f"{place.path}: {'written' if place.there is None else 'written anew'}")
    for copy in kept:
        say(f"what was there before is kept in {copy}")
    if after:
        say(f"next: {after}")
