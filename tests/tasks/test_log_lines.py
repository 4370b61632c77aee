"""Lines of a stage's log, for people and for collectors: written by a real process, read by whoever listens to it."""

import json
import logging

import pytest

from pinsage.datasets.demo.world import write_demo
from tasks.running.launch import StageCommand, StageFailedError, StageProcess
from tasks.running.log_lines import JsonLines, read_line


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The folder of a small demo world."""
    folder = tmp_path_factory.mktemp("log_lines") / "demo"
    write_demo(folder, num_pins=200, seed=0)
    return folder


def lines_of(command: StageCommand) -> tuple[dict, list[str]]:
    """The report of a stage, and the lines before it."""
    lines: list[str] = []
    return StageProcess(command).run(lines.append), lines


def test_as_json_every_line_names_the_run_the_stage_and_the_key(world, tmp_path, monkeypatch):
    """And the report is still told from the lines, which have its names."""
    monkeypatch.setenv("PINSAGE_LOGS", "json")
    report, lines = lines_of(StageCommand("ingest", "r1", tmp_path, {"data.dataset": str(world)}))
    said = [json.loads(line) for line in lines]
    assert report["stage"] == "ingest"
    assert any("published" in line["event"] for line in said)
    fields = {(line["run_id"], line["stage"], line["key"]) for line in said if line["logger"].startswith("tasks")}
    assert fields == {("r1", "ingest", report["key"])}
    assert all({"timestamp", "level", "event", "logger"} <= set(line) for line in said)


def test_without_the_setting_lines_are_for_people(world, tmp_path, monkeypatch):
    """The same lines as text."""
    monkeypatch.delenv("PINSAGE_LOGS", raising=False)
    _, lines = lines_of(StageCommand("ingest", "r1", tmp_path, {"data.dataset": str(world)}))
    assert any(read_line(line).text.startswith("ingest: published") and not line.startswith("{") for line in lines)


def test_a_form_that_is_none_is_refused_at_once(world, tmp_path, monkeypatch):
    """A retry cannot help."""
    monkeypatch.setenv("PINSAGE_LOGS", "yaml")
    with pytest.raises(StageFailedError, match="PINSAGE_LOGS is 'yaml'") as failure:
        lines_of(StageCommand("ingest", "r1", tmp_path, {"data.dataset": str(world)}))
    assert not failure.value.retry_can_help


def test_a_traceback_is_a_part_of_its_event():
    """One line, whatever an exception says."""
    try:
        raise ValueError("two\nlines {and} 100 %")
    except ValueError as error:
        record = logging.LogRecord("tasks", logging.ERROR, __file__, 1, "it broke", None, (ValueError, error, None))
    line = JsonLines().format(record)
    read = read_line(line)
    assert "\n" not in line
    assert read.level == logging.ERROR
    assert read.text.startswith("it broke\n")
    assert read.text.endswith("ValueError: two\nlines {and} 100 %")


@pytest.mark.parametrize(
    ("line", "level", "text", "fields"),
    [
        ("12:00:01 WARNING two rows", logging.WARNING, "two rows", {}),
        ("Traceback (most recent call last):", logging.INFO, "Traceback (most recent call last):", {}),
        ('{"event": "two rows", "level": "warning", "run_id": "r1", "x": 1}', 30, "two rows", {"run_id": "r1"}),
        ('{"event": 3, "level": "loud"}', logging.INFO, "3", {}),
        ('{"no event": 1}', logging.INFO, '{"no event": 1}', {}),
        ("{half of", logging.INFO, "{half of", {}),
    ],
)
def test_a_line_of_either_form_is_taken_apart_and_any_other_is_information(line, level, text, fields):
    """Whatever a library prints."""
    assert read_line(line) == (level, text, fields)
