"""One file a pass. A new one: write the file, register the function, name it here."""

from converters.passes import batched_nms, copy, freeze, graph_transforms, remove_colocation, vectorize_preprocessing

__all__ = ["batched_nms", "copy", "freeze", "graph_transforms", "remove_colocation", "vectorize_preprocessing"]
