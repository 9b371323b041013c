"""`schema` prints the JSON schema of the settings, for editors."""

from __future__ import annotations

import json
import tomllib

import jsonschema  # type: ignore[import-untyped]

from tests.e2e.shop import Shop
from tests.e2e.support import Bench


def test_it_is_a_schema_that_fits_the_settings(empty: Shop) -> None:
    result = empty.run("schema")
    assert (result.code, result.err) == (0, "")
    schema = json.loads(result.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    tree = tomllib.loads(empty.settings.read_text())
    jsonschema.validate(tree, schema)
    tree["apps"]["web"]["drian"] = "1s"
    assert not jsonschema.Draft202012Validator(schema).is_valid(tree)


def test_it_needs_no_settings_and_no_nginx(place: Bench) -> None:
    result = place.run("schema", env={"PATH": "/nonexistent"})
    assert result.code == 0, result.err
    assert "apps" in json.loads(result.out)["$defs"]["Settings"]["properties"]
