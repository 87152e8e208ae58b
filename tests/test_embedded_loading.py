"""What is wrong with a version's folder or with a file that a flag names is told in one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tiny
from google.protobuf import text_format
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from model_config.server_messages_pb2 import SSLConfig
from serving.conformance import certificates
from serving.embedded import batching_parameters, files, load_settings, ssl_files
from serving.embedded.batching_parameters import Batching
from serving.embedded.flags import Flags
from serving.embedded.loading import Loading
from serving.embedded.metrics import Metrics
from serving.embedded.refusals import Refusal


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.save_dense(tmp_path_factory.mktemp("dense") / "1")


@pytest.fixture
def folder(whole, tmp_path):
    """A copy that a test may damage."""
    return Path(shutil.copytree(whole, tmp_path / "1"))


def with_unknown_op(folder: Path) -> None:
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    saved.meta_graphs[0].graph_def.node.add(name="odd", op="NoSuchOp")
    path.write_bytes(saved.SerializeToString())


def half_copied(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "nothing in it": (shutil.rmtree, "NOT_FOUND", "Could not find SavedModel .pb or .pbtxt"),
    "half a graph": (lambda folder: half_copied(folder / "saved_model.pb"), "OUT_OF_RANGE", "Read less bytes"),
    "half the weights": (
        lambda folder: half_copied(next(folder.glob("variables/*.data*"))),
        "OUT_OF_RANGE",
        "Read less bytes",
    ),
    "an operation that this TensorFlow lacks": (with_unknown_op, "NOT_FOUND", "Op type not registered 'NoSuchOp'"),
    "warm-up records that are none": (
        lambda folder: (
            (folder / "assets.extra").mkdir()
            or (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"no records" * 10)
        ),
        "DATA_LOSS",
        "corrupted|truncated",
    ),
    "batching parameters that are none": (
        lambda folder: (folder / "batching_params.pbtxt").write_text("max_batch_syze: 3"),
        "INVALID_ARGUMENT",
        "Invalid protobuf file",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_version_is_refused_with_a_code_and_a_sentence(folder, damage):
    spoil, code, text = DAMAGES[damage]
    spoil(folder)
    loading = Loading(Metrics(), batching=Batching(), batching_of_versions=True)
    with pytest.raises(Refusal, match=text) as caught:
        loading.load("dense", folder)

    assert caught.value.code.name == code
    assert "\n" not in caught.value.sentence


def test_an_operation_that_is_lacking_is_not_to_be_built_again(folder):
    with_unknown_op(folder)
    with pytest.raises(Refusal) as caught:
        Loading(Metrics()).load("dense", folder)

    assert "where its custom operations are registered" in caught.value.sentence


def test_another_tag_is_refused(folder):
    with pytest.raises(Refusal, match=r"supplied tags: \{ gpu \}"):
        Loading(Metrics(), tags=("gpu",)).load("dense", folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_size { value: 0 }", "must be positive"),
        ("allowed_batch_sizes: 4 allowed_batch_sizes: 2", "monotonically increasing"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "must match max_batch_size"),
        ("max_batch_size: 8", "Invalid protobuf file"),
    ],
)
def test_wrong_batching_parameters_are_refused(tmp_path, text, words):
    path = tmp_path / "batching.config"
    path.write_text(text)
    with pytest.raises(Refusal, match=words):
        batching_parameters.read(path)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(Refusal, match="No such file"):
        files.read(tmp_path / "no", config_pb2.ConfigProto())
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(Refusal, match="Invalid protobuf file"):
        files.read(tmp_path / "bytes", config_pb2.ConfigProto())


ADAPTER = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"


def platform_config(path: Path, platform: str, settings: str) -> Flags:
    adapter = f"source_adapter_config {{ [{ADAPTER}] {{ legacy_config {{ {settings} }} }} }}"
    path.write_text(f'platform_configs {{ key: "{platform}" value {{ {adapter} }} }}')
    return Flags(platform_config_file=path, enable_batching=True, max_num_load_retries=1)


def test_a_platform_config_takes_the_place_of_the_flags_for_loading(tmp_path):
    settings = "session_config { intra_op_parallelism_threads: 1 } enable_model_warmup: true"
    plain = load_settings.loading(platform_config(tmp_path / "plain", "tensorflow", settings), Metrics())
    size = "batching_parameters { max_batch_size { value: 4 } } saved_model_tags: 'gpu'"
    batched = load_settings.loading(platform_config(tmp_path / "batched", "tensorflow", size), Metrics())

    assert (plain.session_config.intra_op_parallelism_threads, plain.warm_up, plain.retries) == (1, True, 1)
    assert (plain.batching, plain.tags) == (None, ("serve",))
    assert batched.batching is not None
    assert (batched.batching.max_size, batched.tags, batched.warm_up) == (4, ("gpu",), False)


def test_a_platform_config_for_another_platform_is_refused(tmp_path):
    with pytest.raises(Refusal, match="for the platform tensorflow") as caught:
        load_settings.loading(platform_config(tmp_path / "config", "other", ""), Metrics())

    assert "platform_configs" in caught.value.remedy


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    certificates.make(folder)
    return folder


def ssl_config(keys: Path, path: Path, **names: str) -> Path:
    config = SSLConfig(**{field: (keys / name).read_text() for field, name in names.items()})
    path.write_text(text_format.MessageToString(config))
    return path


def test_keys_and_certificates_that_fit_are_taken(keys, tmp_path):
    config = ssl_config(keys, tmp_path / "ssl.config", server_key="server.key", server_cert="server.crt")

    assert ssl_files.credentials(config)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"server_key": "client.key", "server_cert": "server.crt"}, "cannot be used"),
        ({"server_key": "server.csr", "server_cert": "server.crt"}, "cannot be used"),
        ({"server_key": "server.key", "server_cert": "server.crt", "custom_ca": "ca.key"}, "cannot be used"),
        ({"server_key": "server.key"}, "has no server_cert"),
    ],
)
def test_keys_and_certificates_that_do_not_fit_are_refused(keys, tmp_path, names, words):
    with pytest.raises(Refusal, match=words) as caught:
        ssl_files.credentials(ssl_config(keys, tmp_path / "ssl.config", **names))

    assert caught.value.remedy


def test_demanding_client_certificates_without_an_authority_is_refused(keys, tmp_path):
    config = ssl_config(keys, tmp_path / "ssl.config", server_key="server.key", server_cert="server.crt")
    config.write_text(config.read_text() + "\nclient_verify: true")
    with pytest.raises(Refusal, match="no custom_ca"):
        ssl_files.credentials(config)
