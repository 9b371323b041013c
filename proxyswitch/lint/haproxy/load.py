"""Bytes → a Config to judge: one file, or several that HAProxy is given together."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxyswitch.conf.haproxy import config as conf
from proxyswitch.conf.haproxy.document import Document, parse
from proxyswitch.errors import ConfigError
from proxyswitch.lint.finding import Source
from proxyswitch.lint.haproxy.config import Config

_TOLD = re.compile(rb"#[ \t]*proxyswitch:[ \t]*context=(whole|part)\b")


def load(sources: Sequence[Source]) -> Config:
    """Read a config as far as it can be read; what could not is in `broken`. A file that does not parse has no lines."""
    config = Config(conf.Config(tuple(source.path for source in sources)))
    facts = config.conf.facts
    for source in sources:
        try:
            document = parse(source.data, source.path, facts)
        except ConfigError as error:
            config.broken.append((Document(source.data, source.path), error))
            continue
        facts = document.facts
        config.conf.documents.append(document)
    config.whole = not config.broken and _whole(config, sources)
    return config


def _whole(config: Config, sources: Sequence[Source]) -> bool:
    """Whether nothing is in other files: so it says itself, or it has both a `global` section and clients."""
    told = [found[1] for source in sources for found in _TOLD.finditer(source.data)]
    if told:
        return told[-1] == b"whole"
    kinds = {section.keyword for _, section in config.conf.sections()}
    return b"global" in kinds and not kinds.isdisjoint({b"frontend", b"listen"})
