"""One file over HTTP: with progress, taken up where it broke, refused with one sentence where it cannot be had."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import requests

from model_config.downloads import Download
from model_config.errors import SuiteError
from model_config.fetching.partial import Partial

# bytes that are there, and of how many where that is known
Progress = Callable[[int, "int | None"], None]

_TRIES: Final = 4  # in a row that bring nothing
_PAUSE_S: Final = 0.3  # before the second, and twice as long before each further one
_TIMEOUT_S: Final = (20, 60)  # to connect, and between two pieces
_BLOCK: Final = 1 << 16  # the most that is lost when a connection breaks
_MB: Final = 1e6
# the file as it lies there; a name, as some servers refuse nameless programs
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "tf-serving-suite"}
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _Broken(Exception):
    """The connection or the server failed in a way that may be over in a moment."""


def download(wanted: Download, whole: Path, homepage: str | None, told: Progress) -> None:
    """Bring a file to its place, going on with what an earlier try has left beside it.

    Raises:
        SuiteError: it cannot be had; what has come so far stays for the next run.
    """
    whole.parent.mkdir(parents=True, exist_ok=True)
    partial, failures = Partial(wanted.url, whole), 0
    while not partial.is_whole:
        before = partial.size
        try:
            _go_on(wanted, partial, homepage, told)
            break
        except (_Broken, requests.RequestException) as error:
            failures = 0 if partial.size > before else failures + 1
            if failures >= _TRIES:
                raise SuiteError(_gave_up(wanted, partial, error)) from error
        time.sleep(_PAUSE_S * 2 ** max(0, failures - 1))
    partial.finish()


def _go_on(wanted: Download, partial: Partial, homepage: str | None, told: Progress) -> None:
    headers = {**_HEADERS, **partial.resumable()}
    with requests.get(wanted.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        _require_file(wanted, response, homepage, partial)
        total = _begin(wanted, response, partial)
        _require_space(partial, total)
        _write(response, partial, total, told)
    if total is not None and partial.size != total:
        raise _Broken(f"it ended after {partial.size} of {total} bytes")
    if not partial.size:
        raise _Broken("the server sent an empty file")


def _require_file(wanted: Download, response: requests.Response, homepage: str | None, partial: Partial) -> None:
    """Refuse what is not the file, at once where asking again would not help."""
    code, look = response.status_code, f"look for its new one at {homepage}" if homepage else "look for its new one"
    if code in (404, 410):
        raise SuiteError(f"{wanted.url} is not there any longer ({code}); {look} and change url in models.yaml")
    if code in (401, 403):
        raise SuiteError(
            f"{wanted.url} may not be fetched by a program ({code}); get it in a browser, save it as {partial.whole}, "
            "and run this again"
        )
    if code == 416:  # what has come is not the beginning of what is there now
        partial.discard()
    if code not in (200, 206):
        raise _Broken(f"the server answered {code} {response.reason}")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise SuiteError(
            f"{wanted.url} answered with a web page instead of a file; open it in a browser, save what it offers as "
            f"{partial.whole}, and run this again"
        )


def _begin(wanted: Download, response: requests.Response, partial: Partial) -> int | None:
    """Put what has come in the state that this answer goes on from; gives the size of the whole file."""
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status_code == 206:
        if not found or int(found[1]) != partial.size:
            partial.discard()
            raise _Broken("the server sent another part than was asked for")
        total = None if found[2] == "*" else int(found[2])
    else:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        partial.discard()
        partial.path.touch()
        partial.began_with(response.headers, total)
    if None not in (wanted.size, total) and wanted.size != total:
        partial.discard()
        raise SuiteError(
            f"{wanted.url} has {total} bytes, but {wanted.size} are known; its publisher has changed it: look at what "
            "is there now before you change size in models.yaml"
        )
    return total or wanted.size


def _require_space(partial: Partial, total: int | None) -> None:
    missing = (total or 0) - partial.size
    free = shutil.disk_usage(partial.whole.parent).free
    if missing > free:
        raise SuiteError(
            f"{partial.whole} needs {missing / _MB:,.0f} MB, but {free / _MB:,.0f} are free there; free some, and run "
            "it again"
        )


def _write(response: requests.Response, partial: Partial, total: int | None, told: Progress) -> None:
    have = partial.size
    told(have, total)
    # some servers call a packed file's own kind an encoding, and it would come unpacked
    response.raw.headers.pop("Content-Encoding", None)
    with partial.path.open("ab") as file:
        for block in response.iter_content(_BLOCK):
            file.write(block)
            have += len(block)
            told(have, total)


def _gave_up(wanted: Download, partial: Partial, error: Exception) -> str:
    goes_on = f", which goes on after the {partial.size / _MB:,.1f} MB that are there" if partial.resumable() else ""
    return (
        f"cannot fetch {wanted.url}: {_reason(error)}; check the network (and https_proxy) and run it again{goes_on}, "
        f"or bring the file here by other means, as {partial.whole}"
    )


def _reason(error: Exception) -> str:
    """The innermost cause: what the libraries wrap around it says nothing more."""
    if isinstance(error, requests.Timeout):
        return "it takes too long to answer"
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return " ".join(str(cause).split()) or type(cause).__name__
