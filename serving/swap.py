"""Make a running server serve other versions without losing a request, or leave it as it was.

The new versions are loaded beside the old ones, must answer, are given their labels, and only then do the old ones go.
A server is always told the whole list of models, as what is not on it is unloaded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from clients.errors import ClientError, DeadlineExceeded, LoadFailed, ServerFailed
from model_config import server_config
from model_config.errors import ServeError, SuiteError
from model_config.server_config import Served
from serving.ready import States, Target, states, wait

_POLL_S = 0.1
_RELOAD_S = 15.0  # a reload is answered at once, or when what is new to the server is loaded
_TELL_S = 10.0  # for the states to tell what the answer has told before

Models = Sequence[Served]


@dataclass(frozen=True)
class Swap:
    """A change of what a server serves.

    Attributes:
        old, new: the whole list of models before and after, by the base paths that the server sees.
        timeout_s: how long loading may take.
    """

    target: Target
    old: Models
    new: Models
    timeout_s: float

    @property
    def added(self) -> dict[str, tuple[int, ...]]:
        """The versions that are not served yet, by the model's name."""
        former = {each.name: each for each in self.old}
        added = {each.name: _added(former.get(each.name), each) for each in self.new}
        return {name: versions for name, versions in added.items() if versions}


def _added(former: Served | None, wanted: Served) -> tuple[int, ...]:
    same = former is not None and former.base_path == wanted.base_path
    return tuple(number for number in wanted.versions if not (former and same and number in former.versions))


def beside(swap: Swap) -> None:
    """Load the new versions beside the old ones, then let those go; both are in memory for a moment.

    Raises:
        ServeError: a new version cannot be served; the server serves what it served before.
    """
    both = _union(swap.old, swap.new)
    with _rolled_back(swap):
        _load(swap, both)
        # labels move while both versions are there, so that no request finds its label pointing at nothing
        _reload(swap.target, _labelled(both, swap.new))
    _reload(swap.target, swap.new)
    _wait_gone(swap)
    _require_new(swap)


def replacing(swap: Swap) -> None:
    """Let the old versions go before the new ones are loaded, where memory does not hold both; requests fail meanwhile.

    Raises:
        ServeError: a new version cannot be served; the server has loaded again what it served before.
    """
    changed = set(swap.added)
    with _rolled_back(swap):
        _reload(swap.target, [each for each in swap.old if each.name not in changed])
        _wait_gone(replace(swap, new=[each for each in swap.new if each.name not in changed]))
        _load(swap, [replace(each, labels={}) for each in swap.new])
        _reload(swap.target, swap.new)
    _require_new(swap)


def _load(swap: Swap, models: Models) -> None:
    """Ask for models, and return when each new version has answered a request."""
    added = swap.added
    with swap.target.client(_RELOAD_S) as client:
        before = {name: states(client, name) for name in added}
    patience = swap.timeout_s
    try:
        _reload(swap.target, models)
    except _NotLoaded:
        patience = _TELL_S  # the states tell the version and the reason
    except _NotYet:
        if not _has_begun(swap, before):
            raise
    wait(swap.target, added, patience, before=before)


class _Refused(ServeError):
    """A config that the server does not take."""


class _NotLoaded(ServeError):
    """A config that was taken, and a model of it that cannot be loaded."""


class _NotYet(ServeError):
    """A config that the server is still busy with, be it that it loads or that it waits for what is not there."""


def _reload(target: Target, models: Models) -> None:
    """Give the server a whole list; ServeError when it does not take it."""
    try:
        with target.client(_RELOAD_S) as client:
            client.reload(server_config.message(models))
    except DeadlineExceeded as error:
        raise _NotYet(
            f"{target.server} has not taken up the config in {_RELOAD_S:.0f} s: it waits for a folder or a version "
            "that is not where it looks (--root says where), and takes no other config until it is started again"
        ) from error
    except (LoadFailed, ServerFailed) as error:
        raise _NotLoaded(str(error)) from error
    except ClientError as error:
        raise _Refused(f"{target.server} did not take up the config: {error}") from error


def _has_begun(swap: Swap, before: dict[str, States]) -> bool:
    """Whether the server has found every new version, which it then only takes long to load."""
    with swap.target.client(_RELOAD_S) as client:
        now = {name: states(client, name) for name in before}
    return all(
        number in now[name] and now[name][number] != before[name].get(number)
        for name, versions in swap.added.items()
        for number in versions
    )


@contextmanager
def _rolled_back(swap: Swap) -> Iterator[None]:
    """Make the server serve what it served before when the block fails, whatever the reason."""
    try:
        yield
    except BaseException as error:
        try:
            _reload(swap.target, swap.old)
        except ServeError as second:
            if isinstance(error, _Refused):
                raise error from second  # the server has kept its config, and likes the old one as we know it no better
            raise ServeError(f"{error}; and what was served before cannot be asked for: {second}") from error
        kept = "; ".join(f"{each.name} {', '.join(map(str, each.versions))}" for each in swap.old)
        if isinstance(error, SuiteError):
            raise ServeError(f"{error} (nothing has changed: {swap.target.server} serves {kept})") from error
        raise


def _union(old: Models, new: Models) -> list[Served]:
    """Every model with the versions of both lists, under the labels it has now."""
    wanted = {each.name: each for each in new}
    kept = [_joined(each, wanted[each.name]) if each.name in wanted else each for each in old]
    return kept + [replace(each, labels={}) for each in new if each.name not in {former.name for former in old}]


def _joined(old: Served, new: Served) -> Served:
    if old.base_path != new.base_path:
        return replace(new, labels={})
    return replace(old, versions=tuple(dict.fromkeys((*old.versions, *new.versions))))


def _labelled(both: Models, new: Models) -> list[Served]:
    wanted = {each.name: each.labels for each in new}
    return [replace(each, labels=wanted.get(each.name, each.labels)) for each in both]


def _wait_gone(swap: Swap) -> None:
    """Return when the old versions are unloaded, or time is up, as a long request may hold one; that harms nobody."""
    deadline = time.monotonic() + swap.timeout_s
    with swap.target.client(_RELOAD_S) as client:
        for name, versions in _going(swap.old, swap.new).items():
            while _loaded(states(client, name)) & set(versions) and time.monotonic() < deadline:
                time.sleep(_POLL_S)


def _going(old: Models, new: Models) -> dict[str, tuple[int, ...]]:
    kept = {each.name: each.versions for each in new}
    return {
        each.name: tuple(number for number in each.versions if number not in kept.get(each.name, ())) for each in old
    }


def _loaded(found: States) -> set[int]:
    return {number for number, state in found.items() if state.state != "END"}


def _require_new(swap: Swap) -> None:
    """ServeError unless each model's answers come from a version that it is to serve."""
    with swap.target.client(_RELOAD_S) as client:
        for served in swap.new:
            answered = client.version_of(served.name)
            if answered not in served.versions:
                raise ServeError(
                    f"{served.name} on {swap.target.server} answers by version {answered}, not by "
                    f"{', '.join(map(str, served.versions))}; another config is sent to it at the same time"
                )
