"""`pinsage champion`: what is champion, what was decided and why, and back to an earlier version."""

import shutil
from dataclasses import replace

import pytest
from release_world import ReleaseWorld
from typer.testing import CliRunner

from pinsage.promotion.checks import Check
from pinsage.promotion.decisions import Decision
from pinsage.settings.loading import load_settings
from pinsage.store.manifest import Manifest
from pinsage.tracking.registry import CHAMPION, Registry
from pinsage.tracking.server import Server
from tasks.command_line.cli import app
from tasks.promoting.record import follow, open_decisions

MODEL = "pinsage-test-0000"  # of the releases of a ReleaseWorld
CHECKS = (Check("validation", True, "A gain of +0.01.", 0.01, 0.0), Check("churn", False, "Too much.", 0.99, 0.95))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> ReleaseWorld:
    """Two versions in MLflow and released, of which the second is champion; a third one was refused."""
    folder = tmp_path_factory.mktemp("champion")
    world = ReleaseWorld(folder)
    world.versions = [world.release(1), world.release(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        client = Server(load_settings().tracking, folder).client
        client.create_registered_model(MODEL)
        for _ in range(3):
            client.create_model_version(MODEL, f"{folder}/model")
        client.set_registered_model_alias(MODEL, CHAMPION, "2")
    decisions = open_decisions(folder)
    for decision in (
        Decision("promoted", MODEL, 1, None, "First version.", "run r1", CHECKS[:1]),
        Decision("promoted", MODEL, 2, 1, "It gained.", "run r2", CHECKS[:1]),
        Decision("refused", MODEL, 3, 2, "Not promoted.", "run r3", CHECKS),
    ):
        decisions.record(decision, decisions.history(MODEL))
    return world


@pytest.fixture
def world(made, tmp_path, monkeypatch) -> ReleaseWorld:
    """A copy of it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    world = ReleaseWorld(shutil.copytree(made.store.home, tmp_path / "home"))
    world.versions = made.versions
    return world


def champion(world, *arguments):
    """The answer of `pinsage champion ARGUMENTS`."""
    command = ["champion", *arguments, "--home", str(world.store.home)]
    return CliRunner().invoke(app, command, env={"COLUMNS": "220"})


def registered(world) -> int:
    """The number of the champion in MLflow."""
    return Registry(Server(load_settings().tracking, world.store.home), MODEL).champion().number


def test_an_alias_that_comes_late_follows_the_newest_decision(world):
    """A host slept between its decision and the alias, and another one decided meanwhile."""
    home = world.store.home
    registry, decisions = Registry(Server(load_settings().tracking, home), MODEL), open_decisions(home)
    follow(decisions.history(MODEL)[0], registry.version(1), registry, decisions)
    assert registered(world) == 2


def test_show_names_the_champion_of_each_data_set(world):
    """And the decision that made it champion."""
    answer = champion(world, "show")
    [line] = [line for line in answer.stdout.splitlines() if MODEL in line]
    assert [word in line for word in ("│ 2 ", "promoted", "It gained.")] == [True] * 3


def test_history_lists_every_decision_the_newest_first(world):
    """With the checks that failed."""
    lines = [line for line in champion(world, "history").stdout.splitlines() if "run r" in line]
    assert [line.split("│")[2].strip() for line in lines] == ["refused", "promoted", "promoted"]
    assert [line.split("│")[5].strip() for line in lines] == ["churn", "", ""]


def test_why_shows_each_check_with_value_and_limit(world):
    """Of the version that is asked, and of no other."""
    shown = champion(world, "why", "3").stdout
    assert "refused: version 3 of pinsage-test-0000, before it champion 2; by run r3" in shown
    [line] = [line for line in shown.splitlines() if "churn" in line]
    assert [part.strip() for part in line.split("│")[1:-1]] == ["churn", "failed", "0.99", "0.95", "Too much."]
    assert "It gained." not in shown


def test_a_rollback_moves_champion_and_release_and_is_recorded(world):
    """The alias, CURRENT, the table and MLflow's tags say the same."""
    answer = champion(world, "rollback", "1", "--reason", "Version 2 shows sold-out pins.")
    assert answer.exit_code == 0, answer.output
    assert "Version 1 of pinsage-test-0000 is champion again, version 2 was before." in answer.stdout
    assert f"CURRENT names {world.versions[0]}." in answer.stdout
    assert (registered(world), world.releases.current().version) == (1, world.versions[0])
    last = open_decisions(world.store.home).history(MODEL)[-1]
    assert (last.kind, last.version, last.champion, last.reason) == ("rollback", 1, 2, "Version 2 shows sold-out pins.")
    assert last.by
    assert "rollback: version 1" in champion(world, "why", "2").stdout


def test_a_rollback_leaves_the_release_of_another_data_set_alone(world):
    """A store serves one data set, and that may be another one by now."""
    bucket = world.store.bucket("releases")
    current = bucket.read("CURRENT")
    folder = world.releases.folder(world.versions[1])
    manifest = Manifest.read(folder)
    other = replace(manifest, facts={**manifest.facts, "model_name": "pinsage-other-0000"})
    (folder / "manifest.json").write_text(other.to_json())
    answer = champion(world, "rollback", "1", "--reason", "Why not.")
    assert "CURRENT is left as it was" in answer.stdout
    assert (registered(world), bucket.read("CURRENT")) == (1, current)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rollback", "2", "--reason", "x"], "is the champion already"),
        (["rollback", "9", "--reason", "x"], "has no version 9"),
        (["rollback", "1", "--reason", " "], "A rollback needs a reason"),
        (["why", "9"], "Nothing was decided on version 9"),
        (
            ["history", "--model", "nobody"],
            "Nothing was decided on a model 'nobody'. There are decisions on: pinsage-test",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(world, arguments, sentence):
    """And changes nothing."""
    answer = champion(world, *arguments)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert sentence in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert (registered(world), len(open_decisions(world.store.home).history(MODEL))) == (2, 3)


@pytest.mark.parametrize("command", [["show"], ["history"], ["why", "1"], ["rollback", "1", "--reason", "x"]])
def test_before_the_first_run_there_is_nothing_to_show(tmp_path, command):
    """One sentence, with what to do."""
    answer = CliRunner().invoke(app, ["champion", *command, "--home", str(tmp_path)])
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "No champion has been decided on" in answer.stderr
