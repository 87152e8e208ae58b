"""Where labelled data lies and how it is laid out, as models.yaml says it: a path alone, or a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field, model_validator

Format = Literal["coco", "folders", "findings", "pairs", "idx", "npz", "pictures"]


class Data(BaseModel):
    """Labelled data, or pictures without labels.

    Attributes:
        path: a folder or file.
        format: COCO's JSON, a folder a class, CSV of findings, pairs for verification, MNIST's idx files, an npz of
            tensors and labels, or pictures without labels; what the path looks like when left out.
        pictures: the folder of the pictures, where it is not where the format has it.
        limit: so many questions at most: the first ones, or where classes or folds follow each other, some of each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    format: Optional[Format] = None
    pictures: Optional[Path] = None
    limit: Optional[Annotated[int, Field(ge=1, strict=True)]] = None

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, (str, Path)) else value

    def __str__(self) -> str:
        """The path, which is what people know it by."""
        return str(self.path)

    @property
    def places(self) -> tuple[Path, ...]:
        """Every path that is read."""
        return (self.path,) if self.pictures is None else (self.path, self.pictures)

    @property
    def folder(self) -> Path:
        """Where pictures are, here or below."""
        return self.pictures or self.path

    def files(self) -> Iterator[Path]:
        """Every file that may be read, in a fixed order."""
        for place in self.places:
            yield from [place] if place.is_file() else sorted(each for each in place.rglob("*") if each.is_file())
