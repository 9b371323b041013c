"""How findings are printed: on a terminal, and as SARIF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from proxyswitch import __version__
from proxyswitch.lint.finding import Finding
from proxyswitch.lint.formats import summary
from proxyswitch.lint.sarif import sarif
from tests.lint.command import lint, on_terminal

SCHEMA = Path(__file__).parent / "sarif-2.1.0-rtm.5.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad.conf").write_text("server {\n")
    (tmp_path / "one.conf").write_text("upstream app { server 127.0.0.1:3001; }\n")
    (tmp_path / "good.conf").write_text("server { listen 80; }\n")
    return tmp_path


def test_a_terminal_gets_colours_and_a_summary(folder: Path) -> None:
    shown = on_terminal("bad.conf", "one.conf", folder=folder)
    assert "bad.conf:2:1: \033[31merror\033[0m nginx/syntax: " in shown
    assert "one.conf:1:1: \033[36minfo\033[0m nginx/single-server: " in shown
    assert shown.endswith("\n1 error, 1 info in 2 files\n")
    assert on_terminal("good.conf", folder=folder) == "no findings\n"


def test_a_terminal_without_colours(folder: Path) -> None:
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        shown = on_terminal("bad.conf", folder=folder, **environment)
        assert shown.startswith("bad.conf:2:1: error nginx/syntax: ")
        assert "\033" not in shown
        assert shown.endswith("\n1 error in 1 file\n")


def test_what_cannot_be_read_is_never_no_findings(folder: Path) -> None:
    assert "no findings" not in on_terminal("gone.conf", folder=folder)


def test_a_pipe_gets_the_findings_alone(folder: Path) -> None:
    done = lint("bad.conf", "one.conf", folder=folder, code=1)
    assert (done.stdout.count("\n"), done.stderr) == (2, "")


def test_the_summary_counts() -> None:
    def finding(path: str, level: Any) -> Finding:
        return Finding(path, 1, 1, "nginx/syntax", level, "m")

    assert (
        summary([finding("a", "error"), finding("a", "error"), finding("b", "warning")]) == "2 errors, 1 warning in 2 files"
    )
    assert summary([]) == "no findings"


# SARIF


def log(text: str) -> Any:
    """A log that the schema accepts."""
    tree = json.loads(text)
    jsonschema.Draft4Validator(json.loads(SCHEMA.read_text())).validate(tree)
    (run,) = tree["runs"]
    return run


def test_sarif_fits_its_schema(folder: Path) -> None:
    run = log(lint("bad.conf", "one.conf", "good.conf", "--format", "sarif", folder=folder, code=1).stdout)
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("proxyswitch", __version__)
    assert [rule["id"] for rule in driver["rules"]] == ["nginx/single-server", "nginx/syntax"]
    info, error = driver["rules"]
    assert [rule["defaultConfiguration"]["level"] for rule in (info, error)] == ["note", "error"]
    assert info["shortDescription"]["text"].startswith("A pool has a single server")
    assert "FAIL" in info["help"]["text"]
    assert "FAIL" not in info["fullDescription"]["text"]
    assert run["columnKind"] == "unicodeCodePoints"
    first, second = run["results"]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("nginx/syntax", 1, "error")
    assert (second["ruleId"], second["ruleIndex"], second["level"]) == ("nginx/single-server", 0, "note")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "bad.conf", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 2, "startColumn": 1}
    assert first["message"]["text"]


def test_sarif_without_findings_is_a_log_too(folder: Path) -> None:
    run = log(lint("good.conf", "--format", "sarif", folder=folder, code=0).stdout)
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def uri(path: str) -> dict[str, str]:
    run = log(sarif([Finding(path, 1, 1, "server/nginx", "warning", "m")]))
    found: dict[str, str] = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    return found


def test_sarif_names_files_as_uris() -> None:
    assert uri("./a b/50%ä.conf") == {"uri": "a%20b/50%25%C3%A4.conf", "uriBaseId": "%SRCROOT%"}
    assert uri("/etc/nginx/a b.conf") == {"uri": "file:///etc/nginx/a%20b.conf"}
    assert uri("bad\udcff.conf")["uri"] == "bad%FF.conf"


def test_the_schema_would_see_a_mistake() -> None:
    text = sarif([Finding("a", 0, 1, "nginx/syntax", "error", "m")])  # lines count from 1
    with pytest.raises(jsonschema.ValidationError):
        log(text)
