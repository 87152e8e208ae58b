"""Files as awkward servers send them, and archives that are broken in ways of their own."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
from publisher import publishing

from model_config.downloads import Download, Fetch
from model_config.errors import SuiteError
from model_config.fetching import unpacking
from model_config.fetching.fetch import Wanted, fetch

CONTENT = np.random.default_rng(3).bytes(300_000)


class Silent:
    """Is told, and says nothing."""

    def bytes(self, name, have, total):
        """A count."""

    def remark(self, text):
        """A sentence."""


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with publishing() as server:
        yield server


def fetched(folder, url, **more):
    return fetch(Wanted("m", Fetch(files=(Download(url=url, **more),)), folder), Silent())


def packed(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
def test_a_packed_file_stays_packed_where_the_server_calls_that_its_encoding(publisher, tmp_path, encoding):
    publisher.files["/model.pb.gz"] = gzip.compress(CONTENT)
    publisher.encoding, publisher.cut = encoding, [200_000]

    assert fetched(tmp_path / "m", publisher.url("/model.pb.gz")) == "fetched"
    assert (tmp_path / "m" / "model.pb.gz").read_bytes() == publisher.files["/model.pb.gz"]


def test_an_empty_file_is_not_taken_for_the_model(publisher, tmp_path):
    publisher.files["/model.pb"] = b""
    with pytest.raises(SuiteError, match="the server sent an empty file"):
        fetched(tmp_path / "m", publisher.url("/model.pb"))

    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "m.lock.json").exists()


def test_a_tar_archive_with_a_zip_archive_at_its_end_is_a_tar_archive(tmp_path):
    (tmp_path / "both").write_bytes(packed([("a/model.pb", b"graph"), ("a/more.zip", zipped("x", b"1"))]))
    unpacking.unpack(tmp_path / "both", {"a": "."}, tmp_path / "out")

    assert (tmp_path / "out" / "model.pb").read_bytes() == b"graph"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_an_archive_with_wrong_bytes_is_said_to_be_damaged(tmp_path, pack):
    content = bytearray(pack(packed([("a", np.random.default_rng(4).bytes(2_000_000))])))
    content[len(content) // 2 : len(content) // 2 + 9] = b"\xff" * 9
    (tmp_path / "archive").write_bytes(content)

    with pytest.raises(SuiteError, match=r"is damaged .*; delete it, and fetch it again"):
        unpacking.unpack(tmp_path / "archive", {"a": "a"}, tmp_path / "out")
