"""Batch norms cost time and stand between a layer and its activation; with constants, they are only other weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from converters.graph_edits import Edit, attribute
from converters.graphs import Graph
from converters.layers import Layer, data_format, layers
from converters.registry import on_graphs, register
from model_config.errors import BuildError

KEEP, COPY = "keep", "copy"


@register("fold_norms")
@on_graphs
def fold_norms(graph: Graph, *, shared_weights: str = KEEP) -> Graph:
    """Multiply batch norms of every kind, and what else scales and shifts by constants, into the weights before them.

    Args:
        graph: its constants should be folded before, as batch norms that are computed are not recognized.
        shared_weights: where layers share weights but not norms, ``keep`` leaves the norms, ``copy`` gives each
            layer weights of its own, which takes more room.
    """
    if shared_weights not in (KEEP, COPY):
        raise BuildError(f"fold_norms knows shared_weights={KEEP} and {COPY}, not {shared_weights!r}; correct the step")
    edit = Edit(graph)
    for layer in layers(edit):
        steps = list(_affine_steps(edit, layer))
        plain = all(step.node.op == "BiasAdd" for step in steps) and len(steps) < 2
        if not plain and (shared_weights == COPY or _alone(edit, layer, steps)):
            _fold(edit, layer, steps)
    return edit.done()


@dataclass(frozen=True)
class _Affine:
    """An operation that gives ``scale`` times its input plus ``shift``, channel by channel."""

    node: Any
    scale: Any
    shift: Any


def _alone(edit: Edit, layer: Layer, steps: list[_Affine]) -> bool:
    """The weights may change without harm to others; or they need not change."""
    return _readers_of_constant(edit, layer.weights) == 1 or all((step.scale == 1).all() for step in steps)


def _readers_of_constant(edit: Edit, name: str) -> int:
    return sum(
        _readers_of_constant(edit, reader.name) if reader.op == "Identity" else 1 for reader in edit.readers[name]
    )


def _affine_steps(edit: Edit, layer: Layer) -> Iterator[_Affine]:
    """What follows a layer and could be part of it, up to the first operation that could not."""
    last = layer.node
    while True:
        node = edit.only_reader(last)
        step = None if node is None else _affine(edit, layer, node, last.name)
        if step is None:
            return
        yield step
        last = step.node


def _affine(edit: Edit, layer: Layer, node: Any, source: str) -> _Affine | None:
    """How ``node`` scales and shifts what it reads from ``source``; None where that is not constant."""
    if node.op in _ELEMENTWISE:
        found = _elementwise(edit, layer, node, source)
    elif node.op in _CHANNELWISE:
        found = _channelwise(edit, layer, node, source)
    else:
        return None
    if found is None:
        return None
    scale, shift = (np.broadcast_to(each, layer.channels) for each in found)
    return _Affine(node, scale, shift)


def _elementwise(edit: Edit, layer: Layer, node: Any, source: str) -> tuple[Any, Any] | None:
    inputs = list(node.input)
    if len(inputs) != 2 or inputs.count(source) != 1:
        return None
    value = edit.constant(inputs[1 - inputs.index(source)])
    factors = None if value is None else layer.per_channel(value.astype(np.float64))
    return None if factors is None else _ELEMENTWISE[node.op](inputs[0] == source, factors)


def _channelwise(edit: Edit, layer: Layer, node: Any, source: str) -> tuple[Any, Any] | None:
    values = [edit.constant(name) for name in node.input if name != source]
    known = [value.astype(np.float64) for value in values if value is not None and value.shape == (layer.channels,)]
    alike = data_format(node) == layer.data_format
    if node.input[0] != source or len(known) != len(node.input) - 1 or not alike or not edit.only_first_output(node):
        return None
    return _CHANNELWISE[node.op](node, *known)


def _multiply(first: bool, value: Any) -> tuple[Any, Any]:
    return value, 0.0


def _divide(first: bool, value: Any) -> tuple[Any, Any] | None:
    return (1 / value, 0.0) if first and value.all() else None


def _add(first: bool, value: Any) -> tuple[Any, Any]:
    return 1.0, value


def _subtract(first: bool, value: Any) -> tuple[Any, Any]:
    return (1.0, -value) if first else (-1.0, value)


def _bias(node: Any, value: Any) -> tuple[Any, Any]:
    return 1.0, value


def _fused(node: Any, gamma: Any, beta: Any, mean: Any, variance: Any) -> tuple[Any, Any] | None:
    if attribute(node, "is_training", True).b:  # it then takes mean and variance from each batch
        return None
    scale = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-4).f)
    return scale, beta - mean * scale


def _global(node: Any, mean: Any, variance: Any, beta: Any, gamma: Any) -> tuple[Any, Any]:
    scale = 1 / np.sqrt(variance + node.attr["variance_epsilon"].f)
    if node.attr["scale_after_normalization"].b:
        scale = scale * gamma
    return scale, beta - mean * scale


# by one constant, broadcast: is it the second operand, and its value
_ELEMENTWISE: Final[Mapping[str, Callable[[bool, Any], tuple[Any, Any] | None]]] = MappingProxyType(
    {"Mul": _multiply, "RealDiv": _divide, "Add": _add, "AddV2": _add, "Sub": _subtract}
)

# by vectors of one number a channel, wherever the channels lie
_CHANNELWISE: Final[Mapping[str, Callable[..., tuple[Any, Any] | None]]] = MappingProxyType(
    {
        "BiasAdd": _bias,
        "FusedBatchNorm": _fused,
        "FusedBatchNormV2": _fused,
        "FusedBatchNormV3": _fused,
        "BatchNormWithGlobalNormalization": _global,
    }
)


def _fold(edit: Edit, layer: Layer, steps: list[_Affine]) -> None:
    scale, shift = np.ones(layer.channels), np.zeros(layer.channels)
    for step in steps:
        scale, shift = scale * step.scale, shift * step.scale + step.shift
    weights: Any = edit.constant(layer.weights)
    bias = edit.add_constant(f"{layer.node.name}/folded_bias", shift.astype(weights.dtype))
    if (scale != 1).any():
        folded = (weights * scale.reshape(layer.channel_shape)).astype(weights.dtype)
        layer.node.input[1] = edit.add_constant(f"{layer.node.name}/folded_weights", folded)
    inputs, dtype = [layer.node.name, bias], layer.node.attr["T"]
    edit.replace(steps[-1].node.name, "BiasAdd", inputs, T=dtype, data_format=layer.data_format)
