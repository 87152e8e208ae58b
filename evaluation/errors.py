"""What can be wrong with data, or with an answer that arrived."""

from __future__ import annotations

from model_config.errors import SuiteError


class BadPicture(SuiteError):
    """A file that is no readable picture."""


class BadDataset(SuiteError):
    """Labelled data that cannot be used."""


class BadAnswer(SuiteError):
    """The answer is not what it should be."""
