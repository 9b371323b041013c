"""github-actions: a workflow that tests, builds, releases, looks, and takes back."""

from __future__ import annotations

from proxyswitch.generate import pipeline, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value

KIND = Kind(
    name="github-actions",
    title="A workflow of GitHub: test, build, release, take back.",
    values=(
        *pipeline.VALUES,
        Value("builder", words.label, "The runner that tests and builds.", "ubuntu-latest", metavar="LABEL"),
    ),
    parts=(Part("github-actions.yml.j2", ".github/workflows/deploy.yml", check="code-workflow"),),
    of_app=pipeline.of_app,
    more=pipeline.more,
    after="make an environment named production (Settings, Environments), and say there who may release",
    variables=pipeline.VARIABLES,
)
