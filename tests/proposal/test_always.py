"""Whatever names there are: the proposal is TOML, our settings and our lint take it, with what is left out as well."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proxyswitch import settings
from proxyswitch.model import Endpoint, Pool, Server, Where
from proxyswitch.proposal import checked, match, toml, write
from proxyswitch.proposal.seen import Asked, Listener, Pm2App, ProxySeen, Release, Seen, Service, Unit
from tests.proposal.support import proposed, uncommented

TEXT = st.text(min_size=1, max_size=12)
ODD = st.one_of(TEXT, TEXT.map(lambda text: f"{text}\udcff"))
NAMES = st.one_of(
    st.sampled_from(["app_backend", "a.b", 'x"y', "web-blue", "{version}", "#", "nginx:x", "é\n[x]", "\x7f"]), ODD
)
WORDS = st.lists(NAMES, max_size=4).map(tuple)
PLACES = st.one_of(
    st.builds(lambda port: f"127.0.0.1:{port}", st.integers(1, 65535)),
    st.sampled_from(["[::1]:3001", "unix:/run/app.sock", "localhost:80", "10.0.0.5", "$x", "unix:/run/a b.sock", "a.sock"]),
)
SERVERS = st.builds(
    Server,
    PLACES,
    down=st.booleans(),
    backup=st.booleans(),
    name=st.one_of(st.just(""), NAMES),
    where=st.just(Where("/srv/a\nb.conf", 3)),
)
POOLS = st.builds(
    Pool,
    NAMES,
    st.sampled_from(["nginx", "haproxy"]),
    st.sampled_from(["http", "stream", "tcp"]),
    st.lists(SERVERS, max_size=4).map(tuple),
    st.just(Where("/srv/ü\udcff.conf", 1)),
)
LISTENERS = st.builds(
    Listener,
    st.sampled_from(
        [Endpoint("127.0.0.1", 3001), Endpoint("::1", 3001), Endpoint(path="/run/app.sock"), Endpoint("localhost", 80)]
    ),
    pid=st.integers(0, 3),
    title=NAMES,
    words=WORDS,
    masked=st.booleans(),
    cwd=st.one_of(st.just(""), NAMES),
    user=NAMES,
    unit=st.one_of(st.none(), st.builds(Unit, NAMES, st.sampled_from(["system", "user"]), NAMES, reloads=st.booleans())),
    pm2=st.one_of(st.none(), st.builds(Pm2App, NAMES, NAMES, script=NAMES, cwd=NAMES, home=NAMES, user=NAMES)),
    release=st.one_of(st.none(), st.builds(Release, NAMES, st.just("/srv/{version}"))),
)
SERVICES = st.builds(
    Service, NAMES, st.just((80, 3001)), st.lists(NAMES, max_size=2).map(tuple), NAMES, NAMES, st.booleans()
)
SEEN = st.builds(
    lambda pools, listeners, services, root, asked: Seen(
        (ProxySeen("nginx", ("/srv/a b.conf",), "why\nnot", pools=tuple(pools)),),
        tuple(listeners),
        services=tuple(services),
        root=root,
        asked={one.endpoint: asked for one in listeners},
        remote=frozenset({"10.0.0.5"}),
    ),
    st.lists(POOLS, max_size=4),
    st.lists(LISTENERS, max_size=3, unique_by=lambda one: one.endpoint),
    st.lists(SERVICES, max_size=2),
    st.booleans(),
    st.one_of(st.just(()), st.just((Asked("/up", 204, True, "status 204"),))),
)


@given(SEEN)
def test_it_can_always_be_used(seen: Seen) -> None:
    text = checked.whole(seen, proposed(seen))
    found = settings.parse(text.encode(), "proxyswitch.toml")
    assert set(found.apps) == {app.name for app in proposed(seen) if app.sure}


@given(SEEN)
def test_what_is_left_out_is_toml_as_well(seen: Seen) -> None:
    text = uncommented(checked.whole(seen, proposed(seen)))
    tree = tomllib.loads(text)
    assert set(tree.get("apps", {})) >= {app.name for app in proposed(seen)}


@given(SEEN)
def test_each_pool_is_in_one_app(seen: Seen) -> None:
    apps = match.apps(seen)
    assert len({app.name for app in apps}) == len(apps)
    assert {app.pool for app in apps} <= {pool.name for proxy in seen.proxies for pool in proxy.pools}


@given(st.one_of(TEXT, st.lists(TEXT), st.dictionaries(TEXT, TEXT), st.booleans(), st.integers(-(2**60), 2**60)))
def test_toml_reads_back(value: object) -> None:
    assert tomllib.loads(f"{toml.key('a b')} = {toml.value(value)}") == {"a b": value}


def test_what_is_no_text_becomes_question_marks() -> None:
    assert toml.value("a\udcffb") == '"a?b"'


@given(ODD)
def test_a_comment_stays_one(text: str) -> None:
    assert tomllib.loads(f"# {toml.comment(text)}\na = 1") == {"a": 1}


def test_the_template_is_a_comment_that_can_be_taken(tmp_path: Path) -> None:
    text = write.text(Seen(), [])
    assert tomllib.loads(text) == {}
    taken = settings.parse(uncommented(text).encode(), str(tmp_path / "proxyswitch.toml"))
    assert set(taken.apps) == {"web"}
