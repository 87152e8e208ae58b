"""The predict command: pictures, folders, patterns and videos in, JSON lines, tables, pictures and videos out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import assert_one_sentence, run

from clients import drawing, fonts, footage
from evaluation import pictures as files
from evaluation.tasks.detection import Detection

_CAMERA_PLACE = 8192  # bytes from a frame to the next, as camera.c has it


@pytest.fixture
def folder(tmp_path, pictures):
    """Three pictures of one size, a smaller one, and a file that is none."""
    place = tmp_path / "pictures"
    for number, picture in enumerate(pictures[:3]):
        files.write(picture, place / f"{number}.png")
    files.write(pictures[3][:20], place / "small.png")
    (place / "notes.txt").write_text("no picture")
    return place


@pytest.fixture
def video(tmp_path, pictures):
    """Eight frames."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


@pytest.fixture
def predict(server):
    def predict(*arguments):
        return run("clients", "predict", *arguments, "--server", server, "--model", "tiny", "--min-score", 0.1)

    return predict


def objects(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def frames(path):
    return list(footage.Video(path).frames())


def test_a_folder_is_its_pictures_and_they_are_drawn_into_another(predict, folder, tmp_path):
    found = objects(predict(folder, "--json", "--batch", 3, "--output", tmp_path / "found"))

    assert [each["image"] for each in found] == [
        str(folder / name) for name in ("0.png", "1.png", "2.png", "small.png")
    ]
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["0.png", "1.png", "2.png", "small.png"]
    assert not np.array_equal(files.read(tmp_path / "found" / "0.png"), files.read(folder / "0.png"))


def test_batches_change_nothing_about_the_answers(predict, folder):
    alone, together = (objects(predict(f"{folder}/[0-2].png", "--json", "--batch", size)) for size in (1, 2))

    for one, other in zip(alone, together):
        assert [each["score"] for each in one["detections"]] == pytest.approx(
            [each["score"] for each in other["detections"]], abs=1e-3
        )


def test_a_video_comes_back_as_a_video_with_one_object_a_frame(predict, video, tmp_path):
    found = objects(predict(video, "--json", "--batch", 4, "--output", tmp_path / "found.mp4"))

    assert [(each["video"], each["frame"]) for each in found] == [(str(video), number) for number in range(8)]
    assert {frame.shape for frame in frames(tmp_path / "found.mp4")} == {(48, 64, 3)}
    assert len(frames(tmp_path / "found.mp4")) == 8
    assert footage.Video(tmp_path / "found.mp4").rate == pytest.approx(10)


def test_a_video_among_pictures_and_a_limit(predict, video, folder, tmp_path):
    done = predict(folder / "0.png", "--image", video, "--limit", 4, "--output", tmp_path / "found")

    assert done.returncode == 0, done.stderr
    assert "0.png: tiny 2" in done.stdout
    assert "film.avi frame 2: tiny 2" in done.stdout
    assert len(frames(tmp_path / "found" / "film.mp4")) == 3


@pytest.fixture(scope="session")
def camera(tmp_path_factory):
    """A driver's answers for /dev/video0, to be preloaded, as machines that test have no camera."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc to make a camera with")
    library = tmp_path_factory.mktemp("camera") / "camera.so"
    source = Path(__file__).with_name("camera.c")
    subprocess.run(["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def in_front_of(camera, pictures, path):
    """The environment of a command whose camera sees these pictures."""
    path.write_bytes(b"".join(_yuyv(picture).ljust(_CAMERA_PLACE, b"\0") for picture in pictures))
    return {**os.environ, "LD_PRELOAD": str(camera), "CAMERA_FRAMES": str(path)}


def _yuyv(picture):
    luma, *chroma = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    red, blue = (each.reshape(48, 32, 2).mean(axis=2).astype(np.uint8) for each in chroma)
    return np.stack([luma[:, ::2], blue, luma[:, 1::2], red], axis=2).tobytes()


def test_a_camera_is_asked_about_and_drawn_like_a_video(server, camera, pictures, tmp_path):
    asked = ("clients", "predict", 0, "--server", server, "--model", "tiny", "--min-score", 0.1, "--limit", 6)
    seen = in_front_of(camera, pictures[:3], tmp_path / "frames")
    found = objects(run(*asked, "--json", "--output", tmp_path / "found.mp4", cwd=tmp_path, env=seen))

    assert [(each["video"], each["frame"]) for each in found] == [("0", number) for number in range(6)]
    assert [each["detections"] for each in found[:3]] == [each["detections"] for each in found[3:]]
    assert found[0]["detections"] != found[1]["detections"]
    assert len(frames(tmp_path / "found.mp4")) == 6
    assert footage.Video(tmp_path / "found.mp4").rate == pytest.approx(10)


def test_a_picture_that_cannot_be_read_does_not_stop_the_others(predict, folder):
    (folder / "1.png").write_bytes(b"no picture")
    done = predict(folder, "--json")

    assert [json.loads(line)["image"][-5:] for line in done.stdout.splitlines()] == ["0.png", "2.png", "l.png"]
    assert "1.png is no picture" in done.stderr
    assert_one_sentence(done, "1 of 4 could not be read; all others were asked about")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("empty", "no pictures or videos in folder"),
        ("*.gif", "no pictures or videos in pattern"),
        ("none.mp4", "cannot read video none.mp4"),
        ("notes.mp4", "notes.mp4 cannot be opened as a video"),
        ("97", "camera 97 cannot be opened"),
    ],
)
def test_what_holds_no_pictures_is_one_sentence(predict, tmp_path, monkeypatch, source, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.mp4").write_text("no video")

    assert_one_sentence(predict(source), words)


def test_batches_stay_within_what_the_version_declares(predict, folder, repository):
    done = predict(f"{folder}/[0-2].png", "--batch", 3, "--repository", repository)

    assert_one_sentence(done, "a batch of 3, but the version declares batches of 1; send at most 1 at a time")


def test_nothing_to_ask_about_is_one_sentence(predict):
    assert_one_sentence(predict(), "nothing to ask about: name pictures")


def test_two_pictures_of_one_name_are_not_written_over_each_other(predict, folder, tmp_path):
    files.write(files.read(folder / "0.png"), tmp_path / "other" / "0.png")

    assert_one_sentence(predict(folder, tmp_path / "other", "--output", tmp_path / "found"), "two of", "called 0.png")


def test_a_task_that_does_not_fit_is_one_sentence(predict, folder):
    assert_one_sentence(predict(folder, "--task", "classification"), "decode.outputs.scores")


def test_interrupted_in_a_video_it_leaves_a_whole_one(server, pictures, tmp_path):
    path = tmp_path / "long.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(20_000):
        writer.write(pictures[number % 8])
    writer.release()
    arguments = ("clients", "predict", str(path), "--server", server, "--model", "tiny", "--json")
    command = [sys.executable, "-m", *arguments, "--output", str(tmp_path / "found.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        seen = [child.stdout.readline() for _ in range(10)]
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)

    assert all(seen)
    assert child.returncode == 130
    assert "Traceback" not in said
    assert 10 <= len(frames(tmp_path / "found.mp4")) < 20_000


def test_status_shows_what_versions_take_and_give(server):
    done = run("clients", "status", "--server", server, "--model", "tiny", "--signatures")

    assert done.returncode == 0, done.stderr
    assert "uint8 [any, any, any, 3]" in done.stdout
    assert "detection_boxes" in done.stdout


def test_a_ca_that_is_not_there_is_one_sentence(server):
    done = run("clients", "status", "--server", server, "--model", "tiny", "--ca", "nowhere.pem")

    assert_one_sentence(done, "cannot read nowhere.pem")


def black(height=200, width=300):
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "label", ["Käse", "велосипед", "σκύλος", "emoji 🐶", "人", "חתול", "", "line\nbreak", "a" * 200]
)
def test_labels_of_any_script_are_drawn_where_a_font_knows_them_and_never_fail(label):
    drawn = drawing.draw(black(), [Detection((50, 20, 150, 250), 1, label, 0.5)])

    assert drawn.shape == (200, 300, 3)
    assert drawn[100, 20].any()  # the box
    assert drawn[:50].any() or drawn[50:70, 22:200].any()  # its label


def test_letters_that_no_font_knows_become_the_number_of_the_class():
    unknown = "\U0010fffd"  # a private character

    assert fonts.font_for(unknown, 13) is None
    assert np.array_equal(
        drawing.draw(black(), [Detection((50, 20, 150, 250), 7, unknown, 0.5)]),
        drawing.draw(black(), [Detection((50, 20, 150, 250), 7, "class 7", 0.5)]),
    )


@pytest.mark.parametrize("box", [(-50, -50, 500, 500), (150, 250, 50, 20), (199, 299, 200, 300), (0, 0, 0, 0)])
def test_boxes_that_leave_the_picture_are_drawn_as_far_as_they_are_in_it(box):
    assert drawing.draw(black(), [Detection(box, 1, "cat", 0.5)]).any()
