"""A graph being rewritten: who reads what, constants in and out, new operations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.tensor_pb2 import TensorProto

from converters.graphs import Graph, imported, node_name, skeleton, without_values


class Edit:
    """One rewrite of a graph, which itself stays as it is, to another one.

    The values of large constants stay where they are until it is known which of them the result has.

    Attributes:
        graph_def: what is free to change; ``constant`` gives values, which it need not hold.
        nodes: its operations by name, new ones included.
        readers: which operations read an operation, as it was in the beginning.
        ends: the operations that are fed or fetched, whose names and values must stay.
    """

    def __init__(self, graph: Graph) -> None:
        """Start a rewrite of ``graph``."""
        self._graph = graph
        self.graph_def, self._left_out = without_values(graph.graph_def)
        self.ends = set(graph.ends)
        self.nodes: dict[str, Any] = {}
        self.readers: dict[str, list[Any]] = {}
        self._index()
        self._beginning = GraphDef()
        self._beginning.CopyFrom(self.graph_def)

    def _index(self) -> None:
        self.nodes = {node.name: node for node in self.graph_def.node}
        self.readers = defaultdict(list)
        for node in self.graph_def.node:
            node.input[:] = [name[:-2] if name.endswith(":0") else name for name in node.input]
            for name in node.input:
                self.readers[node_name(name)].append(node)

    def only_reader(self, node: Any) -> Any | None:
        """The one operation that reads this one; None where others do as well, users of the model included."""
        readers = self.readers[node.name]
        return readers[0] if len(readers) == 1 and node.name not in self.ends else None

    def only_first_output(self, node: Any) -> bool:
        """Nobody reads or fetches another output than the first."""
        others = f"{node.name}:"
        inputs = (name for reader in self.readers[node.name] for name in reader.input)
        fetched = (tensor for tensor in self._graph.output_tensors if not tensor.endswith(":0"))
        return not any(name.startswith(others) for name in (*inputs, *fetched))

    def constant_node(self, tensor: str) -> Any | None:
        """The Const that a tensor comes from, straight or through Identity; None where it is computed."""
        node = self.nodes.get(tensor)
        while node is not None and node.op == "Identity":
            node = self.nodes.get(node.input[0])
        # one with an input is held in a loop's frame or a branch, where a new constant would have to be as well
        return node if node is not None and node.op == "Const" and not node.input else None

    def constant(self, tensor: str) -> Any | None:
        """The value of a tensor that is constant; None where it is computed."""
        node = self.constant_node(tensor)
        if node is None:
            return None
        return tf.make_ndarray(self._left_out.get(node.name, node).attr["value"].tensor)

    def shape(self, tensor: str) -> Any:
        """A tensor's shape, as far as it is known before anything is fed."""
        return self._loaded.get_tensor_by_name(tensor if ":" in tensor else f"{tensor}:0").shape

    @cached_property
    def _loaded(self) -> Any:
        return imported(skeleton(self._graph.graph_def))

    def free_suffix(self, suffix: str) -> str:
        """The suffix, with a number where operations of the graph end in it already."""
        tried, number = suffix, 0
        while any(name.endswith(f"/{tried}") for name in self.nodes):
            number += 1
            tried = f"{suffix}_{number}"
        return tried

    def add(self, op: str, name: str, inputs: list[str], **attributes: Any) -> str:
        """Add an operation; its name, which ends in a number where that is needed to be new, is returned."""
        node = NodeDef(op=op, name=self._new(name), input=inputs)
        for key, value in attributes.items():
            node.attr[key].CopyFrom(_attribute(value))
        self.graph_def.node.append(node)
        self.nodes[node.name] = self.graph_def.node[-1]
        return str(node.name)

    def add_constant(self, name: str, value: Any, dtype: Any = None) -> str:
        """Add a Const, of the array's own type or of one that is stored alike."""
        tensor = tf.make_tensor_proto(value)
        if dtype is not None:
            tensor.dtype = dtype.as_datatype_enum
        return self.add("Const", name, [], dtype=tf.as_dtype(tensor.dtype), value=tensor)

    def replace(self, name: str, op: str, inputs: list[str], **attributes: Any) -> None:
        """Put another operation in the place of one, under its name, for all who read it."""
        node = self.nodes[name]
        self._left_out.pop(name, None)
        node.Clear()
        node.name, node.op = name, op
        node.input.extend(inputs)
        for key, value in attributes.items():
            node.attr[key].CopyFrom(_attribute(value))

    def again(self) -> None:
        """Go on from what the graph has become, as if that were the beginning."""
        self._bury()
        self._index()

    def done(self) -> Graph:
        """The rewritten graph, without the operations that lost their last reader."""
        self._bury()
        if self._is_unchanged():
            return self._graph
        for name, whole in self._left_out.items():
            self.nodes[name].attr["value"].CopyFrom(whole.attr["value"])
        return self._graph.with_graph(self.graph_def)

    def _is_unchanged(self) -> bool:
        # messages are compared as bytes, of which there need not be many
        light, large = without_values(self.graph_def)
        return bool(large.keys() == self._left_out.keys() and light == self._beginning)

    def _bury(self) -> None:
        dead = self._orphans()
        for place in reversed(range(len(self.graph_def.node))):
            if self.graph_def.node[place].name in dead:
                del self.graph_def.node[place]
        for name in dead:
            self._left_out.pop(name, None)

    def _orphans(self) -> set[str]:
        """What was read in the beginning and now is not, or only by other orphans."""
        was_read = {name for name, readers in self.readers.items() if readers} - self.ends
        dead: set[str] = set()
        while True:
            living = (node for node in self.graph_def.node if node.name not in dead)
            found = was_read - {node_name(name) for node in living for name in node.input}
            if found == dead:
                return dead
            dead = found

    def _new(self, name: str) -> str:
        tried, number = name, 0
        while tried in self.nodes:
            number += 1
            tried = f"{name}_{number}"
        return tried


def attribute(node: Any, key: str, default: Any = None) -> Any:
    """An operation's attribute, or its default where the graph was stripped of defaults."""
    # looking a missing attribute up would add it
    return node.attr[key] if key in node.attr else _attribute(default)


def _attribute(value: Any) -> Any:
    """A Python value as TensorFlow writes it into an operation."""
    if value is None:
        return AttrValue()
    if isinstance(value, AttrValue):
        return value
    if isinstance(value, (list, tuple)):
        return AttrValue(list=_list(value))
    if isinstance(value, tf.DType):
        return AttrValue(type=value.as_datatype_enum)
    key = next(key for kind, key in _ATTRIBUTES.items() if isinstance(value, kind))
    return AttrValue(**{key: value.encode() if isinstance(value, str) else value})


def _list(values: Sequence[Any]) -> Any:
    """Numbers, types or words."""
    if all(isinstance(each, tf.DType) for each in values):
        return AttrValue.ListValue(type=[each.as_datatype_enum for each in values])
    if all(isinstance(each, str) for each in values):
        return AttrValue.ListValue(s=[each.encode() for each in values])
    return AttrValue.ListValue(i=values)


# bool before int, which it is a kind of
_ATTRIBUTES: Final = {bool: "b", int: "i", float: "f", str: "s", bytes: "s", TensorProto: "tensor"}
