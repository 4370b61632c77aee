"""The stage release: a champion is released once, anything else is not, and a rollback holds."""

import shutil
import time

import pytest
from evaluation_world import NUM_PINS, World, write_dataset

from pinsage.release.current import CurrentRelease
from pinsage.release.pointer import Pointer
from pinsage.release.releases import Releases
from pinsage.settings.loading import validate
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest
from pinsage.store.run import StageResult
from tasks.running.runner import run_stage
from tasks.stages import STAGES


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """All stages before promote."""
    folder = tmp_path_factory.mktemp("release")
    world = World(folder / "home", write_dataset(folder / "data"))
    for stage in ("index", "evaluate", "compare_days", "report"):
        world.publish(stage)
    return world


@pytest.fixture
def home(published, tmp_path, monkeypatch):
    """A copy of the data folder in which nothing was promoted yet."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return shutil.copytree(published.home, tmp_path / "home")


def run_at(home):
    return open_store(home).runs.open("world")


def stage(name, home) -> dict:
    """The facts of a stage, run now."""
    return run_stage(name, run_at(home), home).facts


def promoted(home) -> dict:
    """The facts of the stage promote, after which nobody was asked."""
    facts = stage("promote", home)
    assert stage("approve", home)["answer"] == "nobody is asked"
    return facts


def gate_says(home, **facts) -> None:
    """Overwrite what the stage promote said."""
    run = run_at(home)
    before = run.result("promote")
    run.record(StageResult("promote", before.key, 0.0, False, {**before.facts, **facts}))


def test_the_champion_is_released_and_served(home):
    """The real registry, the real artifacts: what was trained answers, by the owner's ids."""
    name = promoted(home)["model_name"]
    facts = stage("release", home)
    assert (facts["is_new"], facts["is_current"], facts["reason"]) == (
        True, True, f"Version 1 of {name} is released, CURRENT names it.",
    )  # fmt: skip
    assert name.startswith("pinsage-data-")
    release = CurrentRelease(open_store(home)).release()
    assert release.version == facts["release"]
    assert (release.facts["pins"], release.facts["model_version"], release.facts["run_id"]) == (NUM_PINS, 1, "world")
    assert len(release.related("pin-00", 5).pin_ids) == 5


def test_releasing_again_releases_nothing_again(home):
    """Whatever is repeated."""
    promoted(home)
    first = stage("release", home)
    again = stage("release", home)
    assert (again["release"], again["is_new"], again["is_current"]) == (first["release"], False, True)
    assert Releases(open_store(home)).versions() == [first["release"]]


def test_a_model_that_is_not_champion_is_not_released(home):
    """And the fact says why."""
    name = stage("promote", home)["model_name"]
    gate_says(home, is_champion=False, model_version=7)
    stage("approve", home)
    facts = stage("release", home)
    assert (facts["release"], facts["reason"]) == ("", f"Version 7 of {name} is not the champion: nothing to release.")
    assert Releases(open_store(home)).versions() == []


def test_a_model_that_lost_the_championship_meanwhile_is_not_pointed_at(home):
    """The gate said yes, but the registry names another version by now."""
    promoted(home)
    gate_says(home, model_version=2)
    stage("approve", home)
    facts = stage("release", home)
    assert (facts["is_new"], facts["is_current"]) == (True, False)
    assert "Another version became champion meanwhile" in facts["reason"]


def test_a_rollback_is_not_undone_by_a_retry(home):
    """A release that has served once is not pointed at again."""
    promoted(home)
    releases = Releases(open_store(home))
    first = stage("release", home)["release"]
    other = first.replace("-v1-", "-v2-")
    store = open_store(home).bucket("releases")
    pointer = Pointer.first(other).after_release(first).after_rollback(other)
    store.replace("CURRENT", pointer.to_json())
    facts = stage("release", home)
    assert (facts["release"], facts["is_current"]) == (first, False)
    assert releases.current().version == other


def test_a_release_whose_writer_died_before_pointing_is_pointed_at(home):
    """The retry finds it and goes on from there."""
    promoted(home)
    first = stage("release", home)["release"]
    open_store(home).bucket("releases").remove("CURRENT")
    facts = stage("release", home)
    assert (facts["release"], facts["is_new"], facts["is_current"]) == (first, False, True)


def test_a_run_done_again_is_compared_with_what_it_replaced(home):
    """Its own release does not make its report anew: the key is that of the first time."""
    first = run_at(home).result("report")
    promoted(home)
    stage("release", home)
    again = run_stage("report", run_at(home), home)
    assert (again.key, again.reused) == (first.key, True)


def test_another_model_is_compared_with_the_release(home, published):
    """The release enters the key and the explorer."""
    promoted(home)
    version = stage("release", home)["release"]
    settings = published.settings.model_copy(
        update={"index": published.settings.index.model_copy(update={"num_trees": 7})}
    )
    run = open_store(home).runs.open_or_start("other", settings)
    for name in list(STAGES)[: list(STAGES).index("report") + 1]:
        run_stage(name, run, home)
    facts, manifest = run.result("report").facts, Manifest.read(folder_of("report", run, home))
    assert manifest.identity == {"champion": version}
    assert (facts["champion"], facts["pins_compared"], facts["overlap_at_10"]) == (version, NUM_PINS, 1.0)


def test_a_damaged_release_does_not_keep_a_report_from_being_made(home):
    """It is passed over, with a warning; there is none before it."""
    promoted(home)
    version = stage("release", home)["release"]
    embeddings = Releases(open_store(home)).folder(version) / "embeddings.npy"
    embeddings.chmod(0o644)
    embeddings.write_bytes(b"")
    assert Releases(open_store(home)).predecessor_of("another index") == ""


def folder_of(name, run, home):
    """The folder of an artifact of a run."""
    return open_store(home).artifacts.folder(name, run.result(name).key)


def test_the_first_model_of_another_data_set_is_its_champion(home):
    """It competes with no model of other pins, and the release says that CURRENT has left these."""
    name = promoted(home)["model_name"]
    stage("release", home)
    store, first = open_store(home), run_at(home)
    other = store.runs.open_or_start("other", validate({**dict(first.settings), "tracking": {"model_name": "other"}}))
    for result in first.results().values():
        other.record(result)
    facts = run_stage("promote", other, home).facts
    run_stage("approve", other, home)
    assert (facts["model_name"], facts["model_version"], facts["is_champion"]) == ("other", 1, True)
    time.sleep(1)  # the same index, and the same number: only the second tells the two releases apart
    released = run_stage("release", other, home).facts
    assert released["is_current"]
    assert f"Before, it named a release of {name}: a store serves one data set at a time." in released["reason"]
