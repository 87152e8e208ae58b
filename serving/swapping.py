"""What a swap is from and to: by our own notes for a server that was started here, by asking any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.client import Client
from model_config import bundle, chosen, fit, server_config
from model_config.server_config import Served
from serving import notes, swap
from serving.backends import BACKENDS
from serving.ready import Target, states

_STATUS_S = 10.0


@dataclass(frozen=True)
class Wanted:
    """What a user wants a server to serve.

    Attributes:
        model: with its versions; None for what ``python -m model_config use`` has chosen.
        replace: let the old versions go first.
    """

    model: str | None
    versions: tuple[int, ...]
    labels: Mapping[str, int]
    apart: bool = False
    replace: bool = False
    timeout_s: float = 300.0


def of_ours(running: notes.Running, wanted: Wanted) -> notes.Running:
    """Swap on a server that was started here; the note and the config on disk follow what it serves."""
    repository, target = Path(running.repository), Target.of(running)
    noted = server_config.read(running.config)
    models = _wanted(repository, noted, wanted)
    fit.require(bundle.versions_of(models, repository), BACKENDS[running.backend].facts(running.image))
    new = _whole(noted, [each.below(running.seen_repository) for each in models], wanted)
    changed = running.serving(new)
    # what must be remembered has its room before anything changes: a full disk leaves all as it is
    with server_config.writing(new, running.bundle), notes.noting(changed):
        _kind(wanted)(swap.Swap(target, _served_now(target, noted), new, wanted.timeout_s))
    return changed


def of_any(target: Target, root: str | None, wanted: Wanted) -> list[Served]:
    """Swap on a server that somebody else started; what it serves of other models must be in the model config.

    Args:
        root: where the server sees the repository, if elsewhere than we.
    """
    here = str(target.repository.resolve())
    former = [each.below(here) for each in server_config.read(target.repository / server_config.FILE)]
    models = _whole(former, _wanted(target.repository, former, wanted), wanted)
    old, new = ([each.below(root or here) for each in side] for side in (server_config.instead(models, former), models))
    with server_config.writing(models, target.repository):
        _kind(wanted)(swap.Swap(target, _served_now(target, old), new, wanted.timeout_s))
    return new


def _wanted(repository: Path, former: Sequence[Served], wanted: Wanted) -> Sequence[Served]:
    """A model whose versions had names of their own keeps them so."""
    had = any(Path(each.base_path).name == wanted.model != each.name for each in former)
    return chosen.models(repository, wanted.model, wanted.versions, wanted.labels, wanted.apart or had)


def _whole(former: Sequence[Served], models: Sequence[Served], wanted: Wanted) -> list[Served]:
    return list(models) if wanted.model is None else server_config.instead(former, models)


def _kind(wanted: Wanted) -> Callable[[swap.Swap], None]:
    return swap.replacing if wanted.replace else swap.beside


def _served_now(target: Target, models: Sequence[Served]) -> list[Served]:
    """What is really served of these models, whatever config was sent by whom."""
    with target.client(_STATUS_S) as client:
        return [served for each in models for served in [as_served(client, each)] if served]


def as_served(client: Client, wanted: Served) -> Served | None:
    """What a server serves of a model now, as far as it tells; None when nothing."""
    found = [number for number, state in states(client, wanted.name).items() if state.state == "AVAILABLE"]
    if not found:
        return None
    labels = {label: client.version_of(wanted.name, label) for label in wanted.labels}
    return Served(
        wanted.name,
        wanted.base_path,
        tuple(found),
        {label: number for label, number in labels.items() if number in found},
    )
