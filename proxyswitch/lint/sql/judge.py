"""A file of SQL → its findings: reads it, walks over it, asks the rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from proxyswitch.conf.text import Span
from proxyswitch.errors import UsageError
from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.ignores import Ignore, Ignores
from proxyswitch.lint.options import Dialect, Options, Phase
from proxyswitch.lint.rules import comment as comment_rules
from proxyswitch.lint.rules.sql import RULES
from proxyswitch.lint.sql.changes import Change
from proxyswitch.lint.sql.lines import Lines, decode
from proxyswitch.lint.sql.rule import Script, SqlRule
from proxyswitch.lint.sql.split import Comment, Splitter

_IGNORE = re.compile(r"proxyswitch:\s*ignore\b\s*(?:=\s*(?P<rules>[^\s*]*))?")


def phase_of(path: str, otherwise: Phase) -> Phase:
    """The phase that a path tells: `0005.contract.sql`, else the nearest folder `expand/` or `contract/`."""
    *folders, name = path.replace("\\", "/").split("/")
    told = [word for word in ("expand", "contract") if name.lower().endswith(f".{word}.sql")]
    told += [word for word in reversed(folders) if word in ("expand", "contract")]
    return "contract" if told[:1] == ["contract"] else "expand" if told else otherwise


def findings(source: Source, options: Options) -> list[Finding]:
    """What is found in a file, in its order. Raises ConfigError when it is no text, UsageError without sqlglot."""
    text = decode(source)
    _need_parser()
    return sorted(_found(text, source, options), key=lambda f: (f.line, f.column))


def _need_parser() -> None:
    try:
        import sqlglot  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError(
            "to judge SQL, sqlglot is needed, and it is not here", next_step="pip install 'proxyswitch[sql]'"
        ) from None


def _found(text: str, source: Source, options: Options) -> Iterator[Finding]:
    from proxyswitch.lint.sql.script import Walk

    script = Script(phase_of(source.path, options.phase), options.dialect)
    changes, comments = _changes(text, options.dialect)
    lines = Lines(text)
    ignores = Ignores(
        source, [_ignore(comment, read, lines) for comment in comments for read in _IGNORE.finditer(comment.text)]
    )
    rules = {name: rule for name, rule in RULES.items() if _applies(name, rule, script, options)}
    for seen in list(Walk(script).over(changes)):  # the whole walk first: rules also ask what comes later
        (line, column), first = lines.place(seen.at), lines.place(seen.statement_at)[0]
        for name, rule in rules.items():
            for message in rule.check(seen, script) if rule.NEW or not seen.new else ():
                if not ignores.has(name, (line, first)):
                    yield Finding(source.path, line, column, name, rule.LEVEL, message)
    yield from _about_comments(ignores, rules, lines, options)


def _about_comments(ignores: Ignores, ran: Iterable[str], lines: Lines, options: Options) -> Iterator[Finding]:
    for rule in comment_rules.RULES.values():
        for found in rule.check(ignores, ran) if options.wants(rule.ID) else ():
            yield Finding(found.text.path, *lines.place(found.at), rule.ID, rule.LEVEL, found.message)


def _ignore(comment: Comment, found: re.Match[str], lines: Lines) -> Ignore:
    """What a comment ignores. At the first line of a statement that is for all of the statement."""
    names = tuple(name for name in (found["rules"] or "").split(",") if name)
    line = lines.place(comment.at + len(comment.text))[0] + comment.alone
    return Ignore(Span(comment.at, comment.at + len(comment.text)), names, frozenset({line}))


def _changes(text: str, dialect: Dialect) -> tuple[list[tuple[Change, int, int]], list[Comment]]:
    """All changes with their offsets and those of their statements; and the comments."""
    from proxyswitch.lint.sql import read

    splitter = Splitter(text, dialect)
    found = [(c, at, s.at) for s in splitter.statements() for c, at in read.changes_of(s, dialect)]
    return found, splitter.comments


def _applies(name: str, rule: SqlRule, script: Script, options: Options) -> bool:
    wanted = options.wants(name, optional=rule.OPTIONAL)
    return wanted and script.phase in rule.PHASES and script.dialect in rule.DIALECTS
