"""How right a version is, judged on held-out data, and the gate that publishes only what meets its goal."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run_here
from hypothesis import given
from hypothesis import strategies as st
from small_graphs import graph_of

from converters import calibration, graphs, sessions
from converters.judging import held_out, metrics
from converters.judging.held_out import NotJudged
from converters.judging.judge import judge_for
from converters.judging.search import fewest
from evaluation import pictures as files
from evaluation.tasks import prepared
from model_config import base_path, models

RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(24, 8, 8, 8)).astype(np.float32)
KEY = graphs.DEFAULT_KEY


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twenty pictures, all different."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(20):
        files.write(RNG.integers(0, 256, (40, 48, 3), np.uint8), folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def labelled(photos, tmp_path_factory):
    """Other pictures with one box on each, and one of the twenty among them."""
    folder = tmp_path_factory.mktemp("labelled")
    names = [f"{number}.png" for number in range(5)]
    for name in names[1:]:
        files.write(RNG.integers(0, 256, (40, 48, 3), np.uint8), folder / "images" / name)
    (folder / "images" / names[0]).write_bytes((photos / "03.png").read_bytes())
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [0, 0, 24, 20], "area": 480, "iscrowd": 0} for n in
             range(1, 6)]  # fmt: skip
    images = [{"id": n, "file_name": name, "height": 40, "width": 48} for n, name in enumerate(names, start=1)]
    index = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "box"}]}
    (folder / "instances.json").write_text(json.dumps(index))
    return folder


def model(**entry):
    return models.parse("x", entry, "test")


def saved(build, folder, fed=ROWS):
    graphs.write(graph_of(build, fed), folder)
    return folder


def weights(*shape):
    return (RNG.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)


def network(classify, noise=0.0):
    """A small network; another one of the same seed is the same but for the noise on its weights."""

    def build(x):
        draw, off = np.random.default_rng(8), np.random.default_rng(9)
        for _ in range(4):
            kernel = draw.normal(size=(3, 3, 8, 8)) / 8 + noise * off.normal(size=(3, 3, 8, 8))
            x = tf.nn.relu(tf.nn.conv2d(x, kernel.astype(np.float32), 1, "SAME"))
        return tf.nn.softmax(9 * tf.reduce_mean(x, (1, 2))) if classify else tf.reduce_mean(x, (1, 2))

    return build


@pytest.fixture
def rows(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    return tmp_path / "rows.npy"


def test_a_detector_with_labelled_pictures_is_judged_by_average_precision(saved_model, labelled):
    judge = judge_for(model(data=labelled, goals={"accuracy": {"max-degradation": 0}}), saved_model, KEY)
    score = judge.score(saved_model)

    assert (score.metric, score.value, score.met) == ("mAP", score.reference, True)
    assert judge.words == f"5 pictures of {labelled}, max-degradation 0"


def test_boxes_are_judged_where_clients_would_see_them(saved_model, photos, tmp_path):
    """What version 1 finds is the truth here, in pictures that clients put into a wide frame, black around."""
    entry = {"task": {"encode": {"size": [32, 96], "fit": "pad"}}, "data": tmp_path}
    task = model(**entry).task
    ready = prepared.prepared(task, graphs.signatures(saved_model)[KEY], known={})
    paths = [*sorted(photos.iterdir())[:3]]
    truth = []
    with sessions.session(saved_model) as session:
        signature = graphs.outlined(saved_model, KEY).signature
        fetched = {name: info.name for name, info in signature.outputs.items()}
        for number, path in enumerate(paths, start=1):
            fed, places = ready.encode([files.read(path)])
            arrays = session.run(fetched, {signature.inputs["inputs"].name: fed["inputs"]})
            for found in ready.decode(arrays, places)[0].detections:
                top, left, bottom, right = found.box
                box = {"bbox": [left, top, right - left, bottom - top], "area": (bottom - top) * (right - left)}
                truth.append(
                    {"id": len(truth) + 1, "image_id": number, "category_id": found.number, "iscrowd": 0, **box}
                )
            (tmp_path / "images").mkdir(exist_ok=True)
            (tmp_path / "images" / path.name).write_bytes(path.read_bytes())
    images = [{"id": n, "file_name": path.name, "height": 40, "width": 48} for n, path in enumerate(paths, start=1)]
    index = {"images": images, "annotations": truth, "categories": [{"id": n, "name": f"{n}"} for n in (1, 2)]}
    (tmp_path / "instances.json").write_text(json.dumps(index))

    assert judge_for(model(**entry), saved_model, KEY).score(saved_model).value > 0.99


def test_pictures_that_were_learnt_from_are_not_judged_by(labelled, photos):
    found = held_out.of(model(data=labelled, calibration={"path": photos}), labelled=True)

    assert [each.path.name for each in found.dataset.questions] == ["1.png", "2.png", "3.png", "4.png"]


def test_a_detector_without_labels_is_judged_by_agreement_on_calibration_pictures_held_out(saved_model, photos):
    judge = judge_for(model(calibration={"path": photos}), saved_model, KEY)
    score = judge.score(saved_model)

    assert (score.metric, score.value, score.reference, score.met) == ("agreement", 1.0, 1.0, True)
    assert judge.examples == "5 of 20 calibration examples, held out, each in 10 views"


@pytest.mark.parametrize(("classify", "metric"), [(True, "top-1 agreement"), (False, "1 - relative error")])
def test_what_gives_probabilities_is_judged_by_its_first_choice_and_the_rest_by_its_error(
    classify, metric, rows, tmp_path
):
    source = saved(network(classify), tmp_path / "source")
    judge = judge_for(model(calibration={"path": rows}), source, KEY)
    same, other = judge.score(source), judge.score(saved(network(classify, noise=0.3), tmp_path / "other"))

    assert (same.metric, same.value, same.met) == (metric, 1.0, True)
    assert other.value < 1 - 0.1
    assert not other.met
    assert "of version 1 misses max-degradation" in other.words


def test_an_output_of_nan_is_off_entirely_wherever_it_stands():
    wanted = [{"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}]
    for name in ("a", "b"):
        answer = [{**wanted[0], name: np.array([1, np.nan], np.float32)}]
        assert metrics.closeness(wanted).value(answer) == 0


@pytest.fixture
def labelled_rows(tmp_path):
    """Rows with the classes that the network itself gives them, but for a tenth."""
    classes = graphs_answer(network(True), ROWS).argmax(1)
    classes[::10] += 1
    np.savez(tmp_path / "rows.npz", x=ROWS, labels=classes)
    return {"path": str(tmp_path / "rows.npz")}


def graphs_answer(build, fed):
    return build(tf.constant(fed)).numpy()


def test_a_classifier_with_labelled_data_is_judged_by_its_labels(labelled_rows, tmp_path):
    source = saved(network(True), tmp_path / "source")
    judge = judge_for(model(data=labelled_rows, task={"type": "classification"}), source, KEY)
    same, other = judge.score(source), judge.score(saved(network(True, noise=0.5), tmp_path / "other"))

    assert (same.metric, same.value, same.reference) == ("top-1", pytest.approx(21 / 24), same.value)
    assert other.value < same.value
    assert judge.examples.startswith("24 rows of ")


def test_labels_that_cannot_tell_the_metric_judge_nothing(tmp_path):
    source = saved(network(True), tmp_path / "source")
    classes = graphs_answer(network(True), ROWS).shape[1]
    np.savez(tmp_path / "rows.npz", x=ROWS, labels=np.zeros((len(ROWS), classes), int))

    with pytest.raises(NotJudged, match="cannot tell AUROC"):
        judge_for(model(data=str(tmp_path / "rows.npz"), task={"type": "multi_label"}), source, KEY)


def test_a_classifier_without_a_task_that_fits_is_judged_by_agreement(photos, tmp_path):
    source = saved(network(True), tmp_path / "source")
    np.save(tmp_path / "rows.npy", ROWS)
    judge = judge_for(model(data=str(tmp_path / "rows.npy")), source, KEY)

    assert judge.score(source).metric == "top-1 agreement"


def test_of_few_examples_none_is_held_out(tmp_path):
    np.save(tmp_path / "few.npy", ROWS[:10])

    with pytest.raises(NotJudged, match="10 calibration examples are too few"):
        held_out.of(model(calibration={"path": tmp_path / "few.npy"}), labelled=False)


def test_no_example_is_both_learnt_from_and_judged_by(photos, rows):
    takes = graph_of(network(False), ROWS)
    data = calibration.locate(rows, 100, hold_out=True)
    learnt, held = ([row["x"] for row in part.rows(takes)] for part in (data, data.held_out()))

    assert (len(learnt), len(held)) == (18, 6)
    assert not {each.tobytes() for each in learnt} & {each.tobytes() for each in held}


@given(st.integers(0, 60), st.integers(1, 80))
def test_the_search_finds_the_fewest_and_tries_none_twice(most, needed):
    tried = []

    def passes(count):
        tried.append(count)
        return count >= needed

    assert fewest(most, passes) == (needed if needed <= most else None)
    assert len(tried) == len(set(tried)) <= 13


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A build of version 3 of one small network, and what it published."""
    folder = tmp_path_factory.mktemp("gate")
    saved(network(False), folder / "source")
    np.save(folder / "rows.npy", ROWS)

    def build(goal, *options):
        entry = f"{{source: {folder}/source, calibration: {{path: {folder}/rows.npy}}, goals: {{accuracy: {goal}}}}}"
        (folder / "models.yaml").write_text(f"models: {{net: {entry}}}")
        where = ("--models", folder / "models.yaml", "--repository", folder / "models", "--replace")
        done = run_here("converters", "build", "net", "--version", 3, *where, *options)
        found = base_path.scan(folder / "models", "net").get(3)
        return done, found and found.manifest

    return build


@pytest.mark.slow
def test_what_misses_its_goal_is_not_published(published):
    done, manifest = published("{threshold: 2}")

    assert manifest is None
    assert_one_sentence(done, "misses threshold 2", "best reached", "nothing was published", "--below-goal")
    assert "all layers in 8 bits" in done.stderr


@pytest.mark.slow
def test_what_misses_its_goal_is_published_when_that_is_asked_for_and_says_so(published):
    done, manifest = published("{threshold: 2}", "--below-goal")

    assert done.returncode == 0, done.stderr
    assert not manifest.accuracy.met
    assert "below its goal: 1 - relative error" in done.stderr


@pytest.mark.slow
def test_layers_go_back_to_float_until_the_goal_is_met(published):
    _, easy = published("{threshold: 0.5}")
    whole = easy.accuracy.value
    done, manifest = published(f"{{threshold: {(1 + 3 * whole) / 4}}}")
    accuracy = manifest.accuracy

    assert easy.accuracy.float_layers == ()
    assert done.returncode == 0, done.stderr
    assert accuracy.met
    assert accuracy.value > whole == accuracy.tried[0].value
    assert accuracy.float_layers
    (step,) = (each for each in manifest.steps if each.name == "quantize_nodes_calibrated")
    assert step.params["keep_float"] == ",".join(accuracy.float_layers)


def test_pictures_are_judged_in_the_size_that_the_model_will_be_asked_with(photos, saved_model):
    declared = model(source="s", data=str(photos), input_sizes=[[24, 32]])
    (name,) = graphs.signatures(saved_model)[KEY].inputs

    examples = held_out.OneSize(held_out.of(declared, labelled=False), declared.input_sizes[0])

    assert {row[name].shape for row in examples.rows(graphs.outlined(saved_model, KEY))} == {(1, 24, 32, 3)}
