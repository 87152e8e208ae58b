"""One file a pass. A new one: write the file, register the function, name it here."""

from converters.passes import copy, fold_norms, freeze, graph_transforms, remove_colocation

__all__ = ["copy", "fold_norms", "freeze", "graph_transforms", "remove_colocation"]
