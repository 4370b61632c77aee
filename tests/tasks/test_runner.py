"""A stage is done once per key, whoever asks."""

import sys
from types import SimpleNamespace

import pytest

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from pinsage.store.uses import USES, read_uses
from tasks.running import runner
from tasks.running.work import StageWork
from tasks.stages import STAGES, Stage


class Calls(list):
    """Stands where a stage's module would: writes one file and counts."""

    def count_words(self, work: StageWork) -> dict[str, int]:
        self.append(work)
        (work.out / "count.txt").write_text(str(work.settings.walk.num_walks))
        return {"walks": work.settings.walk.num_walks}


@pytest.fixture
def calls(monkeypatch):
    """A one-stage table whose stage `count_words` is real code in this file."""
    calls = Calls()
    monkeypatch.setitem(sys.modules, "tasks.count_words", SimpleNamespace(count_words=calls.count_words))
    monkeypatch.setitem(STAGES, "count_words", Stage("count_words", 1, (), ("walk",), "Count."))
    return calls


def start(home, run_id, **walk) -> Run:
    settings = load_settings(overrides={f"walk.{name}": value for name, value in walk.items()})
    return open_store(home).runs.open_or_start(run_id, settings)


def test_a_second_run_with_the_same_settings_reuses_the_artifact(tmp_path, calls):
    """The function is called once; the second run records the same key, facts and that it was reused."""
    first = runner.run_stage("count_words", start(tmp_path, "r1"), tmp_path)
    second = runner.run_stage("count_words", start(tmp_path, "r2"), tmp_path)
    assert len(calls) == 1
    assert (first.reused, second.reused) == (False, True)
    assert (first.key, first.facts) == (second.key, second.facts)


def test_another_setting_is_another_artifact(tmp_path, calls):
    """A setting of the stage's sections changes the key; an execution setting does not."""
    keys = [
        runner.run_stage("count_words", start(tmp_path, f"r{n}", **walk), tmp_path).key
        for n, walk in enumerate([{}, {"num_walks": 7}, {"num_partitions": 9}])
    ]
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


def test_a_stage_marks_its_artifact_before_it_works_and_when_it_reuses_it(tmp_path, calls, monkeypatch):
    """So that who removes old artifacts leaves it: a running stage's, and one that an old run has made."""
    seen, count_words = [], calls.count_words
    marks = open_store(tmp_path).bucket(USES)

    def look_then_count(work):
        seen.extend(read_uses(marks))
        return count_words(work)

    monkeypatch.setattr(sys.modules["tasks.count_words"], "count_words", look_then_count)
    result = runner.run_stage("count_words", start(tmp_path, "r1"), tmp_path)
    assert [(use.ref, use.run_id) for use in seen] == [(("count_words", result.key), "r1")]
    runner.run_stage("count_words", start(tmp_path, "r2"), tmp_path)
    assert {use.run_id for use in read_uses(marks)} == {"r1", "r2"}


def test_a_damaged_artifact_is_not_reused(tmp_path, calls):
    """Reuse verifies first."""
    result = runner.run_stage("count_words", start(tmp_path, "r1"), tmp_path)
    (tmp_path / "artifacts" / "count_words" / result.key / "count.txt").write_text("tampered")
    with pytest.raises(ArtifactDamagedError, match=r"count\.txt"):
        runner.run_stage("count_words", start(tmp_path, "r2"), tmp_path)


def test_the_scratch_of_an_attempt_that_was_killed_when_it_had_published_goes_with_the_next_run(tmp_path, calls):
    """It is as large as a training's checkpoints."""
    result = runner.run_stage("count_words", start(tmp_path, "r1"), tmp_path)
    scratch = open_store(tmp_path).scratch("count_words", result.key)
    scratch.mkdir()
    (scratch / "step-4.json").write_text("{}")
    runner.run_stage("count_words", start(tmp_path, "r2"), tmp_path)
    assert not scratch.exists()


def test_a_stage_without_an_artifact_leaves_no_scratch(tmp_path, calls, monkeypatch):
    """It has the folder while it works."""
    monkeypatch.setitem(STAGES, "count_words", Stage("count_words", 1, (), ("walk",), "Count.", has_artifact=False))
    result = runner.run_stage("count_words", start(tmp_path, "r1"), tmp_path)
    assert not open_store(tmp_path).scratch("count_words", result.key).exists()
    assert len(calls) == 1


def test_a_stage_before_its_inputs_is_refused(tmp_path):
    """The sentence names the stage to run first."""
    with pytest.raises(ArtifactMissingError, match="no result of 'connect'"):
        runner.run_stage("walk", start(tmp_path, "r1"), tmp_path)


def test_the_table_is_a_staircase():
    """Every stage reads only stages above it, and knows only settings that exist."""
    names = list(STAGES)
    for place, stage in enumerate(STAGES.values()):
        assert set(stage.inputs) <= set(names[:place])
        assert all(hasattr(load_settings(), section) for section in stage.sections)
