"""The passes by name: each takes a SavedModel folder and writes another."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from converters import user_code
from model_config.errors import BuildError, UnknownName, near_miss

# source folder, target folder (which does not exist yet), the pass's own parameters by keyword
Pass = Callable[..., None]
# a ``converters.graphs.Graph``, the pass's own parameters by keyword; gives another Graph
Transform = Callable[..., Any]

_PASSES: dict[str, Pass] = {}
_TRANSFORMS: dict[Pass, Transform] = {}
_ADDED: set[Path] = set()


def register(name: str) -> Callable[[Pass], Pass]:
    """Make a pass known under the field's word for it; its docstring's first line is its description."""

    def add(apply: Pass) -> Pass:
        if name in _PASSES:
            raise ValueError(f"two passes are called {name!r}")
        _PASSES[name] = apply
        return apply

    return add


def on_graphs(transform: Transform) -> Pass:
    """Lift a function from graph to graph (``converters.graphs.Graph``) to a pass over folders."""
    from converters import graphs

    @wraps(transform)
    def checked(graph: Any, **params: Any) -> Any:
        after = transform(graph, **params)
        there = {node.name for node in after.graph_def.node}
        lost = [name for name in after.ends if name not in there]
        if lost:
            raise BuildError(f"a pass lost {', '.join(lost)}, which the model is asked through or set up by")
        return after

    @wraps(transform)
    def apply(source: Path, target: Path, **params: Any) -> None:
        graphs.write(checked(graphs.read(source), **params), target)

    _TRANSFORMS[apply] = checked
    return apply


def transform(apply: Pass) -> Transform | None:
    """What a pass does to graphs, which spares reading and writing between two of them; None where it wants folders."""
    return _TRANSFORMS.get(apply)


def add_from(path: Path) -> None:
    """Run a Python file of the user's, in which passes register themselves; a second time does nothing."""
    passes()  # first ours, so that a clash is the user's to mend
    if path.resolve() not in _ADDED:
        user_code.run(path)
        _ADDED.add(path.resolve())


def find(name: str) -> Pass:
    """The pass called ``name``; UnknownName with the near misses when there is none."""
    known = passes()
    if name not in known:
        raise UnknownName(f"no pass is called {name!r}; {near_miss(name, known)}")
    return known[name]


def passes() -> dict[str, Pass]:
    """All passes by name."""
    import converters.passes  # noqa: F401 - they register themselves

    return dict(sorted(_PASSES.items()))


def line(apply: Pass) -> str:
    """What a pass does, in one line."""
    return (apply.__doc__ or "").strip().partition("\n")[0]
