"""The settings files of a run → their findings."""

from __future__ import annotations

from collections.abc import Sequence

from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.judge import judge
from proxyswitch.lint.options import Options
from proxyswitch.lint.rules.settings import RULES
from proxyswitch.lint.settings.document import Document


def findings(sources: Sequence[Source], options: Options) -> list[Finding]:
    """Each file is judged by itself."""
    documents = (Document(source.path, source.data) for source in sources)
    return [finding for document in documents for finding in judge([document], RULES, document, options)]
