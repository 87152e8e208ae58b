"""What a version must stand before it is published: it answers as the source model does, in every batch size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from converters import graphs
from converters.checking import inputs, warm_up
from converters.checking.verify import Answer
from converters.checking.warm_up import Request
from model_config import base_path, server_config
from model_config.errors import BuildError
from model_config.manifest import Check
from model_config.models import Model

# servable, source and a file of requests: how the servable answered each
Ask = Callable[[Path, Path, Path], "tuple[Answer, ...]"]


def check(servable: Path, source: Path, key: str, model: Model, ask: Ask) -> tuple[Check, ...]:
    """Ask the signature ``key`` in every declared batch size; leave beside the servable what helps a server to.

    Raises:
        BuildError: it does not load, or its answers cannot stand for the source model's.
    """
    requests, unasked = _requests(source, key, model)
    file = servable.with_name("requests")
    warm_up.write(requests, model.name, file)
    pairs = list(zip(requests, ask(servable, source, file)))
    for request, answer in pairs:
        _require_faultless(request, answer)
    answered = [pair for pair in pairs if pair[1].outputs]
    _write_warm_up(servable, model, [request for request, _ in answered])
    if all(_divides(*pair) for pair in answered):
        _write_batching(servable, [request.batch_size for request, _ in answered] or model.batch_sizes)
    return (*(_asked(*pair) for pair in pairs), *unasked)


def _requests(source: Path, key: str, model: Model) -> tuple[list[Request], list[Check]]:
    """One request a batch size, and for the others why there is none."""
    meta = graphs.meta_graph(source, outline=True)
    sizes = inputs.batch_sizes(graphs.plain(meta.signature_def[key]), model.batch_sizes)
    others = [size for size in model.batch_sizes if size not in sizes]
    unasked = [_unasked(key, size, f"the model takes {sizes[0]} at a time") for size in others]
    folder = model.data.folder if model.data else None
    try:
        asked = [(size, sides) for size in sizes for sides in model.input_sizes or (None,)]
        return [inputs.request(meta, key, size, folder, sides) for size, sides in asked], unasked
    except inputs.NotInvented as reason:
        return [], [*(_unasked(key, size, str(reason)) for size in sizes), *unasked]


def _require_faultless(request: Request, answer: Answer) -> None:
    if answer.faults:
        raise BuildError(
            f"asked with a batch of {request.batch_size}, the version does not answer as the source model does: "
            f"{'; '.join(answer.faults)}; nothing was published, build it by another recipe"
        )


def _asked(request: Request, answer: Answer) -> Check:
    remark = f"the source model itself refuses {request.origin}: {answer.refusal}" if answer.refusal else None
    return Check(
        signature=request.signature,
        batch_size=request.batch_size,
        inputs=request.origin,
        outputs=answer.outputs,
        remark=remark,
    )


def _unasked(key: str, size: int, reason: str) -> Check:
    return Check(signature=key, batch_size=size, inputs="none", remark=reason)


def _write_warm_up(servable: Path, model: Model, answered: Sequence[Request]) -> None:
    """What both answered, as a refused record keeps the server from loading the version; the source's own stays."""
    path = servable / base_path.WARM_UP
    if answered and not path.exists():
        warm_up.write(answered, model.name, path)


def _write_batching(servable: Path, sizes: Sequence[int]) -> None:
    """How requests may be put together, unless the source says it itself."""
    path = servable / base_path.BATCHING
    if not path.exists():
        path.write_text(server_config.batching_parameters(sizes), encoding="utf-8")


def _divides(request: Request, answer: Answer) -> bool:
    """Whether a server could put such requests together, and take the answers apart again."""
    shapes = [array.shape for array in request.inputs.values()] + [each.shape for each in answer.outputs.values()]
    return all(shape[:1] == (request.batch_size,) for shape in shapes)
