"""Values → the text of files, by jinja2: strict (a name that is missing is an error) and sandboxed.

Own templates have the names of ours and lie in a folder of the person's; the others are taken from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxyswitch import resources
from proxyswitch.errors import UsageError
from proxyswitch.generate import head
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.quoting import FILTERS, Quoted, comment, is_undefined
from proxyswitch.generate.value import Values
from proxyswitch.generate.versions import Versions

if TYPE_CHECKING:  # it costs time at the start
    from jinja2 import Environment

FOLDER = "generate"


@dataclass(frozen=True)
class Made:
    """A file that was made: where it goes, and its text; `beside` are the others that are written with it."""

    part: Part
    path: str
    text: str
    beside: tuple[Made, ...] = ()


def make(kind: Kind, values: Values, versions: Versions, command: str, own: str = "") -> list[Made]:
    """All files of a kind; `command` goes into their head, `own` is the folder of own templates.

    Raises UsageError for values that do not go together, and for what a template cannot do.
    """
    variables = variables_of(kind, values, versions)
    command = _in_a_comment(command)
    templates, texts = _environment(own), texts_of(values)
    parts = [part for part in kind.parts if part.when(values)]
    bodies = [_render(templates, part, variables) for part in parts]
    return [
        Made(part, part.path.format_map(texts), head.put(body, part.comment, command))
        for part, body in zip(parts, bodies, strict=True)
    ]


def _in_a_comment(command: str) -> str:
    """It stands in the head of each file, with words that no value has checked, as the name of a folder."""
    try:
        return comment(command)
    except ValueError as error:
        raise UsageError(f"generate: {error}") from None


def after(kind: Kind, values: Values) -> str:
    """What a person does next."""
    text = kind.after(values) if callable(kind.after) else kind.after
    return text.format_map(texts_of(values))


def variables_of(kind: Kind, values: Values, versions: Versions) -> Values:
    """What the templates of a kind can name. Raises UsageError."""
    try:
        return {**values, **versions._asdict(), **kind.more(values, versions)}
    except ValueError as error:
        raise UsageError(f"generate {kind.name}: {error}") from None


def texts_of(values: Values) -> Mapping[str, str]:
    """The values as texts, for a path or a sentence."""
    return {key: str(value) for key, value in values.items()}


def _environment(own: str) -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    if own and not Path(own).is_dir():
        raise UsageError(f"{own}: no such folder of templates")
    ours = str(resources.find("templates") / FOLDER)
    folders = [own, ours] if own else [ours]
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        finalize=_only_quoted,
    )
    made.filters.update(FILTERS)
    return made


def _only_quoted(value: object) -> object:
    """What a template puts out must have passed a filter that knows the format."""
    if isinstance(value, Quoted) or is_undefined(value):
        return value
    raise ValueError(f"{value!r} is put out without a filter such as {', '.join(sorted(FILTERS)[:4])}, …")


def _render(templates: Environment, part: Part, variables: Values) -> str:
    from jinja2 import TemplateError
    from jinja2.exceptions import SecurityError, TemplateNotFound, UndefinedError

    try:
        return templates.get_template(part.template).render(variables)
    except (UndefinedError, SecurityError) as error:
        raise UsageError(f"template {part.template}: {error.message}") from None
    except TemplateNotFound as error:
        raise UsageError(f"template {part.template}: {error.name} is not there") from None
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise UsageError(f"template {part.template}{f', line {line}' if line else ''}: {error.message}") from None
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise UsageError(f"template {part.template}: {error}") from None
