"""The check after an adoption: a result that is not what was meant is never written."""

from __future__ import annotations

import pytest

from proxyswitch.conf import referee
from proxyswitch.conf.nginx import adopt, chain
from proxyswitch.conf.nginx.verify import UnintendedEdit
from tests.conf.adopt_helpers import FLAGS, edited, site, wanted_of
from tests.conf.helpers import loaded

TEXT = site("proxy_pass http://app; proxy_set_header Host $host;", server="    server_name x;\n").replace("pid", "# c\npid")


def checked(old: str, new: str, text: str = TEXT, *, count: int = 1) -> None:
    config = loaded(text.encode())
    after = edited(config, adopt.adopt(config, wanted_of()).edits).root.data.decode()
    assert old in after
    spoilt = loaded(after.replace(old, new, count).encode())
    adopt.verify(config, spoilt, wanted_of())


def test_what_was_meant_passes() -> None:
    checked("pid", "pid")
    checked("# c", "# another comment")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("server_name x;", "", 'would have brought "location /"'),
        ("server_name x;", "server_name y;", 'would have brought "server_name y"'),
        (" server_name x;", " # server_name x;", 'would have brought "location /"'),
        ("proxy_set_header Host $host;", "", 'would have lost "proxy_set_header"'),
        ("server_name x;", "server_name x; root /;", 'would have brought "root /"'),
        ("Host $host;", "Host app;", 'would have lost "proxy_set_header"'),
        ("upstream app_green", "upstream app_other", 'would have brought "upstream app_other"'),
        ("upstream app_green {", "upstream app_green { keepalive 9;", "the two pools of app would have different settings"),
        ("upstream app_blue {", "upstream app_blue { keepalive 9;", 'would have brought "keepalive 9"'),
        ("127.0.0.1:3002 backup", "127.0.0.1:3003 backup", 'would have lost "server"'),
        ("127.0.0.1:3001 backup", "127.0.0.1:3009 backup", "the pool app_green would not have the servers of its slot"),
        ("127.0.0.1:3001 backup max_fails=0", "127.0.0.1:3001 backup", "app_green would not have the servers"),
        ("127.0.0.1:3001 max_fails=0", "127.0.0.1:3001 max_fails=0 backup", "app_blue would not have the servers"),
        ("http://$app_slot$app_raw", "http://app", "this pass would still name app"),
        ("http://$app_slot$app_raw", "http://$app_slot/x", 'would have brought "proxy_pass http://$app_slot/x"'),
        ("http://$app_slot$app_raw", "https://$app_slot", 'would have brought "proxy_pass https://'),
        (f"if (-e {FLAGS}/gate/$app_gate)", f"if (-e {FLAGS}/gate/x)", 'would have brought "if (-e'),
        (f"if (-e {FLAGS}/green/", f"if (-e {FLAGS}/red/", 'would have brought "if (-e'),
        ("location = /.proxyswitch/app.html {", "location = /x {", 'would have brought "location = /x"'),
        ("set $app_gate closed;", "set $other closed;", 'would have brought "set $other closed"'),
        ("if (-e", "if (-f", 'would have brought "if (-f'),
        ("error_page 503", "error_page 500", 'would have brought "location ^~'),
        (" 98;", " 97;", 'would have brought "split_clients'),
    ],
)
def test_anything_else_does_not(old: str, new: str, message: str) -> None:
    with pytest.raises(UnintendedEdit) as caught:
        checked(old, new)
    assert message in str(caught.value)


def test_another_file_is_no_surprise_either() -> None:
    read = chain.Names(lambda name: b"include more;" if name.endswith(".conf") else TEXT.encode())
    config = chain.load("/x/nginx.conf", read)
    with pytest.raises(UnintendedEdit, match="which files are included"):
        adopt.verify(config, loaded(TEXT.encode()), wanted_of())


def test_the_second_reader() -> None:
    config = loaded(TEXT.encode())
    after = edited(config, adopt.adopt(config, wanted_of()).edits)
    assert referee.same(config.root) is True
    assert referee.same(after.root) is True
    assert referee.same(loaded(b"a \rb;").root) is None


def test_the_second_reader_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(referee, "same", lambda document: b"app_blue" not in document.data)
    with pytest.raises(UnintendedEdit, match="the second reader, crossplane, does not read the new lines"):
        checked("pid", "pid")
