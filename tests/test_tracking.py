"""One MLflow run per pipeline run, whatever happens to the processes that write to it."""

import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from pinsage.errors import TrackingError
from pinsage.settings.loading import flat, load_settings
from pinsage.settings.schema import Settings
from pinsage.store.bucket import FolderBucket
from pinsage.store.deployment import open_store
from pinsage.store.run import Run, StageResult
from pinsage.tracking.days import days_server, log_day
from pinsage.tracking.names import registered_model, run_name
from pinsage.tracking.points import metric_name
from pinsage.tracking.registry import CHALLENGER, CHAMPION, Registry, Version
from pinsage.tracking.server import Server
from pinsage.tracking.tracker import FAILURE_TAG, RUN_TAG, Tracker, open_tracker

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A data folder with one MLflow database, which takes seconds to set up."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _no_server_of_the_machine(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def run(home, request) -> Run:
    """A run of its own for each test, which has ingested a data set."""
    settings = load_settings(overrides={"data.dataset": "/data/demo", "evaluate.ranks": [10, 50]})
    origin = {"dag_id": "train_pinsage", "airflow_url": "http://127.0.0.1:8080/dags/x"}
    run = open_store(home).runs.open_or_start(request.node.name.split("[")[0], settings, origin)
    run.record(StageResult("ingest", "0123456789abcdef0123", 1.0, False, {"pins": 7}))
    return run


def tracker_of(run: Run, home: Path) -> Tracker:
    """The tracker that a fresh process would open."""
    return open_tracker(run.settings, home, run.run_id)


def runs_named(tracker: Tracker) -> list:
    query = f"tags.`{RUN_TAG}` = '{tracker.run_id}'"
    return tracker.server.client.search_runs([tracker.server.experiment_id], query)


def named(folder: Path, settings: Settings) -> str:
    """The name of a run that began in May."""
    return run_name(Run(FolderBucket(folder), "r", settings, {}, "2026-05-01T07:30:00+00:00"))


def steps_of(tracker: Tracker, metric: str) -> list[int]:
    return [point.step for point in tracker.server.client.get_metric_history(tracker.mlflow_run_id, metric)]


def test_a_pipeline_run_has_one_mlflow_run_whoever_begins_it(run, home):
    """Four processes begin the same run; MLflow holds one, which is running."""
    ids = {tracker_of(run, home).begin(run) for _ in range(4)}
    found = runs_named(tracker_of(run, home))
    assert ids == {found[0].info.run_id}
    assert found[0].info.status == "RUNNING"


def test_a_finished_run_stays_finished_when_a_stage_runs_again(run, home):
    """Ingest begins it again, and nothing after it would end it."""
    tracker = tracker_of(run, home)
    tracker.begin(run)
    tracker.finish(run)
    again = tracker_of(run, home)
    assert again.begin(run) == tracker.mlflow_run_id
    assert runs_named(again)[0].info.status == "FINISHED"


def test_processes_that_begin_at_once_share_one_mlflow_run(run, home):
    """Find-or-create is no race: two attempts that start together end with one run."""
    begin_at_once(run, [home, home])
    assert len(runs_named(tracker_of(run, home))) == 1


def test_hosts_that_begin_at_once_share_one_mlflow_run(run, home, store_on_s3, tmp_path, monkeypatch):
    """They have no folder in common, only the store and the MLflow server."""
    tracker = tracker_of(run, home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.server.uri)
    assert tracker.server.experiment_id  # the database is there, as a server's would be
    store_on_s3.runs.open_or_start(run.run_id, run.settings, run.origin)
    begin_at_once(run, [tmp_path / "one", tmp_path / "two"])
    assert len(runs_named(tracker)) == 1


def begin_at_once(run: Run, homes: list[Path]) -> None:
    """Begin the MLflow run of a pipeline run in processes with these data folders, at the same time."""
    code = (
        "import sys; from pathlib import Path; from pinsage.store.deployment import open_store;"
        "from pinsage.tracking.tracker import open_tracker; home = Path(sys.argv[1]);"
        "run = open_store(home).runs.open(sys.argv[2]); open_tracker(run.settings, home, run.run_id).begin(run)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(home), run.run_id], cwd=ROOT) for home in homes]
    assert [process.wait(300) for process in started] == [0] * len(homes)


def test_settings_origin_and_data_set_are_logged(run, home):
    """All settings by their flat names, where the run came from, and the digest of what it read, once."""
    tracker = tracker_of(run, home)
    for _ in range(2):
        tracker.begin(run, code_version="0.1.0+abc123")
    logged = runs_named(tracker)[0]
    assert set(logged.data.params) == set(flat(run.settings))
    assert logged.data.params["evaluate.ranks"] == "[10, 50]"
    assert logged.data.tags["mlflow.source.git.commit"] == "abc123"
    assert logged.data.tags["pinsage.origin.airflow_url"].endswith("/dags/x")
    assert [item.dataset.digest for item in logged.inputs.dataset_inputs] == ["0123456789abcdef0123"]


def test_the_experiment_opens_in_the_view_for_trained_models(run, home):
    """Also one that was made by hand, whose own tags stay."""
    settings = load_settings(overrides={"tracking.experiment": "by hand"})
    client = Server(settings.tracking, home).client
    made = client.create_experiment("by hand", (home / "mlflow/files").as_uri(), {"team": "pins"})
    for chosen, experiment in ((run.settings, None), (settings, made)):
        server = Server(chosen.tracking, home)
        tags = server.client.get_experiment(server.experiment_id).tags
        assert tags["mlflow.experimentKind"] == "custom_model_development"
        assert experiment is None or (server.experiment_id, tags["team"]) == (made, "pins")


def test_a_run_is_called_what_a_person_would_call_it(run, home):
    """The data set and the start, also where the process that begins it is not the one that ends it."""
    began = datetime.fromisoformat(run.started_at)
    tracker_of(run, home).begin(run)
    name = runs_named(tracker_of(run, home))[0].info.run_name
    assert name == f"demo, evaluate.ranks=10,50, {began:%d %b %H:%M} UTC"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ({"data.dataset": "s3://lake/pins/"}, "pins, 01 May 07:30 UTC"),
        ({"data.as_of": "2026-01-02T00:00:00Z"}, "data set up to 02 Jan 2026, 01 May 07:30 UTC"),
        ({"train.device": "cpu"}, "data set, 01 May 07:30 UTC"),
        ({"train.steps": 9, "train.seed": 1, "walk.seed": 2, "text.seed": 3, "index.seed": 4},
         "data set, text.seed=3, walk.seed=2, train.steps=9, 2 more, 01 May 07:30 UTC"),
    ],
)  # fmt: skip
def test_a_name_tells_what_differs_and_does_not_grow(tmp_path, overrides, name):
    """Where and how a run is worked on is no difference."""
    assert named(tmp_path, load_settings(overrides=overrides)) == name


@pytest.mark.parametrize("preset", ["demo", "paper"])
def test_a_preset_as_it_stands_differs_in_nothing(tmp_path, preset):
    """Its settings need not be told one by one."""
    settings = load_settings(ROOT / "conf" / f"{preset}.yaml", {"data.dataset": "/x/demo"})
    assert named(tmp_path, settings) == "demo, 01 May 07:30 UTC"


def test_facts_are_parameters_that_a_retry_leaves_alone(run, home):
    """MLflow takes a parameter once; the second value may differ, since the stage ran again."""
    for pace in (1.5, 1.7):
        tracker_of(run, home).log_facts({"walk/pins": 7, "walk/pace": pace})
    params = runs_named(tracker_of(run, home))[0].data.params
    assert (params["walk/pins"], params["walk/pace"]) == ("7", "1.5")


def test_a_repeated_training_doubles_no_point_and_fills_what_was_lost(run, home):
    """A retry from a checkpoint sends some steps again and brings those the killed process took along."""
    first = tracker_of(run, home)
    for step in (10, 20, 40, 50):
        first.log_metrics({"train/loss": 1.0 / step}, step)
    assert first.flush()
    second = tracker_of(run, home)
    for step in (30, 40, 50, 60):
        second.log_metrics({"train/loss": 1.0 / step}, step)
    assert second.flush()
    assert sorted(steps_of(second, "train/loss")) == [10, 20, 30, 40, 50, 60]


def test_points_reach_mlflow_while_the_training_runs(run, home):
    """The first point is sent at once, later ones together; none needs the end of the training."""
    tracker = tracker_of(run, home)
    tracker.log_metrics({"loss": 2.0, "rate": float("nan")}, 1)
    assert steps_of(tracker_of(run, home), "loss") == [1]
    assert steps_of(tracker_of(run, home), "rate") == []


def test_a_failed_run_ends_as_failed_and_runs_again_on_a_retry(run, home):
    """The first reason is a tag while the run is failed, and gone once a retry goes on; the end is FINISHED."""
    tracker = tracker_of(run, home)
    tracker.begin(run)
    tracker_of(run, home).mark_failed("train: the loss became NaN")
    tracker_of(run, home).mark_failed("the DAG run failed")
    failed = runs_named(tracker)[0]
    assert (failed.info.status, failed.data.tags[FAILURE_TAG]) == ("FAILED", "train: the loss became NaN")
    retry = tracker_of(run, home)
    retry.log_metrics({"loss": 1.0}, 1)
    running = runs_named(tracker)[0]
    assert (running.info.status, FAILURE_TAG in running.data.tags) == ("RUNNING", False)
    retry.finish(run)
    assert runs_named(tracker)[0].info.status == "FINISHED"


def test_a_finished_run_is_not_failed_by_what_comes_after(run, home):
    """Its model is registered and its figures are there; a release that fails is Airflow's to show."""
    tracker = tracker_of(run, home)
    tracker.begin(run)
    tracker.finish(run)
    tracker_of(run, home).mark_failed("release: the disk is full")
    found = runs_named(tracker)[0]
    assert (found.info.status, FAILURE_TAG in found.data.tags) == ("FINISHED", False)


@pytest.mark.parametrize("late", ["begin", "fail"])
def test_a_run_that_finished_under_a_sleeper_stays_finished(run, home, monkeypatch, late):
    """It has seen another status before it slept, and MLflow cannot compare and set."""
    tracker = tracker_of(run, home)
    tracker.begin(run)
    if late == "begin":
        tracker.mark_failed("an earlier attempt")
    seen = runs_named(tracker)[0]
    tracker_of(run, home).finish(run)
    sleeper = tracker_of(run, home)
    monkeypatch.setattr(sleeper, "_find", lambda: seen)
    if late == "begin":
        sleeper.begin(run)
    else:
        sleeper.mark_failed("too late")
    found = runs_named(tracker)[0]
    assert (found.info.status, FAILURE_TAG in found.data.tags) == ("FINISHED", False)


def blind_once(find):
    """A look that finds nothing the first time."""
    answers = iter([None])
    return lambda *words, **more: next(answers, find(*words, **more))


def test_who_slept_between_looking_and_creating_takes_its_own_back(run, home, monkeypatch):
    """Of a run, a version and a curve over days: the one that was there first stands."""
    tracker, server = tracker_of(run, home), days_server(run.settings.tracking, home)
    first = tracker.begin(run)
    version = register(tracker, "slept", "k")
    day = log_day(server, "slept", datetime(2026, 5, 1), {"a": 1.0})
    blind = tracker_of(run, home)
    find_run = Server.find_run
    monkeypatch.setattr(Server, "find_run", blind_once(find_run))
    assert blind.begin(run) == first
    monkeypatch.setattr(Registry, "_find", blind_once(Registry._find))
    assert register(blind, "slept", "k").number == version.number
    monkeypatch.setattr(Server, "find_run", blind_once(find_run))
    assert log_day(server, "slept", datetime(2026, 5, 1), {"a": 1.0}) == day


def test_marking_a_run_that_mlflow_does_not_know_does_nothing(run, home):
    """A run that failed before it was tracked leaves no trace."""
    tracker = tracker_of(run, home)
    tracker.mark_failed("ingest: no such table")
    assert runs_named(tracker) == []


def test_nothing_is_written_outside_the_data_folder(run, home, tmp_path, monkeypatch):
    """MLflow's habit of a database and artifacts in the current folder is not followed."""
    monkeypatch.chdir(tmp_path)
    tracker = tracker_of(run, home)
    tracker.log_text("hello", "note.txt")
    assert list(tmp_path.iterdir()) == []
    assert [path.read_text() for path in (home / "mlflow").rglob("note.txt")] == ["hello"]


@pytest.mark.parametrize(
    ("setting", "variable", "uri"),
    [("http://a", "http://b", "http://a"), ("", "http://b", "http://b"), ("", "", "sqlite:////x/mlflow/mlflow.db")],
)
def test_the_address_comes_from_the_setting_then_the_environment_then_the_folder(monkeypatch, setting, variable, uri):
    """A setting wins over the environment, and without either MLflow lives below the data folder."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    settings = load_settings(overrides={"tracking.uri": setting})
    assert Server(settings.tracking, Path("/x")).uri == uri


def test_opening_a_tracker_imports_no_mlflow():
    """Stages that succeed without a word to MLflow do not pay its three seconds."""
    code = (
        "import sys; from pathlib import Path; from pinsage.settings.loading import load_settings;"
        "from pinsage.tracking.tracker import open_tracker; open_tracker(load_settings(), Path('/x'), 'r');"
        "sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_training_goes_on_when_mlflow_is_out_of_reach(run, home, monkeypatch, caplog):
    """Points wait with one warning; ending the run says that the server does not answer."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracker = tracker_of(run, home)
    for step in range(3):
        tracker.log_metrics({"loss": 1.0}, step)
    assert [record.levelname for record in caplog.records if record.name.startswith("pinsage")] == ["WARNING"]
    tracker.mark_failed("train: told to end")
    with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1:9 refused or did not answer"):
        tracker.finish(run)


def test_pickled_models_stay_refused(run, home, monkeypatch):
    """Whatever the shell says, MLflow may not unpickle once our client is in use."""
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    tracker_of(run, home).begin(run)
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_metric_names_lose_only_what_mlflow_refuses():
    """The at sign is spelled out, other strange letters become underscores."""
    assert metric_name("test/pinsage/hit_rate@10") == "test/pinsage/hit_rate_at_10"
    assert metric_name("größe (MB)") == "gr__e _MB_"


def empty_model(folder: Path) -> None:
    """The smallest thing the registry can store."""
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n")


def register(tracker: Tracker, model_name: str, key: str, tags=None, package=empty_model) -> Version:
    return Registry(tracker.server, model_name).find_or_create(
        key, tags or {}, package, mlflow_run_id=tracker.mlflow_run_id, scratch=tracker.home
    )


def test_one_index_is_one_version(run, home):
    """Registering the same key again, from another process, finds the version; another key makes the next one."""
    numbers = [
        register(tracker_of(run, home), "one_index", key, {"pinsage.train_key": "t"}).number
        for key in ("a", "a", "b", "a")
    ]
    assert numbers == [1, 1, 2, 1]


def test_a_model_that_was_stored_without_a_version_is_used_by_the_retry(run, home):
    """A kill before the upload ended leaves a half-made model, which the next attempt replaces."""

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    tracker = tracker_of(run, home)
    with pytest.raises(KeyboardInterrupt):
        register(tracker, "killed", "half-made", package=killed)
    assert register(tracker, "killed", "half-made").number == 1
    client, experiment = tracker.server.client, tracker.server.experiment_id
    found = client.search_logged_models([experiment], "tags.`pinsage.index_key` = 'half-made'")
    assert [model.status for model in found] == ["READY"]


def test_an_alias_moves_from_version_to_version(run, home):
    """There is no champion at first, and one at a time later."""
    tracker = tracker_of(run, home)
    registry = Registry(tracker.server, "aliases")
    assert (registry.champion(), registry.version(1)) == (None, None)
    first, second = (register(tracker, "aliases", key, {"note": key}) for key in "ab")
    assert (registry.version(2), registry.version(3)) == (second, None)
    registry.point(CHALLENGER, first)
    for version in (first, second):
        registry.point(CHAMPION, version)
        registry.tag(version, {"pinsage.decision": "yes"})
        assert registry.champion() == Version(version.number, {**version.tags, "pinsage.decision": "yes"})


def test_links_to_mlflow_lead_to_where_people_see_it(tmp_path, monkeypatch):
    """Stages beside the server may know it by a name that no browser finds."""
    server = Server(load_settings(overrides={"tracking.uri": "http://mlflow:5000/"}).tracking, tmp_path)
    assert server.pages == "http://mlflow:5000"
    monkeypatch.setenv("PINSAGE_MLFLOW_PAGES", "https://mlflow.example/")
    assert server.pages == "https://mlflow.example"


def model_of(dataset: str, **settings) -> str:
    return registered_model(load_settings(overrides={"data.dataset": dataset, **settings}))


def test_each_data_set_has_a_registered_model_of_its_own():
    """Folders of one name in two places are two data sets; one folder is one data set, however it is written."""
    first, second = model_of("/data/a/Our Pins!"), model_of("/data/b/Our Pins!")
    assert re.fullmatch(r"pinsage-our-pins-[0-9a-f]{4}", first)
    assert first != second
    assert {model_of(f"{prefix}/data/a/Our Pins!{end}") for prefix in ("", "file://") for end in ("", "/")} == {first}
    assert model_of("tables") == model_of(str(Path("tables").absolute()))


@pytest.mark.parametrize("dataset", ["s3://pins/tables", "/", "/データ", f"/{'x' * 300}"])
def test_the_name_of_a_registered_model_can_stand_in_an_address(dataset):
    """MLflow refuses slashes and colons, and an address wants neither spaces nor other scripts."""
    assert re.fullmatch(r"pinsage-[a-z0-9-]{1,40}-[0-9a-f]{4}", model_of(dataset))


def test_the_settings_may_name_the_registered_model():
    """For exports with an address of their own every day, which are one data set all the same."""
    assert model_of("/exports/2026-11-26", **{"tracking.model_name": "pins"}) == "pins"
