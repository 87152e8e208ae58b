"""The client against a real server: answers, errors that say what to do, several threads."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
from command_line import assert_one_sentence, run

from clients.ask import Detector
from clients.client import Client, predict_request, read_prediction
from clients.errors import BadAnswer, BadRequest, DeadlineExceeded, NotServed, ServerUnavailable
from clients.wire import serving_pb2 as wire
from serving import address


@pytest.fixture
def client(server):
    with Client(server) as client:
        yield client


def test_a_version_answers_for_itself(client, pictures):
    for version in (1, 2):
        answer = client.predict("tiny", {"inputs": np.stack(pictures)}, version=version)

        assert answer.version == version
        assert answer.outputs["detection_boxes"].shape == (8, 10, 4)


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("version", [1, 2])
def test_a_batch_is_answered_as_its_pictures_one_by_one(client, pictures, batch, version):
    detector = Detector.connect(client, "tiny", version, {})
    _, together = detector.detect(pictures[:batch])
    alone = [detector.detect([picture])[1][0] for picture in pictures[:batch]]

    assert [len(found) for found in together] == [len(found) for found in alone]
    for one, other in zip(chain.from_iterable(together), chain.from_iterable(alone)):
        assert one.number == other.number
        assert one.score == pytest.approx(other.score, abs=1e-5)


def test_only_the_outputs_asked_for_come(client, pictures):
    answer = client.predict("tiny", {"inputs": np.stack(pictures)}, outputs=["num_detections"])

    assert set(answer.outputs) == {"num_detections"}


def test_the_signature_is_learned_from_the_server(client):
    signature = client.signature("tiny", 2)

    assert signature.inputs["inputs"].dtype == "uint8"
    assert signature.inputs["inputs"].shape == (None, None, None, 3)
    assert set(signature.outputs) == {"detection_boxes", "detection_scores", "detection_classes", "num_detections"}


def test_status_lists_every_version(client):
    assert [(state.version, state.state) for state in client.status("tiny")] == [(1, "AVAILABLE"), (2, "AVAILABLE")]


def test_threads_share_a_client(client, pictures):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda p: client.predict("tiny", {"inputs": p[None]}, version=2), pictures * 4))

    assert len(answers) == 32
    assert all(answer.version == 2 for answer in answers)


def test_an_unknown_model_is_named(client, pictures):
    with pytest.raises(NotServed, match="serves no model called 'tyny'"):
        client.predict("tyny", {"inputs": pictures[0][None]})


def test_an_unknown_version_tells_what_there_is(client, pictures):
    with pytest.raises(NotServed, match="does not serve version 9 of tiny; it has: 1 AVAILABLE, 2 AVAILABLE"):
        client.predict("tiny", {"inputs": pictures[0][None]}, version=9)


def test_an_unknown_signature_tells_what_there_is(client):
    with pytest.raises(NotServed, match="no signature 'other', only serving_default"):
        client.signature("tiny", 1, "other")


def test_what_the_server_refuses_is_a_bad_request(client, pictures):
    request = predict_request("tiny", {"inputs": pictures[0][None].astype(np.float32)})

    with pytest.raises(BadRequest, match=r"Expects arg\[0\] to be uint8 but float is provided"):
        client.ask(request)


def test_no_server_says_how_to_start_one(pictures):
    with Client(f"127.0.0.1:{address.free_port()}") as client, pytest.raises(ServerUnavailable, match="make serve"):
        client.predict("tiny", {"inputs": pictures[0][None]})


def test_a_deadline_is_kept(pictures):
    with socket.create_server((address.LOCAL, 0)) as silent:
        server = f"{address.LOCAL}:{silent.getsockname()[1]}"
        with Client(server, timeout_s=0.5) as client, pytest.raises(DeadlineExceeded, match="allow more time"):
            client.predict("tiny", {"inputs": pictures[0][None]})


def test_an_answer_from_another_version_is_refused():
    response = wire.PredictResponse()
    response.model_spec.version.value = 2

    with pytest.raises(BadAnswer, match="asked version 1 of m, but version 2 answered"):
        read_prediction(response.SerializeToString(), predict_request("m", {}, version=1).model_spec)


def test_predict_prints_one_object_and_draws(server, picture_file, tmp_path):
    arguments = ("--server", server, "--model", "tiny", "--version", 2, "--image", picture_file)
    done = run("clients", "predict", *arguments, "--output", tmp_path / "out.jpg", "--min-score", 0.1, "--json")
    answer = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert (answer["model"], answer["version"]) == ("tiny", 2)
    assert set(answer["detections"][0]) == {"label", "score", "box"}
    ymin, xmin, ymax, xmax = answer["detections"][0]["box"]
    assert 0 <= ymin < ymax <= 48
    assert 0 <= xmin < xmax <= 64
    assert (tmp_path / "out.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_predict_takes_several_pictures_and_labels_of_ones_own(server, picture_file, tmp_path):
    (tmp_path / "labels.txt").write_text("first\nsecond\n")
    again = picture_file.with_name("again.png")
    again.write_bytes(picture_file.read_bytes())
    arguments = ("--server", server, "--model", "tiny", "--image", picture_file, "--image", again, "--min-score", 0.1)
    done = run(
        "clients", "predict", *arguments, "--labels", tmp_path / "labels.txt", "--output", tmp_path / "o", "--json"
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]

    assert len(answers) == 2
    assert {each["label"] for each in answers[0]["detections"]} <= {"first", "second"}
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["again.png", "picture.png"]


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_an_unreadable_picture_is_one_sentence(server, tmp_path, content):
    path = tmp_path / "picture.jpg"
    if content is not None:
        path.write_bytes(content)

    assert_one_sentence(run("clients", "predict", "--server", server, "--model", "tiny", "--image", path), str(path))


def test_an_output_that_is_no_picture_is_one_sentence(server, picture_file, tmp_path):
    arguments = ("--server", server, "--model", "tiny", "--image", picture_file, "--output", tmp_path / "out.text")

    assert_one_sentence(run("clients", "predict", *arguments), "no picture format ends in '.text'")


def test_asking_nobody_is_one_sentence(picture_file):
    arguments = ("--server", f"127.0.0.1:{address.free_port()}", "--model", "tiny", "--image", picture_file)

    assert_one_sentence(run("clients", "predict", *arguments), "no server answers")


def test_a_version_that_is_not_served_is_one_sentence(server, picture_file):
    arguments = ("--server", server, "--model", "tiny", "--version", 5, "--image", picture_file)

    assert_one_sentence(run("clients", "predict", *arguments), "does not serve version 5", "1 AVAILABLE, 2 AVAILABLE")
