"""Functions of TensorFlow 2 opened up, so that all they compute stands in one graph under names of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.grappler import tf_optimizer

# where TensorFlow's optimizers look for what must stay as it is
_KEPT = "train_op"


def inlined(graph_def: Any, kept: Iterable[str]) -> Any:
    """The graph without calls of functions; loops and branches are those of TensorFlow 1.

    Args:
        graph_def: calls in it are opened, in place where that is possible.
        kept: tensors and operations that must stay under their names.
    """
    for function in graph_def.library.function:
        function.attr.pop("api_implements", None)  # a choice between kernels, which keeps functions closed
    meta = MetaGraphDef(graph_def=graph_def)
    meta.collection_def[_KEPT].node_list.value.extend(kept)
    config = ConfigProto()
    rewrites = config.graph_options.rewrite_options
    rewrites.min_graph_nodes = -1  # small graphs too
    rewrites.optimizers.append("function")
    # also where not all of a function's results are read; what looks up and what fills a table can be told apart here
    rewrites.function_optimization = RewriterConfig.AGGRESSIVE
    return tf_optimizer.OptimizeGraph(config, meta)
