"""health: an endpoint that asks what the app depends on, and tells the version; one file a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from proxyswitch.generate import words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import App

# framework → the template, the file, who tests it, and what a line of comment begins with
FRAMEWORKS = {
    "flask": ("health-flask.py.j2", "health.py", "code-python", "#"),
    "fastapi": ("health-fastapi.py.j2", "health.py", "code-python", "#"),
    "django": ("health-django.py.j2", "health.py", "code-python", "#"),
    "express": ("health-express.js.j2", "health.js", "code-node", "//"),
    "go": ("health-go.go.j2", "health.go", "code-go", "//"),
}


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:  # noqa: ARG001
    path = urlsplit(app.health.url).path if app.health else ""
    return {"health": path} if path.strip("/") and app.health and app.health.url.startswith("http") else {}


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    """Raises ValueError for an endpoint that would be too slow."""
    if not 0.05 <= values["timeout"] < 1:
        raise ValueError("--timeout: from 50ms to less than 1s: who asks does not wait longer")
    return {"live": f"{values['health']}/live"}


def _is(framework: str) -> Callable[[Values], bool]:
    return lambda values: values["framework"] == framework


KIND = Kind(
    name="health",
    title="A health endpoint that asks what the app needs.",
    values=(
        Value(
            "framework", words.one_of(*FRAMEWORKS), f"What the app is made with: {', '.join(FRAMEWORKS)}.", metavar="NAME"
        ),
        Value(
            "check",
            words.one_of("database", "redis", "http"),
            "What it depends on: database (PostgreSQL), redis, http.",
            ("database",),
            many=True,
            metavar="NAME",
        ),
        Value("health", words.route, "Its path.", "/health", metavar="PATH"),
        Value("timeout", words.time, "How long it takes at most.", words.time("800ms"), metavar="TIME"),
    ),
    parts=tuple(
        Part(template, path, check=check, comment=comment, when=_is(framework))
        for framework, (template, path, check, comment) in FRAMEWORKS.items()
    ),
    of_app=of_app,
    more=more,
    after='name it in proxyswitch.toml: [apps.NAME.health] url = "http://{{address}}{health}", '
    'json = {{ status = "healthy", version = "{{version}}" }}',
    variables={"live": "The path that asks for nothing."},
)
