"""One contract for every pass: same signature, same answers, source untouched, a second run changes nothing."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from converters import graphs, recipes, registry, sessions
from converters.sources import Source
from model_config.errors import BuildError, UnknownName
from model_config.models import Model

# what a pass needs to be told, and what it claims to be gone afterwards
ARGUMENTS = {
    "fold_constants": {"ignore_errors": "true"},
    "insert_logging": {"op": "Relu"},
    "remove_attribute": {"attribute_name": "_class"},
    "remove_nodes": {"op": "Identity"},
    "rename_attribute": {"old_attribute_name": "_class", "new_attribute_name": "_wish"},
    "rename_node": {"old_node_name": "absent", "new_node_name": "renamed"},
    "rename_op": {"old_op_name": "Relu", "new_op_name": "Relu6"},
    "set_device": {"device": "/cpu:0"},
    "tf_trt": {"precision": "FP32", "batch_sizes": "1,2,3,4", "minimum_inside": "0"},
}
REMOVES = {
    "freeze": {"VarHandleOp", "ReadVariableOp"},
    "backport_concatv2": {"ConcatV2"},
    "freeze_requantization_ranges": {"RequantizationRange"},
    "rename_op": {"Relu"},
}
# how far answers may move: 8-bit weights cost a little, everything else nothing but rounding
TOLERANCES = {
    "quantize_nodes": 0.1,
    "quantize_nodes_calibrated": 0.05,
    "quantize_weights": 0.05,
    "quantize_weights_per_channel": 0.05,
    "round_weights": 0.05,
}
# what has to have been there before, and what cannot be run on its own result
AFTER = {
    "quantize_nodes": ("quantize_weights",),
    "freeze_requantization_ranges": ("quantize_weights", "quantize_nodes"),
}
ONCE = {"freeze_requantization_ranges", "insert_logging", "quantize_nodes", "tf_trt"}
ON_A_GPU = {"tf_trt"}
CALIBRATED = {"quantize_nodes_calibrated"}
ON_ANY_MODEL = {"copy", "freeze"}


@pytest.fixture(scope="module")
def sources(saved_model, frozen_graph, tmp_path_factory):
    """The model as it came, and as the graph passes get it."""
    folder = tmp_path_factory.mktemp("passes")
    names = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
    Source(frozen_graph, "frozen_graph", outputs=names).load(folder / "frozen")
    registry.find("freeze")(saved_model, folder / "inlined")
    return {"saved_model": saved_model, "frozen": folder / "frozen", "inlined": folder / "inlined"}


@pytest.fixture
def calibration(pictures, tmp_path):
    np.save(tmp_path / "pictures.npy", np.stack(pictures))
    return tmp_path / "pictures.npy"


def cases():
    for name in registry.passes():
        for kind in ("saved_model", "frozen", "inlined"):
            if kind != "saved_model" or name in ON_ANY_MODEL:
                marks = [pytest.mark.gpu] if name in ON_A_GPU else []
                yield pytest.param(name, kind, id=f"{name}-{kind}", marks=marks)


def apply(name, source, target, calibration=None):
    data = {"calibration": str(calibration)} if name in CALIBRATED else {}
    if name == "freeze_requantization_ranges":
        data["min_max_log_file"] = str(ranges(source, np.load(calibration), target.with_suffix(".log")))
    registry.find(name)(source, target, **ARGUMENTS.get(name, {}), **data)
    return target


def ranges(source, pictures, log):
    """The ranges of 8-bit values for these pictures, as insert_logging prints them."""
    with sessions.session(source) as session:
        (given,) = (info.name for info in graphs.signature_def(graphs.meta_graph(source))[1].inputs.values())
        found = [each for each in session.graph.get_operations() if each.type == "RequantizationRange"]
        values = session.run([each.outputs for each in found], {given: pictures})
    lines = (f";{each.name}__print__;__requant_min_max:[{low}][{high}]\n" for each, (low, high) in zip(found, values))
    log.write_text("".join(lines))
    return log


def fingerprint(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def answers(folder, pictures):
    loaded = tf.saved_model.load(str(folder))
    function = loaded.signatures["serving_default"]
    (name,) = function.structured_input_signature[1]
    return {key: value.numpy() for key, value in function(**{name: tf.constant(np.stack(pictures))}).items()}


def operation_types(folder):
    graph_def = graphs.meta_graph(folder).graph_def
    inside = [node for function in graph_def.library.function for node in function.node_def]
    return {node.op for node in [*graph_def.node, *inside]}


@pytest.mark.parametrize(("name", "kind"), list(cases()))
def test_a_pass_keeps_its_contract(name, kind, sources, pictures, calibration, tmp_path):
    source = sources[kind]
    for earlier in AFTER.get(name, ()):
        source = apply(earlier, source, tmp_path / earlier)
    before = fingerprint(source)

    once = apply(name, source, tmp_path / "once", calibration)
    twice = once if name in ONCE else apply(name, once, tmp_path / "twice", calibration)

    assert fingerprint(source) == before
    assert graphs.signatures(once) == graphs.signatures(source)
    assert not operation_types(once) & REMOVES.get(name, set())
    assert graphs.operations(twice) == graphs.operations(once)
    wanted, got = answers(source, pictures), answers(once, pictures)
    assert wanted.keys() == got.keys()
    for output in wanted:
        assert wanted[output].shape == got[output].shape
        assert np.isfinite(got[output]).all()
    tolerance = TOLERANCES.get(name, 1e-5)
    np.testing.assert_allclose(got["detection_scores"], wanted["detection_scores"], atol=tolerance)


@pytest.mark.parametrize("name", sorted(registry.passes()))
def test_a_pass_says_what_it_does_in_one_line(name):
    assert registry.line(registry.find(name)).endswith(".")


def test_an_unknown_pass_shows_the_near_miss():
    with pytest.raises(UnknownName, match="did you mean 'fold_constants'"):
        registry.find("fold_constant")


def test_two_passes_of_one_name_are_a_defect():
    with pytest.raises(ValueError, match="two passes are called 'copy'"):
        registry.register("copy")(lambda source, target: None)


def test_what_the_tool_refuses_is_named(sources, tmp_path):
    with pytest.raises(BuildError, match=r"graph transform remove_nodes\(\) failed"):
        registry.find("remove_nodes")(sources["frozen"], tmp_path / "out")


def test_an_argument_that_a_transform_takes_several_times_is_a_list_in_models_yaml(sources, tmp_path):
    steps = [{"remove_nodes": {"op": ["Relu", "Identity"]}}]
    told = Model.model_validate({"name": "m", "recipes": {"bare": steps}, "versions": {8: "bare"}})
    (step,) = recipes.of(told, 8).steps
    registry.find(step.name)(sources["frozen"], tmp_path / "done", **step.params)
    before, after = (
        Counter(node.op for node in graphs.read(folder).graph_def.node)
        for folder in (sources["frozen"], tmp_path / "done")
    )

    assert before["Relu"] > after["Relu"] == 0
    assert before["Identity"] > after["Identity"]


def test_ranges_that_were_logged_can_be_frozen(sources, pictures, tmp_path, capfd):
    """The tool's own way to ranges that are known before a request."""
    shown, log = {"op": "RequantizationRange", "show_name": "true", "message": "__requant_min_max:"}, tmp_path / "log"
    folder = sources["frozen"]
    for name, arguments in (("quantize_weights", {}), ("quantize_nodes", {}), ("insert_logging", shown)):
        registry.find(name)(folder, tmp_path / name, **arguments)
        folder = tmp_path / name
    answers(folder, pictures)
    log.write_text(capfd.readouterr().err)
    registry.find("freeze_requantization_ranges")(
        tmp_path / "quantize_nodes", tmp_path / "frozen", min_max_log_file=str(log)
    )

    assert "RequantizationRange" in operation_types(tmp_path / "quantize_nodes")
    assert "RequantizationRange" not in operation_types(tmp_path / "frozen")


def test_folding_takes_the_batch_norm_into_the_weights(sources, tmp_path):
    folded = apply("fold_batch_norms", apply("fold_constants", sources["inlined"], tmp_path / "a"), tmp_path / "b")

    convolution = next(n for n in graphs.meta_graph(folded).graph_def.node if n.op == "Conv2D")
    readers = [n.op for n in graphs.meta_graph(folded).graph_def.node if convolution.name in n.input]
    assert "Mul" not in readers


def test_colocation_wishes_are_gone(sources, tmp_path):
    meta = graphs.meta_graph(sources["frozen"])
    meta.graph_def.node[-1].attr["_class"].list.s.append(b"loc:@image_tensor")
    graph = graphs.Graph(meta.graph_def, *graphs.signature_def(meta))
    graphs.write(graph, tmp_path / "wishes")

    cleaned = apply("remove_colocation", tmp_path / "wishes", tmp_path / "cleaned")

    assert any("_class" in node.attr for node in graphs.meta_graph(tmp_path / "wishes").graph_def.node)
    assert not any("_class" in node.attr for node in graphs.meta_graph(cleaned).graph_def.node)
