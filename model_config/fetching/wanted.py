"""What a name stands for: a model's own files and the data sets it uses, or a data set alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from model_config.downloads import Fetch
from model_config.errors import SuiteError, UnknownName, near_miss
from model_config.fetching.fetch import Wanted
from model_config.models import Model


def wanted(name: str, models: Mapping[str, Model], datasets: Mapping[str, Fetch], *, data: bool) -> tuple[Wanted, ...]:
    """The folders that are to be filled for a name.

    Args:
        data: with the data sets that the model's data, labels and calibration lie in.

    Raises:
        SuiteError: there is no such name, or it says nothing of where it comes from.
    """
    if name in models:
        return tuple(_of_model(models[name], datasets if data else {}))
    if name in datasets:
        return (_of_dataset(name, datasets[name]),)
    raise UnknownName(f"no model or data set is called {name!r}; {near_miss(name, [*models, *datasets])}")


def _of_model(model: Model, datasets: Mapping[str, Fetch]) -> Iterator[Wanted]:
    found = [_of_dataset(name, each) for name, each in datasets.items()]
    used = [each for each in found if any(_lies_in(path, each.folder) for path in _paths(model))]
    if model.fetch is None and not used:
        raise SuiteError(
            f"nothing says where {model.name} is fetched from; put its source at {model.source}, or add fetch to its "
            "entry in models.yaml"
        )
    if model.fetch is not None:
        yield Wanted(model.name, model.fetch, model.fetch.into or Path("sources", model.name))
    yield from used


def _of_dataset(name: str, fetch: Fetch) -> Wanted:
    return Wanted(name, fetch, fetch.into or Path("data", name))


def _paths(model: Model) -> Iterator[Path]:
    if model.data is not None:
        yield from model.data.places
    if model.calibration is not None:
        yield model.calibration.path
    if isinstance(model.task.labels, str):
        yield Path(model.task.labels)


def _lies_in(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
