"""gitlab-ci: a pipeline that tests, builds, releases and looks; a job to take a release back by hand."""

from __future__ import annotations

from proxyswitch.generate import pipeline, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value

KIND = Kind(
    name="gitlab-ci",
    title="A pipeline of GitLab: test, build, release, take back.",
    values=(
        *pipeline.VALUES,
        Value(
            "builder",
            words.label,
            "The tag of the runners that test and build; without it any runner.",
            "",
            metavar="TAG",
        ),
    ),
    parts=(Part("gitlab-ci.yml.j2", ".gitlab-ci.yml"),),
    of_app=pipeline.of_app,
    more=pipeline.more,
    after="protect the branch {branch}, and the runner with the tag {runner}: then nobody else can release",
    variables=pipeline.VARIABLES,
)
