"""Out of instant mode: the very bytes from before, whatever else was changed since; and nothing is guessed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from proxyswitch.conf.nginx import adopt, chain
from proxyswitch.conf.nginx.adopt import Refused
from tests.conf.adopt_helpers import BLUE, POOL, Adopter, edited, site, wanted_of
from tests.conf.helpers import write
from tests.conf.test_adopt import INCLUDED, ODD, PLAIN
from tests.nginx_check import Nginx

OTHER = "upstream other { server 127.0.0.1:4001; server 127.0.0.1:4002 down; }\n"
TWO = site(PLAIN, POOL + OTHER, "    location /o { proxy_pass http://other; }\n")


@pytest.fixture
def adopted(tmp_path: Path, nginx: Nginx) -> Adopter:
    return Adopter(tmp_path, nginx)


def text_of(config: chain.Config) -> str:
    return config.root.data.decode("utf-8", "surrogateescape")


def changed(folder: Path, config: chain.Config, old: str, new: str) -> chain.Config:
    """The config with a text of its main file replaced."""
    text = text_of(config)
    assert old in text
    data = text.replace(old, new, 1).encode("utf-8", "surrogateescape")
    return chain.load(config.main, known=config.documents, replaced={config.root.real: data})


@pytest.mark.parametrize("name", ODD)
def test_other_lines_that_came_or_went_stay_so(name: str, adopted: Adopter) -> None:
    """At each end of a line outside of ours something is put in; all of it, and nothing else, is there after the undo."""
    text = ODD[name]
    made = adopted({"nginx.conf": text})
    before = text if isinstance(text, bytes) else text.encode()
    old, new = before.splitlines(keepends=True), made.after.root.data.splitlines(keepends=True)
    common = [line for line in new if line in old and new.count(line) == 1 and line.endswith(b"\n")]
    choose = random.Random(name)
    for line in choose.sample(common, min(len(common), 4)):
        note = line + b"# put in since\n"
        data = made.after.root.data.replace(line, note)
        config = chain.load(made.after.main, known=made.after.documents, replaced={made.after.root.real: data})
        undone = edited(config, adopt.undo(config, made.adoption.record))
        assert undone.root.data == before.replace(line, note)


def test_the_record_is_json(adopted: Adopter) -> None:
    made = adopted({"nginx.conf": ODD["no UTF-8"]})
    record = json.loads(json.dumps(made.adoption.record))
    assert edited(made.after, adopt.undo(made.after, record)).root.data == ODD["no UTF-8"]


@pytest.mark.parametrize("order", [("app", "other"), ("other", "app")])
@pytest.mark.parametrize("text", [TWO, TWO.replace("\n", "\r\n"), " ".join(TWO.split("\n"))])
def test_what_pools_share_goes_with_the_last(order: tuple[str, str], text: str, adopted: Adopter) -> None:
    log = f"{adopted.folder}/log"
    first = adopted(text, log=log)
    second = adopted({"nginx.conf": first.after.root.data}, pool="other", flags="/srv/flags/other", log=log)
    records = {"app": first.adoption.record, "other": second.adoption.record}
    half = edited(second.after, adopt.undo(second.after, records[order[0]]))
    assert text_of(half).count("split_clients") == text_of(half).count("log_format") == 1
    assert f"upstream {order[0]} {{" in text_of(half)
    Path(half.main).write_bytes(half.root.data)
    adopted.check()
    assert text_of(edited(half, adopt.undo(half, records[order[1]]))) == text


def test_a_shared_piece_that_somebody_else_uses_stays(adopted: Adopter) -> None:
    made = adopted(site(PLAIN))
    now = changed(adopted.folder, made.after, "listen 8080;", "listen 8080; add_header X $proxyswitch_bucket;")
    after = text_of(edited(now, adopt.undo(now, made.adoption.record)))
    assert "split_clients $remote_addr $proxyswitch_bucket {" in after
    assert "proxyswitch_uri" not in after


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("proxy_pass http://$app_slot$app_raw;", "return 204;", "proxy_pass http://$app_slot$app_raw;"),
        ("set $app_gate closed;", "set $app_gate open;", "# proxyswitch: app is served by one of its two slots"),
        (f"server {BLUE} max_fails=0;", f"server {BLUE} max_fails=1;", f"server {BLUE} max_fails=0;"),
        ("upstream app_blue {", "upstream app_red {", "upstream app_blue"),
    ],
)
def test_a_line_of_ours_that_was_changed(old: str, new: str, message: str, adopted: Adopter) -> None:
    made = adopted(site(PLAIN))
    now = changed(adopted.folder, made.after, old, new)
    with pytest.raises(Refused) as caught:
        adopt.undo(now, made.adoption.record)
    assert f"nginx.conf: this is not there any more where it was put: {message}" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("location /new { proxy_pass http://$app_slot; }", "$app_slot"),
        ("location /new { proxy_pass http://app_green; }", "app_green"),
        ("location /new { if (-e /srv/x/${app_gate}) { return 503; } }", "${app_gate"),
        ("error_page 500 /.proxyswitch/app.html;", ".proxyswitch/app"),
    ],
)
def test_a_line_since_that_needs_what_would_go(line: str, needs: str, adopted: Adopter) -> None:
    made = adopted(site(PLAIN))
    now = changed(adopted.folder, made.after, "listen 8080;\n", f"listen 8080;\n    {line}\n")
    (number,) = [n for n, row in enumerate(text_of(now).split("\n"), 1) if line in row]
    with pytest.raises(Refused) as caught:
        adopt.undo(now, made.adoption.record)
    assert f"nginx.conf:{number}: this line came after app was adopted, and needs {needs}" in str(caught.value)


def test_a_copy_of_a_location_made_since(adopted: Adopter) -> None:
    made = adopted(site(PLAIN))
    text = text_of(made.after)
    location = text[text.index("    location / {") : text.index("    }\n\n    # proxyswitch") + 6]
    now = changed(adopted.folder, made.after, location, location + location.replace("location /", "location /copy"))
    with pytest.raises(Refused, match="this line came after app was adopted, and needs"):
        adopt.undo(now, made.adoption.record)


def test_a_file_that_is_gone(adopted: Adopter) -> None:
    made = adopted(INCLUDED)
    (adopted.folder / "sites/b.conf").unlink()
    now = chain.load(made.after.main)
    with pytest.raises(Refused, match=r"sites/b\.conf: this file is not part of .*nginx\.conf any more"):
        adopt.undo(now, made.adoption.record)


def test_includes(tmp_path: Path) -> None:
    raw = {name: text.encode() if isinstance(text, str) else text for name, text in INCLUDED.items()}
    config = chain.load(write(tmp_path, raw))
    made = adopt.adopt(config, wanted_of())
    after = edited(config, made.edits)
    undone = edited(after, adopt.undo(after, made.record))
    assert {d.path: d.data for d in undone.documents.values()} == {d.path: d.data for d in config.documents.values()}
    assert {Path(file["file"]).name for file in made.record} == {"app.conf", "a.conf", "b.conf", "loc.conf", "pass.conf"}
