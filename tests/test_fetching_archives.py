"""What comes out of archives, and what of them leaves nothing behind."""

from __future__ import annotations

import tarfile
import zipfile

import pytest
from publisher import CONTENT, fetched, tar, zipped

from model_config.errors import SuiteError

pytestmark = pytest.mark.usefixtures("elsewhere")

MEMBERS = [("top/saved_model/saved_model.pb", b"graph"), ("top/saved_model/variables/v.index", b"v"), ("top/x", b"x")]


@pytest.mark.parametrize("pack", [tar, zipped, lambda members: tar(members, "w:bz2")])
def test_only_what_is_wanted_comes_out_of_an_archive(publisher, tmp_path, pack):
    publisher.files["/model.archive"] = pack(MEMBERS)
    file = {"url": publisher.url("/model.archive"), "unpack": {"*/saved_model": "saved_model", "top/x": "notes/y"}}
    folder, _, _ = fetched(tmp_path, file)

    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"saved_model/saved_model.pb", "saved_model/variables/v.index", "notes/y", "fetched.json"}


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


HOSTILE = {
    "climbs": (tar([("a", b"1"), ("../../evil", b"2")]), "outside its folder"),
    "absolute": (tar([("/tmp/evil", b"2")]), "outside its folder"),
    "zip climbs": (zipped([("a/../../evil", b"2")]), "outside its folder"),
    "link out": (tar([(link("a", "/etc"), b""), ("a/passwd", b"2")]), "link or device"),
    "hard link": (tar([(link("a", "/etc/passwd", tarfile.LNKTYPE), b"")]), "link or device"),
    "device": (tar([(link("a", "", tarfile.CHRTYPE), b"")]), "link or device"),
    "zip link": (zipped([(zip_link("a"), "/etc/passwd")]), "link or device"),
    "twice": (tar([("a", b"1"), ("a", b"2")]), "twice"),
    "file as folder": (tar([("a", b"1"), ("a/b", b"2")]), "twice"),
    "bomb": (tar([("a", bytes(40_000_000))]), "times"),
    "no archive": (b"<html>log in</html>", "neither a zip nor a tar"),
    "truncated": (tar([("a", CONTENT)])[:100_000], "damaged"),
    "lacking": (tar([("b", b"1")]), "holds no a"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_or_broken_archive_leaves_nothing(publisher, tmp_path, name):
    content, words = HOSTILE[name]
    publisher.files["/archive"] = content
    with pytest.raises(SuiteError, match=words):
        fetched(tmp_path, {"url": publisher.url("/archive"), "unpack": {"a": "a"}})

    assert not (tmp_path / "sources").exists()  # nor is its checksum remembered
    assert list((tmp_path / ".cache" / "fetch").iterdir()) == []
    assert not list(tmp_path.rglob("evil"))
