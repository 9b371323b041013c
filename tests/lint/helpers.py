"""Lint of a text in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyswitch.lint import run as lint_run
from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.options import Options
from proxyswitch.lint.sql.judge import findings

LACKING = (
    "haproxy/no-hard-stop-after",
    "haproxy/no-idle-close-on-response",
    "haproxy/no-stats-socket",
    "nginx/no-worker-shutdown-timeout",
    "nginx/server-tokens",
)


def in_sql(text: str | bytes, path: str = "m.sql", ask: tuple[str, ...] = (), **options: Any) -> list[Finding]:
    """What is found in SQL. `ask` names rules that are asked beside those that are on by default."""
    data = text.encode() if isinstance(text, str) else text
    select = ("sql", "comment", *ask) if ask else ()
    return findings(Source(path, data), Options(select=select, **options))


def found(text: str | bytes, path: str = "m.sql", **options: Any) -> list[Finding]:
    """The same, the rules without their kind."""
    return [f._replace(rule=f.rule.removeprefix("sql/")) for f in in_sql(text, path, **options)]


def rules(text: str | bytes, path: str = "m.sql", **options: Any) -> list[str]:
    """The names of the SQL rules that fire, in the order of the text."""
    return [f.rule for f in found(text, path, **options)]


def places(text: str | bytes, **options: Any) -> list[tuple[int, int, str]]:
    return [(f.line, f.column, f.rule) for f in found(text, **options)]


def of_words(words: tuple[str, ...]) -> dict[str, Any]:
    """The words of an example as options: `mysql, contract`."""
    return {"phase" if word in ("expand", "contract") else "dialect": word for word in words}


def chosen(**options: Any) -> Options:
    """Options that leave out what every short config lacks, unless they select."""
    return Options(**({} if "select" in options else {"ignore": LACKING}) | options)


def in_config(kind: str, text: str, path: str = "a.conf", **options: Any) -> list[Finding]:
    """What is found in one file of nginx or HAProxy."""
    return lint_run([Source(path, text.encode())], kind, Options(**options))


def names(kind: str, text: str, **options: Any) -> list[str]:
    """The names of the rules that fire, without their kind."""
    return [f.rule.partition("/")[2] for f in lint_run([Source("a.conf", text.encode())], kind, chosen(**options))]


def nginx_folder(folder: Any, files: Mapping[str, str], **options: Any) -> list[tuple[str, int, str]]:
    """File, line and rule of what is found in nginx.conf and what it includes."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    main = folder / "nginx.conf"
    seen = lint_run([Source(str(main), main.read_bytes())], "nginx", Options(**options))
    return [(f.path.removeprefix(f"{folder}/"), f.line, f.rule.partition("/")[2]) for f in seen]
