"""A refresh: the model that serves on newer tables, from the data set to the release, with the real stages."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refresh_world import add_pin, champion, current, refresh, train_and_release, vectors
from typer.testing import CliRunner

from pinsage.errors import InputError, RunRecordError, SettingsError
from pinsage.release.releases import Releases
from pinsage.store.deployment import open_store
from pinsage.store.run import StageResult
from tasks.command_line.cli import app
from tasks.running.refresh import open_refresh, served_model
from tasks.running.runner import run_stage
from tasks.stages import REFRESH_STAGES, STAGES

TOPIC = [f"pin-{pin:02d}" for pin in range(1, 40, 2)]  # on the odd boards, with pictures of the sea


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data folder in which a model was trained and released, and the data set beside it."""
    return train_and_release(tmp_path_factory.mktemp("refresh"))


@pytest.fixture
def home(trained, tmp_path) -> Path:
    """A copy of the data folder."""
    return shutil.copytree(trained / "home", tmp_path / "home")


@pytest.fixture
def tables(trained, tmp_path) -> Path:
    """A copy of the data set."""
    return shutil.copytree(trained / "data", tmp_path / "data")


def remove_pin(tables: Path, pin_id: str) -> None:
    """Remove a pin and its saves from a data set."""
    for name in ("pins", "saves"):
        before = pq.read_table(tables / f"{name}.parquet")
        pq.write_table(before.filter(pa.compute.not_equal(before["pin_id"], pin_id)), tables / f"{name}.parquet")


def test_over_unchanged_tables_a_refresh_makes_nothing(home, tables):
    """All artifacts are those of the training, which has been released before."""
    run, model = refresh(home, tables), champion(home)
    made = [name for name, stage in REFRESH_STAGES.items() if stage.has_artifact]
    assert {name: run.result(name).key for name in made} == {name: model.result(name).key for name in made}
    assert all(run.result(name).reused for name in made)
    assert (run.result("gate").facts["churn"], run.result("release").facts["is_new"]) == (0, False)


def test_a_pin_that_touches_nobody_leaves_the_others_as_they_were(home, tables):
    """Its row shifts all rows after it, so ids, boards, sessions and words must be found by their names.

    Sums of float32 are taken in other chunks of pins, whence the tolerance.
    """
    before = vectors(home, champion(home))
    add_pin(tables, "pin-20-and-a-half", annotations=["sea"])
    after = vectors(home, refresh(home, tables))
    assert max(np.abs(after[pin_id] - before[pin_id]).max() for pin_id in before) <= 1e-5
    assert np.linalg.norm(after["pin-20-and-a-half"]) == pytest.approx(1, abs=1e-5)


def test_a_network_whose_ids_are_not_moved_is_noticed(home, tables, monkeypatch):
    """The test above can fail: with the rows of the training the embeddings are others."""
    monkeypatch.setattr("tasks.adopt.rows_among", lambda ids, known: np.arange(len(ids), dtype=np.int32) % len(known))
    before = vectors(home, champion(home))
    add_pin(tables, "a-first-pin")
    after = vectors(home, refresh(home, tables))
    assert max(np.abs(after[pin_id] - before[pin_id]).max() for pin_id in before) > 1e-3


def test_a_new_pin_with_saves_goes_with_its_interest(home, tables):
    """Nothing but its boards speaks for it; the old pins stay near to where they were."""
    before = vectors(home, champion(home))
    add_pin(tables, "newcomer", [f"board-{board}" for board in (1, 3, 5, 7, 9)])
    run = refresh(home, tables)
    after = vectors(home, run)
    assert run.result("train").facts["new_pins"] == 1
    assert sum(pin_id in TOPIC for pin_id in current(home).related("newcomer", 5).pin_ids) >= 4
    assert min(float(after[pin_id] @ before[pin_id]) for pin_id in before) > 0.8
    assert np.mean([after[pin_id] @ before[pin_id] for pin_id in before]) > 0.97


def test_a_new_board_is_read_by_the_pins_it_shares_with_old_ones(home, tables):
    """A pin that is on no other board goes with them all the same."""
    boards = pq.read_table(tables / "boards.parquet")
    pq.write_table(pa.concat_tables([boards, pa.table({"board_id": ["new-board"]})]), tables / "boards.parquet")
    saves = pq.read_table(tables / "saves.parquet")
    rows = [{"board_id": "new-board", "pin_id": pin_id} for pin_id in [*TOPIC[:9], "newcomer"]]
    # The first of them in time, so that none is held out but the last ones.
    for place, row in enumerate(reversed(rows)):
        row["saved_at"] = saves["saved_at"][place].as_py()
    pq.write_table(pa.concat_tables([saves, pa.Table.from_pylist(rows, saves.schema)]), tables / "saves.parquet")
    add_pin(tables, "newcomer")
    run = refresh(home, tables)
    assert run.result("featurize_saves").facts["new_boards"] >= 1
    assert sum(pin_id in TOPIC for pin_id in current(home).related("newcomer", 5).pin_ids) >= 4


def test_saves_that_a_training_holds_out_may_reach_the_graph(home, tables):
    """They are the newest ones of every board: where saves are the pairs, a refresh without them learns little."""
    as_trained = refresh(home, tables, "as-trained").result("pair").facts
    all_saves = refresh(home, tables, "all-saves", **{"refresh.held_out_saves": True}).result("pair").facts
    assert as_trained["held_out_saves"] > 0 == all_saves["held_out_saves"]
    assert all_saves["training_saves"] == as_trained["training_saves"] + as_trained["held_out_saves"]


def test_a_pin_that_was_removed_is_not_found_any_more(home, tables):
    """Neither as a query nor as an answer."""
    remove_pin(tables, "pin-07")
    run = refresh(home, tables)
    assert (run.result("gate").facts["pins_removed"], run.result("gate").facts["pins_added"]) == (1, 0)
    release = current(home)
    assert release.pin_ids.find("pin-07") is None
    assert all("pin-07" not in release.related(pin_id, 10).pin_ids for pin_id in TOPIC if pin_id != "pin-07")


def test_the_release_of_a_refresh_has_the_model_and_the_figures_of_its_training(home, tables):
    """A second refresh uses the same model, not the refresh before it."""
    add_pin(tables, "pin-05b")
    run = refresh(home, tables)
    facts = run.result("release").facts
    assert (facts["is_new"], facts["is_current"]) == (True, True)
    release = current(home)
    assert (release.facts["run_id"], release.facts["model_version"]) == ("refresh", 1)
    assert "of the first ten related pins changed" in release.facts["decision"]
    metrics = open_store(home).artifacts.folder("evaluate", champion(home).result("evaluate").key) / "metrics.parquet"
    assert (Releases(open_store(home)).folder(release.version) / "metrics.parquet").read_bytes() == metrics.read_bytes()
    assert served_model(open_store(home)).run_id == "world"


def test_tables_that_become_what_they_were_serve_again(home, tables, trained):
    """Bad tables went through the gate, and the owner took them back."""
    first = current(home).version
    remove_pin(tables, "pin-07")
    refresh(home, tables, "bad")
    assert current(home).version != first
    refresh(home, trained / "data", "mended")
    assert current(home).version == first


def test_a_refresh_does_not_undo_a_rollback(home, tables):
    """What was taken back is not pointed at again by the same tables."""
    add_pin(tables, "pin-05b")
    refresh(home, tables)
    releases = Releases(open_store(home))
    back = releases.roll_back().version
    refresh(home, tables, "again")
    assert releases.current().version == back


def test_without_a_release_there_is_nothing_to_refresh(home, tables):
    """One sentence, with what to do."""
    open_store(home).bucket("releases").remove("CURRENT")
    with pytest.raises(InputError, match=r"There is no champion to refresh: nothing .* Train a model"):
        open_refresh("refresh", home, {}, {})
    answer = CliRunner().invoke(app, ["refresh", "--home", str(home)])
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "There is no champion to refresh" in answer.stderr


def test_the_gate_refuses_what_changes_too_much(home, tables):
    """The release that served goes on serving, and none is published."""
    before = current(home).version
    for pin_id in TOPIC[:8]:
        remove_pin(tables, pin_id)
    with pytest.raises(InputError, match=r"related pins changed since .*, more than refresh\.max_churn 0\.1%: nothing"):
        refresh(home, tables, **{"refresh.max_churn": 0.001})
    releases = Releases(open_store(home))
    assert (releases.current().version, releases.versions()) == (before, [before])


def test_a_model_that_serves_no_more_is_not_released(home, tables):
    """A training became champion while the refresh was under way."""
    model = champion(home)
    promoted = model.result("promote")
    model.record(StageResult("promote", promoted.key, 0.0, False, {**promoted.facts, "model_version": 7}))
    add_pin(tables, "pin-05b")
    facts = refresh(home, tables).result("release").facts
    assert (facts["release"], facts["is_current"]) == ("", False)
    assert "Version 7 of pinsage-data-" in facts["reason"]
    assert "does not serve any more" in facts["reason"]


def test_settings_of_the_model_cannot_be_set(home, tables):
    """They are those of its training; where and how something runs is free."""
    with pytest.raises(SettingsError, match=r"A refresh cannot set walk\.num_neighbors"):
        open_refresh("refresh", home, {"walk.num_neighbors": 3}, {})
    run = open_refresh("refresh", home, {"walk.num_partitions": 2, "data.dataset": str(tables)}, {})
    assert (run.settings.walk.num_neighbors, run.settings.walk.num_partitions) == (39, 2)


def test_a_place_that_is_not_allowed_is_in_no_record(home, monkeypatch):
    """Nor is a password: records, logs and pages would show it."""
    with pytest.raises(SettingsError, match=r"data\.dataset is a URL with a password"):
        open_refresh("refresh", home, {"data.dataset": "s3://key:hunter2@pins/tables"}, {})
    monkeypatch.setenv("PINSAGE_ALLOWED", "")
    with pytest.raises(SettingsError, match="outside of what this deployment allows"):
        open_refresh("refresh", home, {"data.dataset": "/etc"}, {})
    assert not open_store(home).runs.has("refresh")


def test_a_model_of_other_code_is_not_refreshed(home, monkeypatch):
    """What the network reads would be made otherwise than in its training."""
    monkeypatch.setitem(STAGES, "walk", replace(STAGES["walk"], version=99))
    with pytest.raises(InputError, match="trained on what walk made then"):
        open_refresh("refresh", home, {}, {})


def test_a_refresh_that_goes_on_keeps_its_model_and_a_training_is_no_refresh(home, tables):
    """A retry finds the run; a run that trains has stages of its own."""
    run = open_refresh("refresh", home, {"data.dataset": str(tables)}, {})
    open_store(home).bucket("releases").remove("CURRENT")
    assert open_refresh("refresh", home, {}, {}).model_run == run.model_run == "world"
    with pytest.raises(RunRecordError, match="trains a model of its own"):
        open_refresh("world", home, {}, {})
    with pytest.raises(SettingsError, match="has no stage 'evaluate'"):
        run_stage("evaluate", run, home)


def test_the_command_says_what_came_of_it(home, tables):
    """Stages, pins, the gate and the release, on one screen."""
    add_pin(tables, "pin-05b")
    arguments = ["refresh", "--dataset", tables, "--home", home, "--set", "refresh.max_churn=1"]
    answer = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert answer.exit_code == 0, answer.output
    assert "with the model of run world" in answer.stdout
    assert "1 came, 0 went since" in answer.stdout
    assert "is released, CURRENT names it." in answer.stdout
