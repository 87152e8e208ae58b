"""Write docs/goals.md, what the CPU's goals came to: python benchmarks/goals_page.py

No number of the page is typed by hand but the goals; what the results lack is called not measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pages import at, goal, machine, table

RESULTS: Final = Path(__file__).parent / "results"
PAGE: Final = Path(__file__).parents[1] / "docs" / "goals.md"
_POOL: Final = "event_engine"
FILES: Final = ("serve", "transports", "endurance", "compare", "loadgen", "client", "startup", "memory")

Results = Mapping[str, Any]
Found = Callable[[Results], "float | None"]

_INTRODUCTION: Final = """# Goals on a CPU, met and missed

Made by `python benchmarks/goals_page.py` from benchmarks/results/*.json; no figure is typed by hand but the goals. Each
program named takes turns with what it is compared to, so that ratios hold on other machines too. What versions are
worth is on [a page of its own](versions.md), and so is [what a GPU gives](tensorrt_results.md).
"""


def page(results: Mapping[str, Results]) -> str:
    """The whole page.

    Args:
        results: by the file's name; not every one has to be there.
    """
    parts = [_INTRODUCTION]
    for title, program, rows in _SECTIONS:
        result = results.get(program, {})
        lines = [goal(words, found(result), bound, least=least) for words, found, bound, least in rows]
        where = f" {machine(_environment(result))}" if result else ""
        parts.append(f"## {title}\n\n`python benchmarks/{program}.py`.{where}\n")
        parts.append(table(("goal", "wanted", "measured", ""), lines))
    return "\n".join([*parts, *_request(results.get("serve", {})), *_transports(results.get("transports", {}))])


def _environment(result: Results) -> Mapping[str, Any]:
    """The machine of the file, or of its oldest row where each has its own."""
    told = [result] if "environment" in result else list(at(result, ["versions"]).values())
    return min((each["environment"] for each in told), key=lambda environment: str(environment["time"]))


def _value(*keys: str) -> Found:
    return lambda result: at(result, keys)


def _ratio(one: str, other: str, what: str = "median") -> Found:
    """How many times as long one of the client's steps takes as another."""

    def found(result: Results) -> float | None:
        times = [at(result, ["milliseconds", name, what]) for name in (one, other)]
        return times[0] / times[1] if all(times) else None

    return found


def _failed(result: Results) -> float | None:
    failed = at(result, ["failed"])
    return None if failed is None else sum(failed.values())


def _left_threads(result: Results) -> float | None:
    """Threads that were not there before; those of gRPC's own pool come when all others of it are busy."""
    before, after = (at(result, [f"threads_{when}"]) for when in ("before", "after"))
    if before is None or after is None:
        return None
    return sum(max(0, after[name] - before.get(name, 0)) for name in after if name != _POOL)


def _least_share(result: Results) -> float | None:
    return min((each["share"] for each in result.get("closed", ())), default=None)


def _off(percentile: str, what: str = "difference") -> Found:
    """The largest share of its tolerance, 0.1 ms or a tenth, that a percentile is away from h2load's."""

    def found(result: Results) -> float | None:
        rows = [each[percentile] for each in result.get("open", ()) if what in each[percentile]]
        return max((abs(row[what]) / max(100.0, row["h2load"] / 10) for row in rows), default=None)

    return found


def _share(subject: str, cores: str) -> Found:
    def found(result: Results) -> float | None:
        rows = at(result, [subject, cores]) or ()
        return min(
            (row[f"{versions}_share"] for row in rows for versions in ("one_version", "two_versions")), default=None
        )

    return found


def _import_s(result: Results) -> float | None:
    times = [at(result, ["seconds", each, "median"]) for each in ("python -c 'import clients'", "python -c pass")]
    return times[0] - times[1] if all(times) else None


def _largest(result: Results) -> float | None:
    peaks = [max(row["peak_of_size"], *row["peak_of_size_others"]) for row in result.get("versions", {}).values()]
    return max(peaks, default=None)


_COPY: Final = "memory copy of 32 pictures of 640x640 (ndarray.tobytes)"
_FLOATS: Final = "numpy's conversion of 8.6 MB of floats as they came (frombuffer, copy)"
_BOXES: Final = ("milliseconds", "an answer of 100 boxes to detections", "median")
_SSD: Final = "ssd_mobilenet_v1_coco"
# a title, the program, and of each goal: its words, where it is found, the bound, and whether it is the least
_SECTIONS: Final[tuple[tuple[str, str, tuple[tuple[str, Found, float, bool], ...]], ...]] = (
    (
        "The embedded server",
        "serve",
        (
            ("requests/s, next to no work, 8 callers", _value("tiny", "requests_per_s_8_callers"), 3000, True),
            (
                "ms over the bare call at p50, 1 caller",
                _value("tiny", "added_to_the_bare_call_p50_ms_1_caller"),
                0.4,
                False,
            ),
            (
                "COCO SSD, share of the bare call's throughput, 1 in flight",
                _value("detector", "share_of_bare_throughput_1_in_flight"),
                0.95,
                True,
            ),
            ("… 2 in flight", _value("detector", "share_of_bare_throughput_2_in_flight"), 0.95, True),
        ),
    ),
    (
        "Full load, a swap every two seconds",
        "endurance",
        (
            ("minutes", _value("minutes"), 5, True),
            ("requests that failed", _failed, 0, False),
            ("growth of resident memory", _value("resident_growth"), 0.05, False),
            ("threads left behind, gRPC's own pool aside", _left_threads, 0, False),
        ),
    ),
    (
        "A comparison's share of bench's throughput",
        "compare",
        (
            ("COCO SSD, server and client on a core each, at worst", _share(_SSD, "apart"), 0.9, True),
            (
                "… both on the same two cores, where decoding takes time from the server",
                _share(_SSD, "together"),
                0.9,
                True,
            ),
            ("the demo's detector, on a core each, at worst", _share("demo", "apart"), 0.9, True),
            ("… both on the same two cores", _share("demo", "together"), 0.9, True),
        ),
    ),
    (
        "The load generator beside h2load",
        "loadgen",
        (
            ("closed loop, share of h2load's requests/s, at worst", _least_share, 0.6, True),
            ("open loop, p50 away from h2load's, in tolerances of 0.1 ms or 10 %, at worst", _off("p50_us"), 1, False),
            ("… p99", _off("p99_us"), 1, False),
            ("… p99 of h2load, away from its own a moment later", _off("p99_us", "between_h2load_runs"), 1, False),
        ),
    ),
    (
        "The client",
        "client",
        (
            (
                "32 pictures into a request, times a memory copy",
                _ratio("the same pictures into a request", _COPY),
                1.2,
                False,
            ),
            (
                "an answer of 8.6 MB, times numpy's conversion",
                _ratio("an answer of the same floats", _FLOATS),
                2,
                False,
            ),
            ("100 boxes decoded, ms", _value(*_BOXES), 0.2, False),
        ),
    ),
    (
        "Its start",
        "startup",
        (
            ("import clients, s over Python's own start", _import_s, 0.15, False),
            ("the whole client, with numpy and gRPC, MB", _value("import clients.client", "peak_mb"), 60, False),
        ),
    ),
    (
        "Conversion of a graph of 500 MB",
        "memory",
        (("peak memory of any process of versions 1, 2, 3 and 7, times the graph's size", _largest, 4, False),),
    ),
)


def _request(result: Results) -> Iterator[str]:
    """Where a request's time goes that takes longer than the bare call."""
    spent = at(result, ["detector", "ms_of_a_request_1_in_flight"])
    if spent:
        yield "## A request of the COCO SSD, 1 in flight\n\n`python benchmarks/serve.py`, medians of rounds.\n"
        yield table(("part", "ms"), [(part.replace("_", " "), f"{value:.2f}") for part, value in spent.items()])


def _transports(result: Results) -> Iterator[str]:
    """The ways of answering gRPC from Python, side by side."""
    if not result:
        return
    usual, medians = result["medians"]["grpcio's server"], result["medians"]
    yield f"## Ways to answer gRPC from Python\n\n`python benchmarks/transports.py`. {machine(result['environment'])}\n"
    columns = ("the port", "requests/s, 8 in flight", "times grpcio's server", "p50, µs, 1 in flight")
    yield table(columns, [_way(name, row, usual) for name, row in medians.items()])


def _way(name: str, row: Mapping[str, float], usual: Mapping[str, float]) -> list[str]:
    per_s, p50 = row["8_in_flight_per_s"], row["1_in_flight_p50_us"]
    return [name, f"{per_s:,.0f}", f"{per_s / usual['8_in_flight_per_s']:.2f}", f"{p50:,.0f}"]


def found() -> dict[str, Results]:
    """The results that are there, by name."""
    paths = {name: RESULTS / f"{name}.json" for name in FILES}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(found()), encoding="utf-8")


if __name__ == "__main__":
    main()
