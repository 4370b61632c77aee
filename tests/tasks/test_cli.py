"""The command line: help with an example everywhere, answers for people, one line for a known error."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import yaml
from rich.console import Console
from typer.testing import CliRunner

from pinsage.datasets.demo.world import write_demo
from pinsage.index.build import IndexPlan
from pinsage.index.pin_index import PinIndex
from pinsage.settings.loading import flat, load_settings
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest
from pinsage.store.run import Run, StageResult
from pinsage.tracking.tracker import RUN_TAG, open_tracker
from tasks.command_line.cli import app
from tasks.command_line.summary import print_summary
from tasks.running.local_run import LocalRun
from tasks.stages import STAGES, Stage

ROOT = Path(__file__).parents[2]
TITLES = ["The ant", "The bee", "The cat", "The dog"]
RELEASED = {"folder": "/r/v3", "reason": "CURRENT names it."}
PROMOTED = {
    "model_name": "pinsage-zoo-0000",
    "model_version": 3,
    "reason": "A gain of +0.1.",
    "mlflow_url": "",
    "mlflow_run_id": "m1",
}


def pinsage(*arguments: object):
    """The answer of `pinsage ARGUMENTS`: exit_code, stdout, stderr."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def commands(group: typer.Typer, path: tuple[str, ...] = ()):
    """Every command below a group, as the words one types."""
    for command in group.registered_commands:
        yield (*path, command.name or command.callback.__name__), command
    for sub in group.registered_groups:
        yield from commands(sub.typer_instance, (*path, sub.name))


COMMANDS = dict(commands(app))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(words):
    """The help is shown, and its example begins with the command itself."""
    answer = pinsage(*words, "--help")
    assert answer.exit_code == 0
    assert f"Example: pinsage {' '.join(words)}" in " ".join(answer.stdout.split())


def test_the_help_needs_nothing_heavy():
    """`pinsage --help` imports no library that takes a second to load."""
    code = (
        "import sys, tasks.command_line.cli;"
        "print([name for name in ('torch', 'mlflow', 'gensim', 'dask', 'numba', 'pandas', 'pyarrow', 'numpy')"
        " if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("run",), 2, "No data set is named. Give --dataset DIR"),
        (("run", "--set", "walk.num_walks=0", "--dataset", "x"), 2, "walk.num_walks = 0"),
        (("run", "--set", "data.dataset=y", "--dataset", "x"), 2, "named by --dataset and by --set data.dataset"),
        (("config", "validate", "--set", "walk.steps"), 2, "has no '='"),
        (("config", "show", "--preset", "nowhere.yaml"), 2, "nowhere.yaml cannot be read"),
        (("release", "verify"), 1, "Nothing has been released yet"),
        (("release", "rollback", "nothing"), 2, "'nothing' is no release. `pinsage release list` shows what there is."),
        (("release", "diff", "x", "y"), 2, "'x' is no release"),
        (("stage", "bake"), 2, "'bake' is not a stage. The stages are: ingest,"),
        (("related", "1"), 1, "has ended its stage 'index'"),
        (("related", "1", "--run", "r9"), 2, "There is no run 'r9'"),
        (("import", "movielens", "nowhere", "target"), 2, "nowhere"),
    ],
)
def test_a_known_error_is_one_line_and_an_exit_code(tmp_path, monkeypatch, arguments, code, sentence):
    """2 where trying again changes nothing, 1 where it may; no traceback in either case."""
    monkeypatch.setenv("PINSAGE_HOME", str(tmp_path / "home"))
    answer = pinsage(*arguments)
    assert (answer.exit_code, answer.stdout) == (code, "")
    assert sentence in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_data_set_that_cannot_be_opened_is_one_line(tmp_path, monkeypatch):
    """Whatever the file system's library raises; a retry cannot help."""
    monkeypatch.setenv("PINSAGE_HOME", str(tmp_path / "home"))
    answer = pinsage("run", "--dataset", "zip://x::/nonexistent.zip")
    assert answer.exit_code == 2
    assert "The data set zip://x::/nonexistent.zip cannot be opened" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_settings_are_shown_as_a_preset_that_gives_the_same_settings(tmp_path):
    """The output of `config show` can be saved and used."""
    shown = pinsage("config", "show", "--set", "evaluate.ranks=[5, 9]", "--set", "walk.num_walks=7").stdout
    (tmp_path / "preset.yaml").write_text(shown)
    assert yaml.safe_load(shown)["evaluate"]["ranks"] == [5, 9]
    assert flat(load_settings(tmp_path / "preset.yaml"))["walk.num_walks"] == 7


def test_validation_names_what_differs_from_the_defaults():
    """The answer is short, however many settings there are."""
    answer = pinsage("config", "validate", "--set", "walk.num_walks=7")
    assert answer.stdout == "walk.num_walks: 7 (default 500)\nThe settings are valid.\n"


def test_the_schema_lists_every_setting():
    """Each setting of the tree is in the table."""
    shown = pinsage("config", "schema").stdout
    assert [name for name in flat(load_settings()) if name not in shown] == []


def test_demo_data_is_written(tmp_path):
    """The counts that are printed are those of the tables."""
    answer = pinsage("demo-data", tmp_path / "demo", "--pins", 200)
    assert answer.exit_code == 0
    assert f"{pq.read_metadata(tmp_path / 'demo' / 'pins.parquet').num_rows} pins" in answer.stdout


@pytest.fixture
def finished(tmp_path) -> Run:
    """A run of four pins on a quarter circle, all stages recorded as ended."""
    run = open_store(tmp_path).runs.open_or_start("r1", load_settings(overrides={"data.dataset": "/data/zoo"}))
    published = {"ingest": write_catalog, "index": write_index, "evaluate": write_evaluation}
    facts = {
        "promote": PROMOTED,
        "approve": PROMOTED,
        "release": RELEASED,
        "evaluate": {"pinsage_test_hit_rate_at_10": 0.25},
    }
    for stage in STAGES:
        with open_store(tmp_path).artifacts.publish(Manifest(stage, "k", 1, {}, {}, {}, "test")) as draft:
            published.get(stage, lambda folder: None)(draft.folder)
        run.record(StageResult(stage, "k", 2.0, stage == "pair", facts.get(stage, {})))
    return run


def write_catalog(folder: Path) -> None:
    strings = {"pin_id": ["a1", "b2", "c3", "d4"], "title": TITLES, "description": [None] * 4, "link": [None] * 4}
    pins = pa.table({name: pa.array(values, pa.string()) for name, values in strings.items()})
    pins = pins.append_column("annotations", pa.array([[]] * 4, pa.list_(pa.string())))
    pq.write_table(pins, folder / "pins.parquet")
    for name in ("boards", "saves", "pictures"):
        pq.write_table(pa.table({"pin": pa.array([], pa.int32())}), folder / f"{name}.parquet")


def write_index(folder: Path) -> None:
    angles = np.radians([0, 10, 30, 90])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    PinIndex.build(embeddings, np.zeros(4, np.float32), folder, IndexPlan(num_trees=5))


def write_evaluation(folder: Path) -> None:
    rows = [("pinsage", 0.25), ("visual", 0.125)]
    metrics = [
        {
            "method": method, "split": split, "view": "all", "metric": "hit_rate@10", "value": value,
            "low": value - 0.01, "high": value + 0.01,
        }
        for method, value in rows
        for split in ("validation", "test")
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist([{**metrics[-1], "low": 0.1, "high": 0.15}]), folder / "differences.parquet")
    pq.write_table(pa.Table.from_pylist(metrics), folder / "metrics.parquet")
    examples = {"query": [0, 0], "method": ["pinsage"] * 2, "rank": [2, 1], "pin": [2, 1], "score": [0.8, 0.9]}
    pq.write_table(pa.table(examples), folder / "examples.parquet")


def test_related_pins_are_shown_with_titles(tmp_path, finished):
    """The two nearest of the ant on the circle, by the newest run that has an index."""
    answer = pinsage("related", "a1", "-k", 2, "--home", tmp_path)
    lines = [line for line in answer.stdout.splitlines() if "0.9848" in line or "0.8660" in line]
    assert answer.exit_code == 0
    assert "The ant" in answer.stdout
    assert ["b2" in lines[0], "The bee" in lines[0], "c3" in lines[1], "The cat" in lines[1]] == [True] * 4
    assert "The dog" not in answer.stdout


def test_an_unknown_pin_is_answered_with_near_spellings(tmp_path, finished):
    """The sentence helps to find the id that was meant."""
    answer = pinsage("related", "a11", "--home", tmp_path)
    assert answer.exit_code == 2
    assert "Did you mean 'a1'" in answer.stderr


def test_runs_are_listed_with_data_set_progress_and_hit_rate(tmp_path, finished):
    """One line per run."""
    shown = pinsage("runs", "--home", tmp_path).stdout
    [line] = [line for line in shown.splitlines() if "r1" in line]
    assert ["zoo" in line, f"{len(STAGES)} of {len(STAGES)}" in line, "0.2500" in line] == [True] * 3


@pytest.mark.parametrize("name", ["run", "walk"])
def test_a_damaged_run_is_listed_beside_the_others(tmp_path, finished, name):
    """And why it cannot be read; exit code 0, as the list is what was asked for."""
    run = open_store(tmp_path).runs.open_or_start("r2", load_settings())
    run.record(StageResult("walk", "k", 1.0, reused=False))
    (tmp_path / f"runs/r2/{name}.json").write_bytes(b"{")
    answer = pinsage("runs", "--home", tmp_path)
    assert answer.exit_code == 0
    assert [line for line in answer.stdout.splitlines() if "r2" in line and "cannot be read" in line]
    assert f"r2/{name}.json is damaged" in " ".join(answer.stdout.split())
    assert "0.2500" in answer.stdout


def test_a_damaged_run_does_not_keep_others_from_answering(tmp_path, finished, caplog):
    """The newest run that can be read is asked, with a word on the other."""
    open_store(tmp_path).runs.open_or_start("r2", load_settings())
    (tmp_path / "runs/r2/run.json").write_bytes(b"{")
    assert pinsage("related", "a1", "--home", tmp_path).exit_code == 0
    assert "Run r2 is left out" in caplog.text


def test_the_summary_shows_metrics_recommendations_and_addresses(tmp_path, finished):
    """Everything that a person looks for after a run is on one screen."""
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115
    print_summary(tmp_path, "r1", console)
    shown = console.export_text()
    lines = {line.split()[0]: line for line in shown.splitlines() if line.split()}
    assert shown.index("Visual") < shown.index("PinSage")
    assert "The bee · The cat" in shown
    assert "12 of 13 artifacts made in 24.0 s" in lines["Stages"]
    assert "version 3. A gain of +0.1." in lines["Model"]
    assert "/r/v3. CURRENT names it." in lines["Release"]
    assert "run m1 in sqlite:///" in lines["MLflow"]
    assert lines["Report"].endswith("artifacts/report/k/report.html")
    assert "Airflow" not in lines


def test_a_stage_can_be_run_alone(tmp_path, monkeypatch):
    """`pinsage stage ingest` does the real work in a run that was begun, and shows its facts."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_demo(tmp_path / "demo", num_pins=200)
    settings = load_settings(overrides={"data.dataset": str(tmp_path / "demo")})
    run = open_store(tmp_path).runs.open_or_start("r1", settings)
    answer = pinsage("stage", "ingest", "--run", "r1", "--home", tmp_path)
    assert answer.exit_code == 0, answer.output
    assert "done  ingest" in answer.stdout
    assert all(fact in answer.stdout for fact in run.result("ingest").facts)


def test_a_run_that_is_interrupted_is_failed_in_mlflow(tmp_path, monkeypatch):
    """Ctrl-C reaches no error handling of a stage; the MLflow run ends all the same."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def interrupted(work):
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "tasks.wait", SimpleNamespace(wait=interrupted))
    monkeypatch.setitem(STAGES, "wait", Stage("wait", 1, (), (), "Wait."))
    run = open_store(tmp_path).runs.open_or_start("r1", load_settings())
    tracker = open_tracker(run.settings, tmp_path, "r1")
    tracker.begin(run)
    with pytest.raises(KeyboardInterrupt):
        LocalRun("r1", run.settings, tmp_path).perform(["wait"], Console(quiet=True))
    [found] = tracker.server.client.search_runs([tracker.server.experiment_id], f"tags.`{RUN_TAG}` = 'r1'")
    assert (found.info.status, json.dumps(found.data.tags["pinsage.failure"])) == ("FAILED", '"asked to end"')
