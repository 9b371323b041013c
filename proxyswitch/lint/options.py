"""What a person wants of a run of lint."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Phase = Literal["expand", "contract"]
Dialect = Literal["mysql", "postgres", "sqlite"]


@dataclass(frozen=True, slots=True)
class Options:
    """`select` and `ignore` are names of rules, or of kinds such as `nginx`; nothing selected is everything that is on by
    default. `per_file` has globs of files, each with what is ignored there. How SQL is judged: a path that tells its phase
    goes before `phase`."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    phase: Phase = "expand"
    dialect: Dialect = "postgres"
    per_file: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def wants(self, rule: str, *, optional: bool = False) -> bool:
        """Whether a rule is to be asked. One that is off by default must be selected by its whole name. That of syntax is
        asked whatever is selected: in a file that cannot be read the others find nothing."""
        names = {rule} if optional else {rule, rule.partition("/")[0]}
        always = not (self.select or optional) or rule.endswith("/syntax")
        chosen = always or not names.isdisjoint(self.select)
        return chosen and {rule, rule.partition("/")[0]}.isdisjoint(self.ignore)

    def spares(self, path: str, rule: str) -> bool:
        """Whether a rule is ignored in that file. A glob without a slash is one of the file's name alone."""
        names = {rule, rule.partition("/")[0]}
        whole = os.path.relpath(path)
        return any(
            fnmatchcase(whole if "/" in glob else os.path.basename(whole), glob) and not names.isdisjoint(rules)
            for glob, rules in self.per_file
        )
