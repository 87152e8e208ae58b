"""One file a pass. A new one: write the file, register the function, name it here."""

from converters.passes import (
    batched_nms,
    copy,
    fix_input_size,
    fold_norms,
    freeze,
    graph_transforms,
    limit_candidates,
    quantize_nodes_calibrated,
    quantize_weights_per_channel,
    remove_colocation,
    remove_control_inputs,
    remove_identities,
    static_shapes,
    tf_trt,
    vectorize_preprocessing,
)

__all__ = [
    "batched_nms",
    "copy",
    "fix_input_size",
    "fold_norms",
    "freeze",
    "graph_transforms",
    "limit_candidates",
    "quantize_nodes_calibrated",
    "quantize_weights_per_channel",
    "remove_colocation",
    "remove_control_inputs",
    "remove_identities",
    "static_shapes",
    "tf_trt",
    "vectorize_preprocessing",
]
