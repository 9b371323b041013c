"""The nginx files of a run → their findings."""

from __future__ import annotations

from collections.abc import Sequence

from proxyswitch.conf.nginx.chain import HERE, Names
from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.judge import judge
from proxyswitch.lint.nginx.load import load
from proxyswitch.lint.options import Options
from proxyswitch.lint.rules.nginx import RULES


def findings(sources: Sequence[Source], options: Options, names: Names = HERE) -> list[Finding]:
    """Main files are judged with what they include; a file that one of them includes is not judged once more by itself."""
    configs = [load(source, names) for source in sources]
    whole = [config for config in configs if config.whole]
    seen = {names.real(path) for config in whole for path in config.documents}
    alone = [config for config in configs if not config.whole and names.real(config.path) not in seen]
    found = (one for config in (*whole, *alone) for one in judge(config.documents.values(), RULES, config, options))
    return list(dict.fromkeys(found))
