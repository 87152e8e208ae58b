"""The embedded server answers everything that was recorded from the real one; CONFORMANCE_COMMAND tests another."""

from __future__ import annotations

import os
import shlex

import pytest
from command_line import assert_one_sentence, run

from serving.conformance import running, settings
from serving.conformance.case import CASES


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    command = shlex.split(os.environ.get("CONFORMANCE_COMMAND", "")) or running.EMBEDDED
    with running.Suite(command, tmp_path_factory.mktemp("conformance")) as opened:
        yield opened


# one server at a time
IN_ORDER = sorted(CASES, key=lambda case: list(settings.SETTINGS).index(case.setting))


@pytest.mark.parametrize("case", [pytest.param(each, id=f"{each.setting}, {each.name}") for each in IN_ORDER])
def test_it_answers_as_the_real_server(suite, case):
    suite.check(case)


def test_no_two_cases_have_one_name():
    names = [(each.setting, each.name) for each in CASES]

    assert sorted(set(names)) == sorted(names)


def test_a_server_that_is_not_there_is_named():
    done = run("serving", "conformance", "--command", "no_such_server --flag")

    assert_one_sentence(done, "no_such_server", "--command")
