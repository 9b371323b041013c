from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxyswitch.conf.nginx import chain
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.errors import ConfigError, UsageError
from tests.conf.helpers import write
from tests.nginx_check import Nginx, copy_fixture, make_certificate

HEAD = b"pid p.pid;\nevents {}\nhttp {\naccess_log off;\n"


def names(config: Config) -> list[str]:
    return [os.path.relpath(v.document.path, config.prefix) for v in config.visits]


def http(*lines: bytes) -> bytes:
    return HEAD + b"\n".join(lines) + b"\n}\n"


def test_globs_are_sorted_as_bytes_and_pass_over_dotfiles(tmp_path: Path, nginx: Nginx) -> None:
    files = {f"d/{name}": b"" for name in ("b", "a", "B", "10", "9", "ä", ".hidden")}
    main = write(tmp_path, {"nginx.conf": http(b"include d/*;"), **files})
    assert names(chain.load(main))[1:] == ["d/10", "d/9", "d/B", "d/a", "d/b", "d/ä"]
    files = {name: b"bogus;\n" for name in files if "hidden" not in name}
    write(tmp_path, files)
    assert b'unknown directive "bogus" in ' + str(tmp_path / "d/10").encode() in nginx.test(main).stderr


def test_names_are_relative_to_the_main_file_not_to_the_including_one(tmp_path: Path) -> None:
    files = {"nginx.conf": http(b"include sub/a.conf;"), "sub/a.conf": b"include b.conf;", "b.conf": b"", "sub/b.conf": b"x"}
    assert names(chain.load(write(tmp_path, files))) == ["nginx.conf", "sub/a.conf", "b.conf"]


def test_the_prefix_is_the_folder_of_the_name_not_of_the_file(tmp_path: Path, nginx: Nginx) -> None:
    write(tmp_path / "real", {"nginx.conf": http(b"include a.conf;"), "a.conf": b"bogus;"})
    write(tmp_path / "named", {"a.conf": b""})
    link = tmp_path / "named/nginx.conf"
    link.symlink_to(tmp_path / "real/nginx.conf")
    config = chain.load(str(link))
    assert config.prefix == str(tmp_path / "named")
    assert names(config) == ["nginx.conf", "a.conf"]
    assert config.root.real == str(tmp_path / "real/nginx.conf")
    assert nginx.test(link).returncode == 0


def test_a_prefix_that_looks_like_a_glob(tmp_path: Path, nginx: Nginx) -> None:
    """nginx looks for `*?[` in the whole name, so a plain include below such a folder matches nothing."""
    main = write(tmp_path / "a[1]", {"nginx.conf": http(b"include a.conf;"), "a.conf": b"bogus;"})
    assert names(chain.load(main)) == ["nginx.conf"]
    assert nginx.test(main).returncode == 0


def test_links_are_resolved(tmp_path: Path) -> None:
    main = write(tmp_path, {"nginx.conf": http(b"include on/*;"), "off/shop": b"upstream a { server b:1; }"})
    (tmp_path / "on").mkdir()
    (tmp_path / "on/shop").symlink_to("../off/shop")
    document = chain.load(main).visits[1].document
    assert document.path == str(tmp_path / "on/shop")  # as the person knows it
    assert document.real == str(tmp_path / "off/shop")


def test_a_file_included_twice_has_two_visits_and_one_document(tmp_path: Path) -> None:
    data = http(b"include a.conf;", b"server { include a.conf; location / { include a.conf; } }")
    config = chain.load(write(tmp_path, {"nginx.conf": data, "a.conf": b"include b.conf;", "b.conf": b""}))
    assert names(config) == ["nginx.conf"] + ["a.conf", "b.conf"] * 3
    assert len(config.documents) == 3
    assert [v.context for v in config.visits if v.document.path.endswith("b.conf")] == [
        (b"http",),
        (b"http", b"server"),
        (b"http", b"server", b"location"),
    ]


@pytest.mark.parametrize("back", [b"include nginx.conf;", b"include *.conf;", b"include link;", b"include b.conf;"])
def test_cycles_are_refused(back: bytes, tmp_path: Path) -> None:
    main = write(tmp_path, {"nginx.conf": http(b"include a.conf;"), "a.conf": b"\n " + back, "b.conf": b"include a.conf;"})
    (tmp_path / "link").symlink_to("a.conf")
    with pytest.raises(ConfigError, match="leads back to its own file") as error:
        chain.load(main)
    assert " includes " in str(error.value)
    assert error.value.line > 0


def test_a_missing_plain_include(tmp_path: Path, nginx: Nginx) -> None:
    main = write(tmp_path, {"nginx.conf": http(b"include none/*.conf;", b"include none.conf;")})
    with pytest.raises(UsageError) as error:
        chain.load(main)
    assert error.value.what == f"{tmp_path}/none.conf: No such file or directory (included at {main}:6)"
    assert b"none.conf" in nginx.test(main).stderr


def test_what_cannot_be_read(tmp_path: Path) -> None:
    main = write(tmp_path, {"nginx.conf": http(b"include d*;")})
    (tmp_path / "d").mkdir()
    with pytest.raises(UsageError, match="Is a directory"):
        chain.load(main)
    (tmp_path / "d").rmdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(UsageError, match="No such file"):
        chain.load(main)

    def forbidden(_path: str) -> bytes:
        raise PermissionError

    with pytest.raises(UsageError, match="permission denied") as error:
        chain.load(main, chain.Names(forbidden))
    assert "run it as" in error.value.next_step


def test_a_syntax_error_in_a_snippet_names_the_snippet(tmp_path: Path) -> None:
    main = write(tmp_path, {"nginx.conf": http(b"include a.conf;"), "a.conf": b"\nserver {"})
    with pytest.raises(ConfigError) as error:
        chain.load(main)
    assert (error.value.path, error.value.line) == (str(tmp_path / "a.conf"), 2)


def test_quoted_and_odd_includes(tmp_path: Path) -> None:
    data = http(b'"include" "with space.conf" ;', b"include # c\n 'b.conf';", b"include;", b"include a b;", b"include x {}")
    config = chain.load(write(tmp_path, {"nginx.conf": data, "with space.conf": b"", "b.conf": b""}))
    assert names(config) == ["nginx.conf", "with space.conf", "b.conf"]


def twin(real: str) -> str:
    folder, name = os.path.split(real)
    return f"{folder}/.{name}.twin"


def staged(config: Config, changed: dict[str, bytes]) -> dict[str, bytes]:
    files = chain.candidates(config, changed, twin)
    for name, data in files.items():
        Path(name).write_bytes(data)
    return files


@pytest.mark.parametrize("fixture", ["plain", "sites", "stream", "includes", "odd", "variables"])
def test_nginx_accepts_the_twins(fixture: str, nginx: Nginx, tmp_path: Path) -> None:
    main = copy_fixture(fixture, tmp_path)
    if fixture == "sites":
        make_certificate(main.parent / "certs")
    config = chain.load(str(main))
    everything = {real: document.data for real, document in config.documents.items()}
    files = staged(config, everything)
    assert files.keys() == {twin(real) for real in everything}
    done = nginx.test(twin(config.root.real))
    assert done.returncode == 0, done.stderr
    assert {real: Path(real).read_bytes() for real in everything} == everything  # no live file was touched


@pytest.mark.parametrize(
    "snippet", ["shared/deep/api.conf", "servers/app.conf", "servers/nested.conf", "conf.d/10-map.conf.http"]
)
def test_an_error_is_reported_at_the_twin_with_the_same_line(snippet: str, nginx: Nginx, tmp_path: Path) -> None:
    main = copy_fixture("includes", tmp_path)
    config = chain.load(str(main))
    real = str(main.parent / snippet)
    broken = config.documents[real].data + b"\nbogus_bogus bogus;\n"
    files = staged(config, {real: broken})
    said = nginx.test(twin(config.root.real)).stderr.decode()
    line = broken[: broken.index(b"bogus_bogus")].count(b"\n") + 1
    assert f"in {twin(real)}:{line}" in said
    assert len(files) < len(config.documents)  # only the way that leads there
    assert nginx.test(main).returncode == 0


def test_lines_stay_behind_a_twin_over_several_lines(nginx: Nginx, tmp_path: Path) -> None:
    data = http(b"include # over\n\n   a.conf\n;", b"bogus;")
    main = write(tmp_path, {"nginx.conf": data, "a.conf": b""})
    config = chain.load(main)
    staged(config, {str(tmp_path / "a.conf"): b"# new\n"})
    assert b"in %s:9" % twin(main).encode() in nginx.test(twin(main)).stderr
    assert b"in %s:9" % main.encode() in nginx.test(main).stderr


def test_a_twin_of_one_of_many(tmp_path: Path) -> None:
    files = {"nginx.conf": http(b"include d/*;"), "d/a": b"", 'd/b "[x]': b"", "d/c": b""}
    config = chain.load(write(tmp_path, files))
    out = chain.candidates(config, {str(tmp_path / "d/c"): b"new;"}, twin)
    for name, data in out.items():
        Path(name).write_bytes(data)
    assert names(chain.load(twin(config.main))) == [".nginx.conf.twin", "d/a", 'd/b "[x]', "d/.c.twin"]


def test_a_change_of_the_main_file_alone(tmp_path: Path) -> None:
    config = chain.load(write(tmp_path, {"nginx.conf": http(b"include d/*;"), "d/a": b""}))
    changed = config.root.data + b"# x\n"
    assert chain.candidates(config, {config.root.real: changed}, twin) == {twin(config.main): changed}
