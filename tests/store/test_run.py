"""A run remembers what was asked and what each stage answered."""

import pytest

from pinsage.config import load_settings
from pinsage.errors import ArtifactMissingError, RunRecordError
from pinsage.store.run import RunStore, StageResult

RESULT = StageResult("walk", "abc", 1.5, False, {"hops_per_s": 3.0})


def test_a_stage_result_is_read_back(tmp_path):
    """What one task records, another process reads."""
    RunStore(tmp_path).open_or_start("r1", load_settings()).record(RESULT)
    assert RunStore(tmp_path).open("r1").result("walk") == RESULT
    assert RunStore(tmp_path).open("r1").results() == {"walk": RESULT}


def test_starting_a_run_again_opens_it(tmp_path):
    """A retried task finds the run of its first attempt, with the results so far."""
    RunStore(tmp_path).open_or_start("r1", load_settings(), {"dag_id": "train_pinsage"}).record(RESULT)
    again = RunStore(tmp_path).open_or_start("r1", load_settings())
    assert again.origin == {"dag_id": "train_pinsage"}
    assert again.result("walk") == RESULT


def test_a_run_with_other_settings_is_refused_with_the_difference(tmp_path):
    """Two sets of settings never share a run id."""
    RunStore(tmp_path).open_or_start("r1", load_settings())
    with pytest.raises(RunRecordError, match=r"walk\.num_walks: 500 -> 7"):
        RunStore(tmp_path).open_or_start("r1", load_settings(overrides={"walk.num_walks": 7}))


@pytest.mark.parametrize("run_id", ["", "../up", "a/b", ".hidden", "a b", "x" * 201])
def test_a_run_id_cannot_leave_its_folder(tmp_path, run_id):
    """Ids that are no plain names are refused."""
    with pytest.raises(RunRecordError, match="no run id"):
        RunStore(tmp_path).open_or_start(run_id, load_settings())


def test_run_ids_of_airflow_are_accepted(tmp_path):
    """Airflow's ids carry colons and plus signs."""
    run = RunStore(tmp_path).open_or_start("manual__2026-11-24T01:43:21.1+00:00", load_settings())
    assert RunStore(tmp_path).open(run.run_id).run_id == run.run_id


def test_a_missing_result_or_run_is_named(tmp_path):
    """The errors say which stage, and where the runs are listed."""
    run = RunStore(tmp_path).open_or_start("r1", load_settings())
    with pytest.raises(ArtifactMissingError, match="no result of 'walk'"):
        run.result("walk")
    with pytest.raises(RunRecordError, match="pinsage runs"):
        RunStore(tmp_path).open("r2")


def test_runs_are_listed_newest_first(tmp_path, monkeypatch):
    """The order is by the time of the start, not by name."""
    store = RunStore(tmp_path)
    for run_id, second in (("b", 1), ("a", 2)):
        run = store.open_or_start(run_id, load_settings())
        record = run.folder / "run.json"
        record.write_text(record.read_text().replace(run.started_at, f"2026-01-01T00:00:0{second}+00:00"))
    assert [run.run_id for run in store.all()] == ["a", "b"]
