"""How questions are spread over machines, and the job that does it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from clients.compare.windows import Shard, windows
from model_config.errors import SuiteError

JOB = Path(__file__).parents[1] / "docker" / "compare-job.yaml"


@pytest.mark.parametrize(("questions", "batch", "total"), [(23, 3, 4), (1, 8, 3), (64, 1, 7), (10, 5, 2)])
def test_every_question_is_in_one_shard_and_its_request_does_not_depend_on_the_shards(questions, batch, total):
    parts = [windows(questions, batch, Shard(number, total)) for number in range(1, total + 1)]
    alone = windows(questions, batch, Shard())

    assert sorted(place for part in parts for window in part for place in window) == list(range(questions))
    assert sorted(map(tuple, (w for part in parts for w in part))) == sorted(map(tuple, alone))


def test_a_shard_is_a_number_of_a_total():
    with pytest.raises(SuiteError, match="a shard is one of 1/4 to 4/4, not 0/4"):
        Shard.parse("0/4")


def test_the_job_gives_every_completion_its_own_shard():
    job = yaml.safe_load(JOB.read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}

    assert (job["apiVersion"], job["kind"], job["spec"]["completionMode"]) == ("batch/v1", "Job", "Indexed")
    assert job["spec"]["template"]["spec"]["restartPolicy"] in ("OnFailure", "Never")
    assert int(given["SHARDS"]) == job["spec"]["completions"] >= job["spec"]["parallelism"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in job["spec"]["template"]["spec"]["volumes"]}
    for index in range(job["spec"]["completions"]):
        typed = container["args"][0].replace("exec python -m", "printf '%s\\n'")
        environment = {**os.environ, **given, "JOB_COMPLETION_INDEX": str(index)}
        said = subprocess.run(
            [*container["command"], typed], env=environment, capture_output=True, text=True, check=True
        )
        words = said.stdout.split()

        assert words[:2] == ["clients", "compare"]
        assert words[words.index("--shard") + 1] == f"{index + 1}/{job['spec']['completions']}"
        assert words[words.index("--output") + 1] == f"results/shard-{index}"


@pytest.mark.parametrize("release", ["1.25", kubernetes_validate.latest_version()])
def test_the_job_keeps_to_kubernetes_own_schema(release):
    job = yaml.safe_load(JOB.read_text())
    kubernetes_validate.validate(job, release, strict=True)

    job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]["path"] = "/elsewhere"
    with pytest.raises(kubernetes_validate.ValidationError, match="'path' was unexpected"):
        kubernetes_validate.validate(job, release, strict=True)


def test_the_jobs_options_are_the_commands():
    from clients.__main__ import main

    known = {name for option in main.commands["compare"].params for name in option.opts}
    used = set(
        re.findall(
            r"--[a-z-]+", " ".join(yaml.safe_load(JOB.read_text())["spec"]["template"]["spec"]["containers"][0]["args"])
        )
    )

    assert used <= known
