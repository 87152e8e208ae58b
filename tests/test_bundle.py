"""All that a server is started with: read back by the messages and tools that it is for."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys

import pytest
from command_line import run
from google.protobuf import text_format
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow_serving.apis import model_management_pb2, prediction_log_pb2
from tensorflow_serving.config import file_system_storage_path_source_pb2 as source_pb2
from tensorflow_serving.config import model_server_config_pb2

from model_config import base_path, bundle, files, server_config
from model_config import server_messages_pb2 as ours
from model_config.errors import SuiteError
from serving.embedded import flag_files_pb2

THEIRS = {
    "ServableVersionPolicy": source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy,
    "ModelConfig": model_server_config_pb2.ModelConfig,
    "ModelConfigList": model_server_config_pb2.ModelConfigList,
    "ModelServerConfig": model_server_config_pb2.ModelServerConfig,
    "ReloadConfigRequest": model_management_pb2.ReloadConfigRequest,
    "ReloadConfigResponse": model_management_pb2.ReloadConfigResponse,
    "ReloadStatus": type(model_management_pb2.ReloadConfigResponse().status),
    "PredictLog": prediction_log_pb2.PredictLog,
    "PredictionLog": prediction_log_pb2.PredictionLog,
}


def test_every_message_is_compared():
    # tensorflow-serving-api does not bring the last, which is written as text: the TLS tests read it back
    assert set(ours.DESCRIPTOR.message_types_by_name) == {*THEIRS, "SSLConfig"}


@pytest.mark.parametrize("name", THEIRS)
def test_fields_have_their_names_and_numbers(name):
    theirs = THEIRS[name].DESCRIPTOR.fields_by_number

    for field in ours.DESCRIPTOR.message_types_by_name[name].fields:
        same = theirs[field.number]
        assert (field.name, field.label) == (same.name, same.label)
        # a message travels as the bytes that it is, and an enum as a number
        assert field.type == same.type or {field.type, same.type} <= {11, 12} or {field.type, same.type} <= {5, 14}


@pytest.fixture
def versions(repository):
    return [base_path.require(repository, "tiny", number) for number in (1, 2)]


@pytest.fixture
def served(repository):
    return server_config.choose(repository, "tiny", [1, 2], {})


def test_labels_are_the_recipes_the_numbers_and_stable(served):
    assert served.labels == {"stable": 1, "1": 1, "original": 1, "2": 2, "quantized_weights": 2}


def test_without_choices_there_is_a_config_and_monitoring(served, versions):
    made = bundle.make([served], versions)

    assert set(made.files) == {"models.config", "monitoring.config"}
    monitoring = text_format.Parse(made.files["monitoring.config"], flag_files_pb2.MonitoringConfig())
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path == bundle.METRICS_PATH


def test_batches_have_the_sizes_that_all_versions_were_made_for(served, versions):
    made = bundle.make([served], versions, bundle.Choices(batching=True))
    batching = text_format.Parse(made.files["batching.config"], flag_files_pb2.BatchingParameters())

    assert list(batching.allowed_batch_sizes) == sorted(versions[0].manifest.batch_sizes)
    assert "--enable_batching=true" in made.flags("/bundle")
    assert "--batching_parameters_file=/bundle/batching.config" in made.flags("/bundle")


def test_bfloat16_is_a_session_config_that_tensorflow_reads(served, versions):
    made = bundle.make([served], versions, bundle.Choices(bfloat16=True))
    config = text_format.Parse(made.files["session.config"], ConfigProto())

    assert config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 == RewriterConfig.ON


def test_each_version_may_have_a_name_of_its_own(served):
    assert [(each.name, each.versions) for each in served.apart()] == [("tiny_v1", (1,)), ("tiny_v2", (2,))]
    assert {each.base_path for each in served.apart()} == {served.base_path}


def test_a_container_sees_the_base_path_elsewhere(served):
    assert served.below("/models").base_path == "/models/tiny"


def test_what_is_written_is_read_back(served, tmp_path):
    path = server_config.write([served, *served.apart()], tmp_path)

    assert server_config.read(path) == [served, *served.apart()]
    assert server_config.read(tmp_path / "nothing") == []


@pytest.mark.parametrize(
    "text", ["garbage {", 'model_config_list { config { name: "m" base_path: "/m" model_version_policy { all {} } } }']
)
def test_a_config_that_cannot_be_edited_says_what_to_do(text, tmp_path):
    path = tmp_path / "models.config"
    path.write_text(text)

    with pytest.raises(SuiteError, match="python -m model_config use"):
        server_config.read(path)


def test_use_leaves_other_models_and_replaces_its_own(repository, tmp_path):
    for model in ("tiny", "other"):
        (tmp_path / model).symlink_to((repository / "tiny").resolve())
    use = ("model_config", "use", "--repository", tmp_path)
    for name, *chosen in (("tiny", 1), ("other", 2), ("tiny", 2, "--version", 1, "--label", "stable=1")):
        done = run(*use, name, "--version", *chosen)
        assert done.returncode == 0, done.stderr

    other, tiny = server_config.read(tmp_path / "models.config")
    assert (other.name, other.versions, tiny.name, tiny.versions) == ("other", (2,), "tiny", (2, 1))
    assert tiny.labels["stable"] == 1
    assert "--model_config_file=" in done.stderr


def test_for_a_container_the_whole_config_is_as_it_sees_it(repository, tmp_path):
    (tmp_path / "tiny").symlink_to((repository / "tiny").resolve())
    run("model_config", "use", "tiny", "--version", 1, "--repository", tmp_path, "--root", "/models", "--apart")

    (alone,) = server_config.read(tmp_path / "models.config")
    assert (alone.name, alone.base_path) == ("tiny_v1", "/models/tiny")


def test_files_change_together_or_not_at_all(tmp_path, monkeypatch):
    files.replace(tmp_path, {"a": b"1", "b": b"1"}, private=("b",))
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    # the second of the new ones cannot be written: a folder is in its draft's place
    (tmp_path / ".b.draft").mkdir()
    with pytest.raises(OSError, match="directory") as caught:
        files.replace(tmp_path, {"a": b"2", "b": b"2"})

    assert caught.value.errno in (errno.EISDIR, errno.EPERM)
    assert (tmp_path / "a").read_bytes() == b"1"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_one_sentence():
    program = "import sys; from model_config.console import Command; import click\n"
    program += "@click.command(cls=Command)\ndef main():\n    open('/dev/full', 'w').write('x' * 100000)\nmain()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr == "error: no space is left on the disk; free some, and run it again\n"
