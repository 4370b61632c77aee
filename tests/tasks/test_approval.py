"""A person's word before a model goes live: asked, answered once, followed by the alias and the release."""

import shutil
from pathlib import Path

import pytest
from evaluation_world import World, write_dataset
from typer.testing import CliRunner

from pinsage.errors import InputError
from pinsage.release.contents import ModelVersion
from pinsage.release.releases import Releases
from pinsage.settings.loading import flat, load_settings
from pinsage.store.deployment import open_store
from pinsage.tracking.registry import CHAMPION, Registry, Version
from pinsage.tracking.server import Server
from tasks.command_line.cli import app
from tasks.promoting.approval import answer_for
from tasks.promoting.record import follow, last_decision, open_decisions
from tasks.promoting.rollback import roll_back
from tasks.running.runner import run_stage

NAME = "pinsage-approval"
LOOSE = {f"promote.{name}": -1 for name in ("min_gain", "min_cold_gain")} | {"promote.max_churn": 1}
ASKS = {**LOOSE, "promote.require_approval": True, "tracking.model_name": NAME}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A data folder with a first champion, released, and a second model whose promote left it waiting."""
    folder = tmp_path_factory.mktemp("approval")
    data, home = write_dataset(folder / "data"), folder / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for run_id, settings in (("first", {**ASKS, "promote.require_approval": False}), ("second", ASKS)):
            seed = {"train.seed": len(run_id), "train.steps": 8 + len(run_id)}
            world = World(home, data, run_id=run_id, **settings, **seed)
            for stage in ("index", "evaluate", "compare_days", "report"):
                world.publish(stage)
            for stage in ("promote", "approve", "release"):
                run_stage(stage, world.run, home)
    return home


@pytest.fixture
def home(made, tmp_path, monkeypatch) -> Path:
    """A copy of the data folder, its MLflow included."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return shutil.copytree(made, tmp_path / "home")


def registry(home: Path) -> Registry:
    """The registered model of these tests."""
    return Registry(Server(load_settings().tracking, home), NAME)


def champion(home: Path) -> int:
    """The number of the champion in MLflow."""
    return registry(home).champion().number


def stage(home: Path, name: str, run_id: str = "second") -> dict:
    """The facts of a stage, run now."""
    return run_stage(name, open_store(home).runs.open(run_id), home).facts


def kinds(home: Path) -> list[str]:
    """The kinds of all decisions, the oldest first."""
    return [decision.kind for decision in open_decisions(home).history(NAME)]


def decision_on_2(home):
    """The newest decision on version 2."""
    return last_decision(ModelVersion(NAME, 2), open_decisions(home).history(NAME))


def serving(home: Path) -> int:
    """The number of the version that CURRENT serves."""
    releases = Releases(open_store(home))
    return releases.manifest(releases.current().version).facts["model_version"]


def say(home: Path, *, approves: bool, by: str = "anna", note: str = "") -> str:
    """Answer for the second run; the kind of the decision."""
    return answer_for("second", home, approves=approves, by=by, note=note).kind


def command(home: Path, *arguments: str):
    """The answer of `pinsage champion ARGUMENTS`."""
    return CliRunner().invoke(app, ["champion", *arguments, "--home", str(home)], env={"COLUMNS": "220"})


def test_a_model_that_passed_waits_and_is_not_released(home):
    """Nothing moves; the reasons say what it waits for, in the table and in MLflow."""
    assert (kinds(home), champion(home), serving(home)) == (["promoted", "waiting"], 1, 1)
    facts = open_store(home).runs.open("second").result("release").facts
    assert facts["release"] == ""
    assert "waits for an approval: nothing to release. `pinsage champion approve 2`" in facts["reason"]
    tags = registry(home).version(2).tags
    assert tags["pinsage.decision_kind"] == "waiting"
    assert tags["pinsage.decision"].startswith("Waits for an approval. Against champion 1, all 10 checks passed.")


def test_the_question_shows_every_check_and_where_the_pages_are(home):
    """A row each, with value, limit and verdict."""
    facts = stage(home, "approve")
    assert (facts["answer"], facts["is_champion"]) == ("waiting", False)
    checks = decision_on_2(home).checks
    rows = [line.split(" | ") for line in facts["question"].splitlines() if line.startswith("| ")][1:]
    assert [row[0].strip("| ") for row in rows] == [check.name for check in checks]
    recall = next(check for check in checks if check.name == "index_recall")
    assert f"| index_recall | passed | {recall.value:.4g} | {recall.limit:.4g} |" in facts["question"]
    folder = open_store(home).artifacts.folder("report", open_store(home).runs.open("second").result("report").key)
    assert f"`{folder}/report.html`" in facts["question"]


def test_an_approval_is_recorded_and_released(home):
    """By whom, with the note and the same checks; then the run goes on."""
    waiting = decision_on_2(home)
    assert say(home, approves=True, note="Looked at the explorer") == "approved"
    decision = decision_on_2(home)
    assert (decision.by, decision.reason) == ("anna", "Approved by anna. Looked at the explorer.")
    assert decision.checks == waiting.checks
    assert champion(home) == 2
    assert registry(home).version(2).tags["pinsage.decision_by"] == "anna"
    assert stage(home, "approve")["is_champion"]
    assert stage(home, "release")["is_current"]
    assert serving(home) == 2


def test_a_rejection_releases_nothing_and_the_run_ends_well(home):
    """The stages after it succeed, and say so."""
    assert say(home, approves=False) == "rejected"
    assert stage(home, "approve")["answer"] == "rejected"
    assert stage(home, "release")["reason"] == f"Version 2 of {NAME} is refused: nothing to release."
    assert (champion(home), serving(home)) == (1, 1)


def test_a_task_that_runs_again_adds_nothing(home):
    """Whichever of the three, after either answer."""
    for name in ("promote", "approve", "release"):
        stage(home, name)
    assert kinds(home) == ["promoted", "waiting"]
    say(home, approves=True)
    say(home, approves=True)
    for name in ("promote", "approve", "release", "promote", "approve", "release"):
        stage(home, name)
    assert (kinds(home), champion(home), serving(home)) == (["promoted", "waiting", "approved"], 2, 2)


def test_an_answer_whose_process_was_killed_is_completed(home, monkeypatch):
    """Recorded, but MLflow did not hear of it: the second try moves the alias."""
    monkeypatch.setattr("tasks.promoting.approval.follow", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        say(home, approves=True)
    assert (kinds(home)[-1], champion(home)) == ("approved", 1)
    monkeypatch.setattr("tasks.promoting.approval.follow", follow)
    say(home, approves=True)
    assert (kinds(home), champion(home)) == (["promoted", "waiting", "approved"], 2)


def test_a_retry_of_an_approval_does_not_undo_a_rollback(home):
    """The alias stays where a later decision moved it."""
    say(home, approves=True)
    roll_back(ModelVersion(NAME, 1), registry(home), home, reason="Sold-out pins.", by="ben")
    say(home, approves=True)
    assert (kinds(home)[-1], champion(home)) == ("rollback", 1)


def test_an_approval_after_the_champion_changed_is_refused(home):
    """The checks were made against another one; a rejection needs no such care."""
    other = registry(home).server.client.create_model_version(NAME, f"{home}/model")
    registry(home).point(CHAMPION, Version(int(other.version), {}))
    with pytest.raises(
        InputError, match=r"was checked against champion 1, and now there is champion 3\. Run its stage"
    ):
        say(home, approves=True)
    assert (kinds(home)[-1], champion(home)) == ("waiting", 3)
    assert say(home, approves=False) == "rejected"


def test_another_answer_is_refused_and_silence_changes_none(home):
    """The first answer stands; a question that runs out in Airflow meanwhile is no second one."""
    say(home, approves=True)
    with pytest.raises(InputError, match=r"does not wait for an approval: Approved by anna\."):
        say(home, approves=False)
    assert say(home, approves=False, by="") == "approved"
    assert champion(home) == 2


def test_silence_is_a_rejection_that_is_asked_again(home):
    """Nobody has said anything about the model: the next run over the same data asks once more."""
    assert say(home, approves=False, by="") == "rejected"
    assert decision_on_2(home).reason == "Rejected: nobody answered in time."
    assert registry(home).version(2).tags["pinsage.decision_by"] == "nobody"
    assert stage(home, "promote")["is_waiting"]


def test_a_rejected_model_is_not_asked_for_again(home):
    """A person has said no: the next run over the same data is refused by that."""
    say(home, approves=False, note="Cats among the recipes")
    facts = stage(home, "promote")
    assert not facts["is_waiting"]
    assert facts["reason"].endswith("withdrawn: Rejected by anna. Cats among the recipes.")
    assert stage(home, "approve")["answer"] == "nobody is asked"


def test_an_override_is_asked_for_like_any_other(home):
    """Whoever fills in the trigger form does not decide alone."""
    say(home, approves=False)
    store = open_store(home)
    second = store.runs.open("second")
    settings = {**flat(second.settings), "promote.override_reason": "The old one is worse."}
    run = store.runs.open_or_start("override", load_settings(overrides=settings))
    for result in second.results().values():
        run.record(result)
    assert run_stage("promote", run, home).facts["is_waiting"]
    decision = decision_on_2(home)
    assert "an override is asked for, because: The old one is worse. 1 of 11 checks failed." in decision.reason
    assert "| withdrawn | **failed** |" in run_stage("approve", run, home).facts["question"]


def test_the_command_line_approves_and_releases(home):
    """What a run in a shell left waiting; `history` and `why` show who did it."""
    answer = command(home, "approve", "2", "--note", "Fine.")
    assert answer.exit_code == 0, answer.output
    assert f"Version 2 of {NAME}: Approved by " in answer.stdout
    assert f"Version 2 of {NAME} is released, CURRENT names it." in answer.stdout
    assert (champion(home), serving(home)) == (2, 2)
    rows = [line.split("│") for line in command(home, "history").stdout.splitlines() if "│" in line]
    assert [row[2].strip() for row in rows if row[1].strip()] == ["approved", "waiting", "promoted"]
    assert "approved: version 2" in command(home, "why", "2").stdout


def test_the_command_line_rejects(home):
    """And releases nothing."""
    answer = command(home, "reject", "2", "--note", "Cats among the recipes.")
    assert answer.exit_code == 0, answer.output
    assert ". Cats among the recipes." in answer.stdout
    assert (kinds(home)[-1], champion(home), serving(home)) == ("rejected", 1, 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["approve", "1"], "does not wait for an approval: Promoted."), (["reject", "7"], "There is no Version 7 of")],
)
def test_a_version_that_does_not_wait_is_named_in_one_sentence(home, arguments, sentence):
    """And nothing is recorded."""
    answer = command(home, *arguments)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert sentence in answer.stderr
    assert kinds(home) == ["promoted", "waiting"]
