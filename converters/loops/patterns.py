"""Find structures in a graph by how operations are wired, whatever their names: above all loops over the batch."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

from converters.graphs import Graph, node_name

_UNCHANGED: Final = {"Identity", "Enter", "StopGradient", "EnsureShape"}
# operations that give one row of what was put into a loop, stack rows into what comes out, and put one row there
_READS: Final = {"TensorArrayReadV3", "TensorListGetItem"}
_STACKS: Final = {"TensorArrayGatherV3", "TensorListStack"}
_WRITES: Final = {"TensorArrayWriteV3": (2, 3), "TensorListSetItem": (2, 0)}  # where the row and the rows before are
_FILLS: Final = {"TensorArrayScatterV3": 2, "TensorListFromTensor": 0}  # where the stacked rows are
_TYPES: Final = ("dtype", "element_dtype", "T")  # where those that stack say what of


def tensor(name: str) -> str:
    """A node's input or a tensor in the one spelling that is compared: ``a`` for ``a:0``, ``a:1`` as it is."""
    return name[:-2] if name.endswith(":0") else name


def data_inputs(node: Any) -> list[str]:
    """What a node reads, without the inputs that only order it."""
    return [tensor(name) for name in node.input if not name.startswith("^")]


class Wiring:
    """Who reads whom in a graph."""

    def __init__(self, graph_def: Any) -> None:
        """Index a GraphDef, which must not change meanwhile."""
        self.nodes: dict[str, Any] = {node.name: node for node in graph_def.node}
        self._readers: dict[str, list[Any]] = defaultdict(list)
        for node in graph_def.node:
            for name in dict.fromkeys(data_inputs(node)):
                self._readers[name].append(node)

    def node(self, name: str) -> Any:
        """The operation that a tensor comes from."""
        return self.nodes[node_name(name)]

    def readers(self, name: str, *operations: str) -> list[Any]:
        """The operations that read a tensor, those of the named types where any are named."""
        return [node for node in self._readers[tensor(name)] if not operations or node.op in operations]

    def origin(self, name: str) -> str:
        """The tensor that an input is a copy of."""
        name = tensor(name)
        while self.node(name).op in _UNCHANGED:
            name = data_inputs(self.node(name))[0]
        return name

    def constant(self, name: str) -> Any:
        """The value of a tensor, None where it is no constant."""
        node = self.node(self.origin(name))
        return tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None

    def free(self, scope: str) -> str:
        """A name that no operation stands below: ``scope``, or it with a number."""
        taken = {name.partition("/")[0] for name in self.nodes}
        names = (f"{scope}_{number}" if number else scope for number in itertools.count())
        return next(name for name in names if name not in taken)

    def behind(self, names: Iterable[str], ends: Iterable[str] = ()) -> dict[str, Any]:
        """All operations that tensors depend on, not past the tensors in ``ends``, in an order that can run."""
        ends = set(ends)
        found: dict[str, Any] = {}
        seen: set[str] = set()
        todo = [(name, False) for name in map(tensor, names)]
        while todo:
            name, ready = todo.pop()
            node = self.node(name)
            if ready:
                found[node.name] = node
            elif name not in ends and node.name not in seen:
                seen.add(node.name)
                todo.append((name, True))
                todo += [(each, False) for each in data_inputs(node)]
        return found


@dataclass(frozen=True)
class MapLoop:
    """A while loop that does the same to each row of some tensors and stacks what comes out.

    Attributes:
        frame: the loop's name.
        elements: what is read in the loop, each with the tensor outside whose rows it reads.
        captures: other tensors in the loop that come from outside, each with that tensor.
        results: operations outside that stack what the loop computes, each with the tensor inside.
    """

    frame: str
    elements: Mapping[str, str]
    captures: Mapping[str, str]
    results: Mapping[str, str]

    def body(self, wiring: Wiring) -> dict[str, Any]:
        """What is computed for one row, in an order that can run."""
        return wiring.behind(self.results.values(), {*self.elements, *self.captures})


def live(wiring: Wiring, loops: Sequence[MapLoop], outputs: Iterable[str]) -> list[MapLoop]:
    """The loops that outputs depend on, with only those results that they need."""
    wanted = wiring.behind(outputs)
    needed = ({name: inside for name, inside in loop.results.items() if name in wanted} for loop in loops)
    return [replace(loop, results=results) for loop, results in zip(loops, needed) if results]


def single_rounds(wiring: Wiring) -> list[MapLoop]:
    """What TensorFlow writes instead of a loop for a batch of one: its row is taken out, and what is made put back."""
    rows = {node.name: data_inputs(node)[0] for node in wiring.nodes.values() if _takes_out(node)}
    loops: list[MapLoop] = []
    inner: set[str] = set()
    for node in wiring.nodes.values():
        if node.op == "Pack" and node.attr["N"].i == 1 and node.attr["axis"].i == 0:
            (inside,) = data_inputs(node)
            behind = wiring.behind([inside], rows)
            read = {name for each in behind.values() for name in data_inputs(each)} & set(rows)
            if read and not any(each.op == "Placeholder" for each in behind.values()):
                loops.append(MapLoop(node.name, {name: rows[name] for name in read}, {}, {node.name: inside}))
                inner |= behind.keys()
    return _joined(loop for loop in loops if inner.isdisjoint(loop.results))


def _takes_out(node: Any) -> bool:
    return bool(node.op == "Unpack" and node.attr["num"].i == 1 and node.attr["axis"].i == 0)


def _joined(loops: Iterable[MapLoop]) -> list[MapLoop]:
    """Loops over the same rows as one."""
    joined: list[MapLoop] = []
    for loop in loops:
        same = [each for each in joined if not each.elements.keys().isdisjoint(loop.elements)]
        joined = [each for each in joined if each not in same]
        elements, results = dict(loop.elements), dict(loop.results)
        for each in same:
            elements |= each.elements
            results |= each.results
        joined.append(MapLoop(loop.frame, elements, {}, results))
    return joined


@dataclass(frozen=True)
class _Variable:
    """One value that a loop hands from round to round."""

    inside: str
    initial: str
    following: str
    exit: Any


def map_loops(wiring: Wiring) -> list[MapLoop]:
    """The loops of a graph that only map rows: no round sees anything of another but its number."""
    frames = defaultdict(list)
    for node in wiring.nodes.values():
        if node.op == "Enter":
            frames[node.attr["frame_name"].s.decode()].append(node)
    found = (_map_loop(wiring, frame, enters) for frame, enters in frames.items())
    return [loop for loop in found if loop]


def _map_loop(wiring: Wiring, frame: str, enters: list[Any]) -> MapLoop | None:
    variables = list(_variables(wiring, enters))
    captures = {each.name: data_inputs(each)[0] for each in enters if each.attr["is_constant"].b}
    captures |= {each.inside: each.initial for each in variables if wiring.origin(each.following) == each.inside}
    counters = {each.inside for each in variables if _counts(wiring, each)}
    results = {}
    for each in variables:
        if each.inside in counters or each.inside in captures:
            continue
        written = _written(wiring, each, counters)
        if written is None:
            return None  # something else is handed from round to round
        results.update({stack.name: written for stack in _stacks(wiring, each)})
    elements = dict(_elements(wiring, captures, counters))
    loop = MapLoop(frame, elements, captures, results)
    return loop if elements and results and not _sees_rounds(wiring, loop, variables) else None


def _variables(wiring: Wiring, enters: Iterable[Any]) -> Iterator[_Variable]:
    for enter in enters:
        for merge in wiring.readers(enter.name, "Merge"):
            following = wiring.node(data_inputs(merge)[1])
            for switch in wiring.readers(merge.name, "Switch"):
                exits = wiring.readers(switch.name, "Exit")
                initial, back = data_inputs(enter)[0], data_inputs(following)[0]
                yield _Variable(f"{switch.name}:1", initial, back, exits[0] if exits else None)


def _counts(wiring: Wiring, variable: _Variable) -> bool:
    """Whether a variable is the number of the round: from 0 in steps of 1."""
    step = wiring.node(wiring.origin(variable.following))
    if step.op not in ("Add", "AddV2") or wiring.constant(variable.initial) != 0:
        return False
    one, other = data_inputs(step)
    return (wiring.origin(one), wiring.constant(other)) == (variable.inside, 1)


def _written(wiring: Wiring, variable: _Variable, counters: set[str]) -> str | None:
    """The row that a round adds to the rows before, at its own number; None where it does anything else."""
    write = wiring.node(wiring.origin(variable.following))
    if write.op not in _WRITES:
        return None
    inputs = data_inputs(write)
    row, before = (inputs[place] for place in _WRITES[write.op])
    in_place = wiring.origin(before) == variable.inside and wiring.origin(inputs[1]) in counters
    return row if in_place else None


def _stacks(wiring: Wiring, variable: _Variable) -> list[Any]:
    return wiring.readers(variable.exit.name, *_STACKS) if variable.exit else []


def _elements(wiring: Wiring, captures: Mapping[str, str], counters: set[str]) -> Iterator[tuple[str, str]]:
    for node in wiring.nodes.values():
        if node.op not in _READS:
            continue
        # a TensorArray's contents are where its flow comes from, which is the last input
        handle, index, last = data_inputs(node)
        rows = _entered(wiring, captures, last if node.op == "TensorArrayReadV3" else handle)
        if rows and wiring.origin(index) in counters and wiring.node(rows).op in _FILLS:
            fill = wiring.node(rows)
            yield node.name, data_inputs(fill)[_FILLS[fill.op]]


def _entered(wiring: Wiring, captures: Mapping[str, str], name: str) -> str | None:
    """The tensor outside the loop that a tensor inside is a copy of."""
    while True:
        if name in captures:
            return wiring.origin(captures[name])
        if wiring.node(name).op not in _UNCHANGED:
            return None
        name = data_inputs(wiring.node(name))[0]


def _sees_rounds(wiring: Wiring, loop: MapLoop, variables: Iterable[_Variable]) -> bool:
    """Whether what is computed for a row depends on its number or on the rows before."""
    handed_on = {node_name(each.inside) for each in variables if each.inside not in loop.captures}
    return not handed_on.isdisjoint(loop.body(wiring))


def below(scope: str, graph_def: Any, given: Mapping[str, str]) -> list[Any]:
    """The operations of a small graph, named below ``scope``, reading the given tensors for its placeholders."""
    nodes = []
    for node in graph_def.node:
        if node.name in given:
            continue
        moved = NodeDef()
        moved.CopyFrom(node)
        moved.name = f"{scope}/{node.name}"
        moved.input[:] = [given.get(tensor(name)) or _below(scope, name) for name in node.input]
        nodes.append(moved)
    return nodes


def _below(scope: str, name: str) -> str:
    return f"^{scope}/{name[1:]}" if name.startswith("^") else f"{scope}/{name}"


def spliced(graph: Graph, added: Iterable[Any], replaced: Mapping[str, str]) -> Graph:
    """A graph with further operations, in which others become copies of tensors, without what nothing needs then.

    Args:
        graph: the graph, which is not changed.
        added: NodeDefs.
        replaced: operations of one output, each with the tensor that it is from now on.
    """
    nodes = {node.name: node for node in [*graph.graph_def.node, *added]}
    for name, source in replaced.items():
        kind = next(nodes[name].attr[key].type for key in _TYPES if key in nodes[name].attr)
        nodes[name] = NodeDef(name=name, op="Identity", input=[source])
        nodes[name].attr["T"].type = kind
    needed = _needed(nodes, graph.ends)
    kept = GraphDef(versions=graph.graph_def.versions, library=graph.graph_def.library)
    kept.node.extend(node for name, node in nodes.items() if name in needed)
    return graph.with_graph(kept)


def _needed(nodes: Mapping[str, Any], ends: Iterable[str]) -> set[str]:
    found: set[str] = set()
    todo = [node_name(name) for name in ends]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += map(node_name, nodes[name].input)
    return found
