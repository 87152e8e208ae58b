"""Configs that a running server takes or refuses, and versions that come and go, as errors that say what to do."""

from __future__ import annotations

import threading

import pytest
from conformant import X, all_available, served

from clients import Client, errors
from serving.conformance import settings
from serving.conformance.questions import config, model
from serving.conformance.waiting import until


@pytest.fixture(scope="module")
def plain(made, tmp_path_factory):
    with served(made, tmp_path_factory.mktemp("plain"), "plain") as found, Client(found.server) as client:
        until(lambda: all_available(client))
        yield found


@pytest.fixture
def client(plain):
    with Client(plain.server) as client:
        yield client


def with_more(plain, *entries):
    """The config that is served, and more models."""
    text = settings.base_config(plain.folder)
    return text[:-1] + " ".join(f"config {{ {entry} }}" for entry in entries) + " }"


@pytest.fixture
def reloading(plain, client):
    """A client that may send configs; in the end the server serves by its own again."""
    yield client
    client.reload(settings.base_config(plain.folder))
    until(lambda: all_available(client))


_TENSORFLOW = 'model_platform: "tensorflow"'
CONFIGS = {
    "no base_path": (f'name: "q" {_TENSORFLOW}', "to have an absolute path.*give its base_path"),
    "relative base_path": (
        f'name: "q" base_path: "a/b" {_TENSORFLOW}',
        "to have an absolute path.*got base_path..=a/b",
    ),
    "unknown platform": ('name: "q" base_path: "/x" model_platform: "caffe"', "unsupported platform caffe; use"),
    "a name twice": (
        f'name: "dense" base_path: "/x" {_TENSORFLOW}',
        "list model dense multiple times.*every model once",
    ),
}


@pytest.mark.parametrize("row", CONFIGS)
def test_configs_that_the_server_refuses_leave_it_as_it_was(plain, reloading, row):
    entry, words = CONFIGS[row]
    with pytest.raises(errors.ReloadRefused, match=words):
        reloading.reload(with_more(plain, entry))

    assert reloading.predict("dense", {"x": X}).version == 2


def test_the_platform_of_a_live_model_stays(plain, reloading):
    changed = config(model(plain.folder, "dense").replace('"tensorflow"', '"other"'))
    with pytest.raises(errors.ReloadRefused, match=r"change a model's platform.*serve it under another name"):
        reloading.reload(changed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('model_config_list { config { name: "q" base_path: "/x" } }', "model q has no platform; add model_platform"),
        ("", "has no model_config_list"),
        ("modle_config_list {}", "is no model config.*modle_config_list"),
    ],
)
def test_configs_that_would_harm_a_server_are_not_sent(client, text, words):
    with pytest.raises(errors.ReloadRefused, match=words) as caught:
        client.reload(text)

    assert caught.value.code == ""


def test_a_version_that_cannot_be_loaded_says_why_and_so_does_asking_it(plain, reloading):
    reason = "Read less bytes than requested"
    with pytest.raises(errors.LoadFailed, match=f"bad version: 1.*{reason}.*build it again"):
        reloading.reload(with_more(plain, model(plain.folder, "bad")))
    with pytest.raises(errors.LoadFailed, match=f"could not load any version of bad; it has: 1 END .{reason}"):
        reloading.predict("bad", {"x": X})
    with pytest.raises(errors.LoadFailed, match=f"could not load version 1 of bad: {reason}"):
        reloading.predict("bad", {"x": X}, version=1)


def test_a_model_that_is_loading_is_told_and_then_answers_and_then_is_unloaded(plain, reloading):
    seen = []

    def ask(**which):
        try:
            return reloading.predict("slowload", {"x": X[:, :1]}, **which)
        except errors.NotServed as error:
            seen.append(type(error))
            return None

    sending = threading.Thread(target=reloading.reload, args=(with_more(plain, model(plain.folder, "slowload")),))
    sending.start()
    while sending.is_alive():
        ask()
        ask(version=1)
    sending.join()

    assert set(seen) - {errors.UnknownModel} == {errors.StillLoading}
    assert ask().version == 1
    reloading.reload(settings.base_config(plain.folder))
    until(lambda: reloading.status("slowload")[0].state == "END")
    with pytest.raises(errors.Unloaded, match="has unloaded every version of slowload; it has: 1 END"):
        reloading.predict("slowload", {"x": X[:, :1]})


def test_an_empty_config_unloads_everything_and_all_of_it_comes_back(plain, reloading):
    reloading.reload("model_config_list {}")
    until(lambda: {state.state for state in reloading.status("dense")} == {"END"})
    with pytest.raises(errors.Unloaded, match="has unloaded every version of dense; it has: 1 END, 2 END"):
        reloading.predict("dense", {"x": X})
    reloading.reload(settings.base_config(plain.folder))
    until(lambda: all_available(reloading))

    assert reloading.predict("dense", {"x": X}).version == 2
