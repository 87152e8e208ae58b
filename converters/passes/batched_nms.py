"""The loop over pictures and classes around NonMaxSuppression, which detectors spend half of their time in."""

from __future__ import annotations

from typing import Final

from converters.graphs import Graph
from converters.loops.detector_loops import DetectorLoop, Unlike
from converters.loops.explanation import explain
from converters.loops.patterns import MapLoop, Wiring, below, live, map_loops, single_rounds, spliced
from converters.registry import on_graphs, register
from converters.remarks import remark
from model_config.errors import BuildError

DEVICES: Final = ("cpu", "engine")


@register("batched_nms")
@on_graphs
def batched_nms(graph: Graph, candidates: str = "400", device: str = "cpu") -> Graph:
    """Suppress overlapping boxes of all pictures and classes in one operation instead of a loop.

    Args:
        graph: as it was frozen, as other passes may take the loop apart.
        candidates: how many anchors are looked at, those with the best scores.
        device: ``engine`` for operations that TensorRT takes, ``cpu`` for those that are fast on processors.
    """
    if device not in DEVICES:
        raise BuildError(f"batched_nms is for one device of {', '.join(DEVICES)}, not for {device!r}")
    if not candidates.isdigit() or not int(candidates):
        raise BuildError(f"batched_nms takes the best anchors, as many as candidates says, not {candidates!r}")
    wiring = Wiring(graph.graph_def)
    loops = live(wiring, map_loops(wiring) + single_rounds(wiring), graph.output_tensors)
    loops = [loop for loop in loops if DetectorLoop(wiring, loop).suppressions]
    if not loops:
        remark("no loop over pictures with NonMaxSuppression in it was recognised; the graph stays as it was")
    for loop in loops:
        try:
            graph = _rewritten(graph, loop, int(candidates), device)
        except Unlike as why:
            remark(f"NonMaxSuppression in {loop.frame} stays a loop: {why}")
    return graph


def _rewritten(graph: Graph, loop: MapLoop, candidates: int, device: str) -> Graph:
    wiring = Wiring(graph.graph_def)
    detector = DetectorLoop(wiring, loop)
    found = explain(graph, detector, candidates, engine=device == "engine")
    scope = wiring.free("batched_nms")
    made = below(scope, found.graph.as_graph_def(), found.given)
    remark(f"{len(detector.suppressions)} times NonMaxSuppression became one CombinedNonMaxSuppression: {found.rule}")
    return spliced(graph, made, {name: f"{scope}/{role}" for name, role in zip(loop.results, found.roles)})
