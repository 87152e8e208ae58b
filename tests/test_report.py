"""The table in its four formats, and what the page's charts are made of."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from comparing import GOALS, compared, comparison, full

from clients import verdict
from clients.report import charts, table, vega
from clients.report.digits import short
from model_config.goals import Goals


def printed(form: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    found = full(folder)
    table.show(found, verdict.of(found, GOALS), form)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "words"),
    [(0.0123, "0.012"), (0.1234, "0.12"), (1.0, "1.00"), (12.345, "12.3"), (123.4, "123"), (12345.6, "12346")],
)
def test_numbers_show_the_digits_that_matter(number, words):
    assert short(number) == words


def test_the_table_fits_a_hundred_columns_with_everything_in_it(tmp_path, capsys):
    lines = printed("text", tmp_path, capsys).splitlines()
    columns = [line for line in lines if line.startswith(" ")]

    assert max(len(line.rstrip()) for line in columns) <= 100
    assert any("trt_int8_and_more" in line and "yes" in line for line in columns)
    assert any(line.startswith("not version 5: AP 0.7 against 0.9") for line in lines)
    assert "not asked: b.png: is no picture" in lines


def test_markdown_has_a_cell_for_every_column(tmp_path, capsys):
    lines = [line for line in printed("markdown", tmp_path, capsys).splitlines() if line.startswith("|")]

    assert len(lines) == 2 + 3
    assert len({line.count("|") for line in lines}) == 1


def test_csv_and_json_hold_the_same_rows(tmp_path, capsys):
    found = json.loads(printed("json", tmp_path, capsys))
    rows = list(csv.DictReader(io.StringIO(printed("csv", tmp_path, capsys))))

    assert [int(row["version"]) for row in rows] == [row["version"] for row in found["rows"]] == [1, 2, 5]
    assert [float(row["images_per_s"]) for row in rows] == [row["images_per_s"] for row in found["rows"]]
    assert float(rows[1]["metric_difference_low"]) == found["rows"][1]["metric"]["difference"]["low"] == -0.03
    assert found["verdict"]["winner"] == 2


def test_what_nobody_knows_is_unknown(tmp_path, capsys):
    found = comparison(compared(1, 0.9, memory_bytes=10**6), compared(2, 0.9))
    table.show(found, verdict.of(found, Goals()), "markdown")

    assert capsys.readouterr().out.count("unknown") == 3  # both load times, one memory


def test_every_chart_can_be_drawn_without_labels_and_without_speed(tmp_path):
    found = full(tmp_path)
    blind = replace(found.versions[0], accuracy=replace(found.versions[0].accuracy, scores=()), speed=())
    judged = verdict.of(comparison(blind), Goals())

    assert [chart.key for chart in charts.charts(comparison(blind), judged)] == ["size"]


def test_what_draws_the_charts_is_made_once_and_again_where_nothing_can_be_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = vega.script()
    (kept,) = vega.KEPT.iterdir()
    assert kept.read_text() == made
    kept.write_text("kept")

    assert vega.script() == "kept"
    kept.unlink()
    vega.KEPT.rmdir()
    vega.KEPT.write_text("no folder")
    assert vega.script() == made
