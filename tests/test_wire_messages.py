"""Our messages are TensorFlow Serving's: same fields, same numbers, same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2, predict_pb2

from clients.client import predict_request
from clients.wire import serving_pb2 as wire

WIRE = Path(__file__).parents[1] / "clients" / "wire"
THEIRS = {
    "TensorShapeProto": tensor_shape_pb2.TensorShapeProto,
    "TensorProto": tensor_pb2.TensorProto,
    "ModelSpec": model_pb2.ModelSpec,
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "TensorInfo": meta_graph_pb2.TensorInfo,
    "MetaGraphDef": meta_graph_pb2.MetaGraphDef,
    "SavedModel": saved_model_pb2.SavedModel,
    "SignatureDef": meta_graph_pb2.SignatureDef,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    "GetModelMetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelMetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "StatusProto": type(get_model_status_pb2.ModelVersionStatus().status),
    "ModelVersionStatus": get_model_status_pb2.ModelVersionStatus,
    "GetModelStatusRequest": get_model_status_pb2.GetModelStatusRequest,
    "GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse,
}


def test_every_message_is_compared():
    assert set(wire.DESCRIPTOR.message_types_by_name) == set(THEIRS)


@pytest.mark.parametrize("name", THEIRS)
def test_fields_have_their_names_numbers_and_types(name):
    theirs = THEIRS[name].DESCRIPTOR.fields_by_number
    # an enum travels as an int32 does
    alike = {wire.StatusProto.DESCRIPTOR.fields_by_name["error_code"].full_name}
    for ours in wire.DESCRIPTOR.message_types_by_name[name].fields:
        same = theirs[ours.number]

        assert ours.name == same.name
        assert ours.label == same.label
        assert ours.type == same.type or ours.full_name in alike


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (wire.DataType, types_pb2.DataType),
        (wire.ModelVersionStatus.State, get_model_status_pb2.ModelVersionStatus.State),
    ],
)
def test_enums_have_their_names_and_numbers(ours, theirs):
    assert set(ours.items()) <= set(theirs.items())


NAMES = st.text(max_size=8)
ARRAYS = hnp.arrays(st.sampled_from([np.float32, np.uint8, np.int64]), hnp.array_shapes(min_side=0, max_side=3))
REQUESTS = st.builds(
    predict_request,
    NAMES,
    st.dictionaries(NAMES, ARRAYS, max_size=3),
    version=st.none() | st.integers(0, 2**62),
    signature=NAMES,
    outputs=st.lists(NAMES, max_size=3),
)


@given(REQUESTS)
@settings(max_examples=200)
def test_a_request_is_theirs_byte_for_byte_and_back(request):
    content = request.SerializeToString(deterministic=True)
    theirs = predict_pb2.PredictRequest.FromString(content)

    assert theirs.SerializeToString(deterministic=True) == content
    # as bytes, as NaN is not equal to itself
    assert wire.PredictRequest.FromString(theirs.SerializeToString()).SerializeToString(deterministic=True) == content


@given(REQUESTS)
@settings(max_examples=100)
def test_a_response_of_theirs_is_ours_byte_for_byte_and_back(request):
    theirs = predict_pb2.PredictResponse(
        model_spec=model_pb2.ModelSpec.FromString(request.model_spec.SerializeToString())
    )
    for name, proto in request.inputs.items():
        theirs.outputs[name].CopyFrom(tensor_pb2.TensorProto.FromString(proto.SerializeToString()))
    content = theirs.SerializeToString(deterministic=True)
    ours = wire.PredictResponse.FromString(content)

    assert ours.SerializeToString(deterministic=True) == content
    assert predict_pb2.PredictResponse.FromString(ours.SerializeToString()) == theirs


def test_the_compiled_code_is_up_to_date(tmp_path):
    command = [
        "-m",
        "grpc_tools.protoc",
        "-I",
        WIRE,
        f"--python_out={tmp_path}",
        f"--pyi_out={tmp_path}",
        "serving.proto",
    ]
    subprocess.run([sys.executable, *command], check=True)

    for name in ("serving_pb2.py", "serving_pb2.pyi"):
        assert (WIRE / name).read_text() == (tmp_path / name).read_text(), "run: make wire"
