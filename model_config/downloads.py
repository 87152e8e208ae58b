"""Where a model or a data set is fetched from, as data of models.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Optional

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+/\S*$")]


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not name:
        raise ValueError("it must be a name inside the folder that is fetched")
    return name


# a path that cannot lead out of the folder it starts at
Inside = Annotated[str, AfterValidator(_inside)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Download(_Frozen):
    """One file of a publisher's.

    Attributes:
        sha256, md5: what the publisher, or a known user of the file, says of its content; where nobody does,
            the first fetch writes down what came and later ones hold it against that.
        size: in bytes.
        save_as: its name in the folder; the last part of the address when left out.
        unpack: what is taken out of an archive, and what it is called in the folder: a file, a folder with all
            that is in it, or a pattern such as ``export_*/saved_model``. Without it the file stays as it is.
    """

    url: Address
    sha256: Optional[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]] = None
    md5: Optional[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]] = None
    size: Optional[Annotated[int, Field(ge=1, strict=True)]] = None
    save_as: Optional[Inside] = None
    unpack: Mapping[str, Inside] = Field(default={})

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.save_as or PurePosixPath(self.url.partition("?")[0]).name or "download"

    @property
    def trusted(self) -> bool:
        """Whether somebody says what its content must be."""
        return self.sha256 is not None or self.md5 is not None


class Fetch(_Frozen):
    """A folder that is filled from its publisher's addresses.

    Attributes:
        into: the folder; ``sources/NAME`` for a model and ``data/NAME`` for a data set when left out.
        homepage: where to look when an address answers no longer.
        by_hand: what a person has to do where no program may fetch it.
    """

    into: Optional[Path] = None
    files: tuple[Download, ...] = ()
    homepage: Optional[str] = None
    by_hand: Optional[str] = None

    @model_validator(mode="after")
    def _says_something(self) -> Fetch:
        if not self.files and not self.by_hand:
            raise ValueError("it needs files, each with its url, or by_hand: what a person has to do")
        return self
