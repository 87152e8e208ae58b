"""The columns of the one table, which is the same in the terminal, in Markdown and on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Union

from clients import figures
from clients.comparison import Compared, Comparison, Row, Score
from clients.report.digits import known, short, signed, width

Sorted = Union[float, str, None]


@dataclass(frozen=True)
class Cell:
    """What stands in the table: a text, a smaller one below, and what to sort by, None for what is not known."""

    text: str
    note: str = ""
    key: Sorted = None


@dataclass(frozen=True)
class Column:
    """One column: its name in one or two words, the same in a sentence, and each version's cell."""

    title: str
    meaning: str
    cell: Callable[[Compared], Cell]


def columns(comparison: Comparison) -> list[Column]:
    """The columns that have something to say about any version."""
    found = [*_identity(), *_costs(), *_latencies(), *_throughputs(comparison), *_answers(comparison), *_trust()]
    return [each for each in found if any(each.cell(version).text for version in comparison.versions)]


def _identity() -> Iterator[Column]:
    yield Column("version", "The number it is served under", lambda v: Cell(str(v.version), key=v.version))
    yield Column("recipe", "How it was made", lambda v: Cell(v.recipe, key=v.recipe))


def _costs() -> Iterator[Column]:
    def cost(read: Callable[[Compared], float | None], unit: float) -> Callable[[Compared], Cell]:
        return lambda v: Cell(known(read(v), unit), key=read(v))

    yield Column("size MB", "What is loaded to answer, in megabytes", cost(lambda v: v.costs.size_bytes, 1e6))
    yield Column("load s", "Seconds that the server took to load it", cost(lambda v: v.costs.load_seconds, 1))
    yield Column("memory MiB", "The server's memory with it alone, and below it the GPU's", _memory)


def _memory(version: Compared) -> Cell:
    ours, gpu = version.costs.memory_bytes, version.costs.gpu_memory_bytes
    return Cell(known(ours, 2**20), "" if gpu is None else f"GPU {short(gpu / 2**20)}", ours)


def _latencies() -> Iterator[Column]:
    for percent in (50, 90, 99):
        meaning = f"Milliseconds in which {percent} % of the answers came, under the smallest load"
        yield Column(f"p{percent} ms", meaning, _latency(f"p{percent}_ms"))


def _latency(key: str) -> Callable[[Compared], Cell]:
    def cell(version: Compared) -> Cell:
        row = figures.smallest_load(version)
        if row is None:
            return Cell("")
        return Cell(short(row[key]), width(row[key], row[f"{key}_interval"]), row[key])

    return cell


def _throughputs(comparison: Comparison) -> Iterator[Column]:
    yield Column("images /s", "Images a second under the load where it is most", _busiest)
    bound = next((row["slo"]["bound_ms"] for v in comparison.versions for row in v.speed if row.get("slo")), None)
    if bound is not None:
        yield Column(f"/s in {bound:g} ms", f"Images a second with p99 under {bound:g} ms", _bounded)


def _busiest(version: Compared) -> Cell:
    row = figures.busiest_load(version)
    return Cell("") if row is None else Cell(short(row["images_per_s"]), load(row), row["images_per_s"])


def _bounded(version: Compared) -> Cell:
    row = figures.bounded_load(version)
    return (
        Cell("none") if row is None else Cell(short(row["images_per_s"]), f"batch {row['batch']}", row["images_per_s"])
    )


def load(row: Row) -> str:
    """Batch and callers, such as ``8×4``."""
    return f"{row['batch']}×{row['concurrency']}"


def _answers(comparison: Comparison) -> Iterator[Column]:
    first = comparison.versions[0].accuracy
    if first.scores:
        meaning = f"{first.scores[0].metric} on the labelled questions, and how far it is from that of version "
        yield Column(first.scores[0].metric, f"{meaning}{comparison.reference}", lambda v: _score(v.accuracy.scores[0]))
    title = f"agrees with {comparison.reference}"
    meaning = f"Share of the answers that are those of version {comparison.reference}"
    yield Column(title, meaning, lambda v: _score(v.accuracy.agreement))


def _score(score: Score) -> Cell:
    return Cell("unknown") if score.known is None else Cell(f"{score.value:.3f}", difference(score), score.value)


def difference(score: Score) -> str:
    """How far a score is from the reference's, with its interval; empty for the reference itself."""
    gap = score.difference
    if gap is None:
        return ""
    return f"{signed(gap.value)} [{signed(gap.low)}, {signed(gap.high)}]"


def _trust() -> Iterator[Column]:
    def verified(version: Compared) -> Cell:
        # only what TensorRT had a part in has anything to be verified
        built = version.recipe.startswith("trt")
        return Cell("yes", version.verified_on, 1) if version.verified_on else Cell("no" if built else "", key=0)

    yield Column("TensorRT verified", "Whether TensorRT itself was seen to answer, and on which GPU", verified)
    yield Column("doubts", "How many reasons there are to take its numbers with care", _doubts)


def _doubts(version: Compared) -> Cell:
    return Cell(str(len(all_doubts(version))), key=len(all_doubts(version)))


def all_doubts(version: Compared) -> list[str]:
    """Why its numbers should be taken with care: what was noticed of it, and of the loads that are shown."""
    shown = (figures.smallest_load(version), figures.busiest_load(version), figures.bounded_load(version))
    loads = {_load_words(row): row["doubts"] for row in shown if row is not None}
    return [*version.doubts, *(f"{words}: {doubt}" for words, doubts in loads.items() for doubt in doubts)]


def _load_words(row: Row) -> str:
    callers = "1 caller" if row["concurrency"] == 1 else f"{row['concurrency']} callers"
    return f"batch {row['batch']}, {row['rate']:g}/s" if row["rate"] else f"batch {row['batch']}, {callers}"
