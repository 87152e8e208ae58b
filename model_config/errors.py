"""Errors whose message is the whole answer: one sentence that says what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SuiteError(Exception):
    """Something the user can mend; the command lines print its text and nothing else."""


class BadModelsFile(SuiteError):
    """models.yaml does not say what it should."""


class UnknownName(SuiteError):
    """A model, version, recipe, pass, input or output that does not exist."""


class BadSource(SuiteError):
    """The model to convert is missing, damaged or of a kind that cannot be read."""


class BuildError(SuiteError):
    """A version could not be made; nothing of it was published."""


class ServeError(SuiteError):
    """A server could not be started, reached or stopped."""


def near_miss(name: object, known: Iterable[object]) -> str:
    """What to put behind "there is no such thing": the likely spelling, or all there is."""
    names = list(dict.fromkeys(str(each) for each in known))
    close = difflib.get_close_matches(str(name), names, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(each) for each in close) + "?"
    return "known: " + ", ".join(names) if names else "there is none yet"
