"""The stage train: what it publishes, and that doing it again gives the same bytes."""

import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinsage.errors import InputError, PinSageError
from pinsage.model.file import load_network
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.loading import load_settings
from pinsage.store.manifest import Manifest
from pinsage.store.parquet_files import write_parquet
from pinsage.walks.neighborhood import Neighborhoods
from tasks.running.work import StageWork
from tasks.train import train

P = 80
SMALL = {
    "model.hidden_dim": 8,
    "model.embedding_dim": 4,
    "train.steps": 12,
    "train.batch_size": 16,
    "train.num_negatives": 10,
    "train.max_hard_negatives": 6,
    "train.validate_every": 5,
    "train.log_every": 4,
    "train.num_threads": 1,
    "train.precision": "float32",
    "train.device": "cpu",
}


@pytest.fixture
def inputs(tmp_path):
    """The folders of the stages before, with random content."""
    rng = np.random.default_rng(0)
    names = ("pair", "featurize_text", "featurize_visual", "featurize_saves", "walk")
    folders = {name: tmp_path / name for name in names}
    for folder in folders.values():
        folder.mkdir()
    np.save(folders["featurize_visual"] / "visual.npy", rng.normal(size=(P, 5)).astype(np.float32))
    np.save(folders["featurize_visual"] / "has_picture.npy", np.ones(P, bool))
    np.save(folders["featurize_text"] / "text.npy", rng.normal(size=(P, 3)).astype(np.float32))
    np.save(folders["featurize_text"] / "has_text.npy", np.ones(P, bool))
    np.save(folders["featurize_saves"] / "spectral.npy", rng.normal(size=(P, 4)).astype(np.float32))
    np.save(folders["featurize_saves"] / "has_saves.npy", np.ones(P, bool))
    saves = np.unique(rng.integers([P, 9], size=(300, 2)), axis=0).astype(np.int32)
    degrees = np.bincount(saves[:, 0], minlength=P)
    np.save(folders["featurize_saves"] / "log_degree.npy", np.log1p(degrees).astype(np.float32))
    weights = np.full((P, 3), 1 / 3, np.float32)
    Neighborhoods(rng.integers(P, size=(P, 3), dtype=np.int32), weights).save(folders["walk"])
    np.save(folders["walk"] / "hard_negatives.npy", rng.integers(-1, P, size=(P, 5), dtype=np.int32))
    Pairs(*rng.integers(P, size=(2, 60), dtype=np.int32)).write(folders["pair"] / "train.parquet")
    HeldOutPairs(*rng.integers(P, size=(3, 60), dtype=np.int32)).write(folders["pair"] / "validation.parquet")
    by_board = saves[np.lexsort((saves[:, 0], saves[:, 1]))]
    write_parquet(folders["pair"] / "saves.parquet", pa.table({"board": by_board[:, 1], "pin": by_board[:, 0]}))
    say_order(folders["pair"], "time")
    return folders


def say_order(folder: Path, order: str) -> None:
    """The manifest of the pairs, with this fact."""
    facts = {"order": order}
    (folder / "manifest.json").write_text(Manifest("pair", "k", 1, {}, {}, {}, "", facts=facts).to_json())


def work_of(inputs, folder: Path, **overrides):
    folder.mkdir()
    (folder / "out").mkdir()
    settings = load_settings(overrides={**SMALL, **overrides})
    return StageWork(settings, inputs, folder / "out", folder / "scratch", folder)


def test_the_stage_publishes_a_model_and_its_curves(inputs, tmp_path):
    """The files of docs/data_model.md, and facts that a tracker can log."""
    work = work_of(inputs, tmp_path / "run")
    facts = train(work)
    network = load_network(work.out)
    content = (("visual", 5), ("has_picture", 1), ("text", 3), ("has_text", 1))
    assert network.shape.blocks == (*content, ("spectral", 4), ("has_saves", 1), ("log_degree", 1))
    curve = pq.read_table(work.out / "curve.parquet")
    assert curve.column_names == ["step", "loss", "learning_rate", "hard_negatives"]
    assert curve["step"].to_pylist() == [4, 8, 12]
    validation = pq.read_table(work.out / "validation.parquet")
    assert validation["step"].to_pylist() == [5, 10, 12]
    best = int(np.argmax(validation["hit_rate_at_10"].to_numpy()))
    assert network.popularity == facts["popularity"] == validation["popularity"][best].as_py()
    assert facts["final_loss"] == curve["loss"][-1].as_py()
    assert facts["validation_hit_rate_at_10"] == max(validation["hit_rate_at_10"].to_pylist())
    assert (facts["steps"], facts["epochs"]) == (12, 12 * 16 / 60)
    assert (facts["device"], facts["resumed_from"]) == ("cpu", 0)
    assert facts["hard_negatives_replaced"] > 0
    assert all(isinstance(value, str | int | float | bool) for value in facts.values())


def test_the_stage_done_twice_gives_the_same_bytes(inputs, tmp_path):
    """Every file, with and without a stop on the way."""
    one, two = work_of(inputs, tmp_path / "one"), work_of(inputs, tmp_path / "two", **{"train.checkpoint_every": 3})
    train(one)
    train(two)
    for name in ("model.safetensors", "model.json", "curve.parquet", "validation.parquet"):
        assert (one.out / name).read_bytes() == (two.out / name).read_bytes()


def test_saves_without_an_order_are_trained_on_as_co_members(inputs, tmp_path):
    """The fact of the pairs decides; an epoch is then as long as the saves, and the losses are others."""
    listed = train(work_of(inputs, tmp_path / "listed"))
    say_order(inputs["pair"], "none")
    drawn = train(work_of(inputs, tmp_path / "drawn", **{"train.steps": 0, "train.epochs": 1.5}))
    num_saves = pq.read_metadata(inputs["pair"] / "saves.parquet").num_rows
    assert drawn["steps"] == -(-num_saves * 3 // (2 * 16))
    assert drawn["final_loss"] != listed["final_loss"]


def test_the_strength_of_popularity_can_be_set(inputs, tmp_path):
    """Then no look chooses it."""
    work = work_of(inputs, tmp_path / "run", **{"model.popularity": 0.3})
    assert train(work)["popularity"] == load_network(work.out).popularity == 0.3
    assert set(pq.read_table(work.out / "validation.parquet")["popularity"].to_pylist()) == {0.3}


def test_metrics_reach_the_tracker_while_training(inputs, tmp_path):
    """The stage passes on what the loop tells."""
    steps = []
    work = work_of(inputs, tmp_path / "run")
    train(StageWork(**{**vars(work), "log_metrics": lambda metrics, step: steps.append(step)}))
    assert steps == [4, 5, 8, 10, 12, 12]


def on_two(inputs, folder: Path, **overrides):
    return work_of(inputs, folder, **{"train.num_processes": 2, **overrides})


def test_two_processes_publish_what_one_does(inputs, tmp_path):
    """The same files, losses to 1e-5, and metrics on the way."""
    one, two = work_of(inputs, tmp_path / "one"), on_two(inputs, tmp_path / "two")
    steps = []
    alone = train(one)
    together = train(replace(two, log_metrics=lambda metrics, step: steps.append(step)))
    assert (alone["processes"], together["processes"]) == (1, 2)
    curves = [pq.read_table(work.out / "curve.parquet")["loss"].to_numpy() for work in (one, two)]
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-5)
    assert steps == [4, 5, 8, 10, 12, 12]
    assert load_network(two.out).shape == load_network(one.out).shape


def test_what_stops_one_of_the_processes_stops_the_stage_in_its_words(inputs, tmp_path):
    """One sentence, and whether a retry can help."""
    with pytest.raises(InputError, match=r"^There are 0 training pairs\. Use more saves"):
        Pairs(np.empty(0, np.int32), np.empty(0, np.int32)).write(inputs["pair"] / "train.parquet")
        train(on_two(inputs, tmp_path / "run"))


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL"])
def test_a_process_that_is_ended_ends_all_and_the_next_attempt_goes_on(inputs, tmp_path, signal_name):
    """Told to end, the second process has all write a checkpoint; killed, it takes the first one with it."""
    work = on_two(inputs, tmp_path / "run", **{"train.steps": 200, "train.checkpoint_every": 5, "train.patience": 0})
    strike = threading.Thread(target=strike_second_rank, args=(work.scratch, getattr(signal, signal_name)))
    strike.start()
    words = r"told to end at step \d+ of 200" if signal_name == "SIGTERM" else "processes died without a word"
    with pytest.raises(PinSageError, match=words) as caught:
        train(work)
    strike.join()
    assert caught.value.retry_can_help
    assert not ranks()
    facts = train(work)
    assert facts["resumed_from"] >= 5
    assert facts["steps"] == 200


def strike_second_rank(scratch, number):
    """Wait for the first checkpoint, then send a signal to the process of rank 1."""
    deadline = time.monotonic() + 300  # a stage that fails before its first checkpoint must not leave us waiting
    while not list(scratch.glob("step-*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    [victim] = [process for process in ranks() if process.environ()["RANK"] == "1"]
    victim.send_signal(number)


def ranks():
    """The processes that train for this test."""
    descendants = psutil.Process().children(recursive=True)
    return [process for process in descendants if is_rank(process)]


def is_rank(process):
    try:
        return process.cmdline()[1:4] == ["-u", "-m", "tasks.running.train_rank"] and "RANK" in process.environ()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
