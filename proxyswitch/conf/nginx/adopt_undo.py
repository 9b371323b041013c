"""The way back from instant mode: each text that was put in is found again, and what it replaced is put back.

Other lines may have changed since. Texts are looked for in the order in which they stand in the file; one that is not there
any more, or a line that came since and needs what would go, is an error: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from proxyswitch.conf.nginx import adopt_form, adopt_shared
from proxyswitch.conf.nginx.adopt_tree import Refused
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.edits import FileEdit
from proxyswitch.conf.nginx.tree import Document
from proxyswitch.conf.nginx.verify import walk
from proxyswitch.conf.text import Edit, Span, apply

Record = list[dict[str, Any]]


def record_of(pool: str, files: Iterable[FileEdit]) -> Record:
    """What `undo` needs, for each file: the texts in their order, before and after. Bytes are kept as latin-1."""
    return [
        {
            "pool": pool,
            "file": document.real,
            "edits": [
                {"old": document.data[e.span.start : e.span.end].decode("latin-1"), "new": e.replacement.decode("latin-1")}
                for e in edits
            ],
        }
        for document, edits in ((file.document, file.edits) for file in files)
    ]


def undo(config: Config, record: Record) -> tuple[FileEdit, ...]:
    """The edits that give back the text from before the adoption. Raises Refused with the file and what is not there."""
    made: dict[str, list[Edit]] = {}
    for file in record:
        document = config.documents.get(file["file"])
        if document is None:
            raise Refused(f"{file['file']}: this file is not part of {config.main} any more")
        made[document.real] = list(_found(document, file["edits"]))
    for pool in dict.fromkeys(file["pool"] for file in record):
        _refuse_left(config, made, pool)
    after = {real: apply(document.data, made.get(real, ())) for real, document in config.documents.items()}
    for document, edit in adopt_shared.remove(config.documents, after):
        made.setdefault(document.real, []).append(edit)
    return tuple(FileEdit(config.documents[real], tuple(sorted(edits))) for real, edits in made.items() if edits)


def _found(document: Document, texts: Sequence[dict[str, str]]) -> Iterator[Edit]:
    at = 0
    for text in texts:
        old, new = text["old"].encode("latin-1"), text["new"].encode("latin-1")
        start = document.data.find(new, at)
        if start < 0:
            raise _gone(document, new)
        at = start + len(new)
        yield Edit(Span(start, at), old)


def _gone(document: Document, text: bytes) -> Refused:
    shown = " ".join(text.decode("utf-8", "replace").split())
    return Refused(
        f"{document.path}: this is not there any more where it was put: {shown}",
        next_step="put it back as it was, or take the lines of instant mode out by hand: the guide shows them",
    )


def _refuse_left(config: Config, made: dict[str, list[Edit]], pool: str) -> None:
    """Raise Refused where a line that came since needs what would go."""
    pattern = _needs(pool)
    for document in config.documents.values():
        ours = [edit.span for edit in made.get(document.real, ())]
        for _, directive in walk(document):
            left = [at for at in directive.words if not any(span.start <= at[0] < span.end for span in ours)]
            match = next((m for at in left if (m := pattern.search(document.data[slice(*at)]))), None)
            if match:
                raise Refused(
                    f"{document.where(directive)}: this line came after {pool} was adopted, and needs"
                    f" {match[0].strip(b'/').decode()}",
                    next_step="take it out first",
                )


def _needs(pool: str) -> re.Pattern[bytes]:
    """A word that says a variable, a pool or a location of instant mode."""
    name, variables = re.escape(pool), "|".join(adopt_form.VARIABLES)
    variable = rf"\$\{{?{re.escape(adopt_form.variable_of(pool))}_(?:{variables})(?![A-Za-z0-9_])"
    return re.compile(rf"{variable}|(?<![\w.-]){name}_(?:blue|green)(?![\w.-])|/\.proxyswitch/{name}[/.]".encode())
