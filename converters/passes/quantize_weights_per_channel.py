"""8-bit weights that cost nothing per request: TensorFlow widens them once, when it loads the graph.

It computes an operation over constants ahead only where the result is under 100 KiB or no larger than what it is made
from. Widening is the one step here whose result is larger, so it happens in pieces below that limit. Weights that are
widened in one piece stay computed, and oneDNN, which keeps its own order of constant weights between requests, then
orders them anew in each of them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.layers import Layer, layers
from converters.registry import on_graphs, register

# of 4 bytes each once they are widened: 96 KiB
PIECE: Final = 24 * 1024
# below, there is little to win and the pieces' own descriptions eat it up
MINIMUM: Final = 1024


@register("quantize_weights_per_channel")
@on_graphs
def quantize_weights_per_channel(graph: Graph) -> Graph:
    """Store large weights in 8 bits, one scale a channel, so that a server widens them once as it loads them."""
    edit = Edit(graph)
    # layers that share their weights share their scales
    for layer in {layer.weights: layer for layer in layers(edit)}.values():
        weights = edit.constant(layer.weights)
        if weights is not None and weights.dtype == np.float32 and weights.size >= MINIMUM:
            _store(edit, layer, weights)
    return edit.done()


def _store(edit: Edit, layer: Layer, weights: Any) -> None:
    name = layer.weights
    whole, scales = layer.quantized(weights)
    pieces = np.split(whole.reshape(-1), range(PIECE, whole.size, PIECE))
    wide = [_widened(edit, f"{name}/{number}", piece) for number, piece in enumerate(pieces)]
    flat = wide[0] if len(wide) == 1 else _concatenated(edit, name, wide)
    shape = edit.add_constant(f"{name}/shape", np.array(weights.shape, np.int32))
    shaped = edit.add("Reshape", f"{name}/shaped", [flat, shape], T=tf.float32, Tshape=tf.int32)
    edit.replace(name, "Mul", [shaped, edit.add_constant(f"{name}/scales", scales)], T=tf.float32)


def _widened(edit: Edit, name: str, piece: Any) -> str:
    stored = edit.add_constant(f"{name}/int8", piece)
    return edit.add("Cast", f"{name}/float", [stored], SrcT=tf.int8, DstT=tf.float32)


def _concatenated(edit: Edit, name: str, wide: list[str]) -> str:
    axis = edit.add_constant(f"{name}/axis", np.int32(0))
    return edit.add("ConcatV2", f"{name}/flat", [*wide, axis], N=len(wide), T=tf.float32, Tidx=tf.int32)
