"""The tree of errors, and that nothing a server may answer falls through it."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import grpc
import pytest

import clients
from clients import errors, translation

KINDS = {
    name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.ClientError)
}


def drawn() -> dict[str, str]:
    """Each error of the tree in the module's description, and what stands above it."""
    above, parents = {}, {}
    for line in errors.__doc__.splitlines():
        name = re.search(r"[A-Z]\w+", line[:24])
        if name and name[0] in KINDS:
            above[name.start()] = name[0]
            parents[name[0]] = above.get(name.start() - 4, "SuiteError")
    return parents


def test_the_tree_is_as_it_is_drawn():
    assert drawn() == {name: kind.__bases__[0].__name__ for name, kind in KINDS.items()}


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"ClientError", "BadAnswer"}))
def test_every_error_says_what_to_do(name):
    assert KINDS[name].remedy
    assert KINDS[name].__doc__.endswith(".")


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
@pytest.mark.parametrize("text", ["", "something that nobody has seen before\n\t [[{{node x}}]]"])
def test_every_code_is_an_error_of_ours_on_one_line(code, text):
    error = translation.from_status("server:1", code, text)

    assert isinstance(error, errors.ClientError)
    assert error.code == code.name
    assert "server:1" in str(error)
    assert "; " in str(error)
    assert "\n" not in str(error)


def test_a_text_in_the_middle_of_another_does_not_decide():
    error = translation.from_status("s", grpc.StatusCode.INVALID_ARGUMENT, "node says: Missing ModelSpec")

    assert type(error) is errors.BadRequest


@pytest.mark.parametrize("name", clients.__all__)
def test_public_names_are_there(name):
    assert getattr(clients, name).__name__ == name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Clown'"):
        clients.Clown  # noqa: B018  # reading it is what is tested


def test_the_client_starts_without_what_it_does_not_need():
    heavy = {"tensorflow", "pydantic", "cv2", "yaml", "PIL", "rich"}
    program = f"import clients, sys; clients.Client; sys.exit(', '.join({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

    assert done.stderr.strip() == ""
