"""A training that was killed goes on and ends with the same bytes."""

import os
import signal
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from planted_world import killed_at, outcome

from pinsage.errors import CheckpointMismatchError
from pinsage.pairs.pairs import Pairs
from pinsage.training.interruption import TrainingInterruptedError
from pinsage.training.loop import fit


def trained(world, scratch=None):
    return fit(world.data, world.model, world.train, scratch=scratch)


@pytest.fixture(scope="module")
def undisturbed(world):
    """What one run without any disturbance comes to."""
    return outcome(trained(world()))


@pytest.mark.parametrize("step", [10, 25, 40])
def test_a_killed_training_ends_with_the_same_bytes(world, undisturbed, tmp_path, step):
    """Killed between two checkpoints, run again: weights, curve and validation are those of one run."""
    killed_at(world(), tmp_path, step)
    result = trained(world(), tmp_path)
    assert result.resumed_from == (step - 1) // 7 * 7 > 0
    assert outcome(result) == undisturbed


def test_a_killed_training_on_drawn_pairs_ends_with_the_same_bytes(world, tmp_path):
    """Eight steps make an epoch here: those of the epochs after the kill are drawn as they would have been."""
    drawn = partial(world, are_pairs_drawn=True, loss="sampled_softmax")
    killed_at(drawn(), tmp_path, 25)
    result = trained(drawn(), tmp_path)
    assert result.resumed_from == 21
    assert outcome(result) == outcome(trained(drawn()))


def test_a_training_killed_many_times_ends_with_the_same_bytes(world, undisturbed, tmp_path):
    """Every attempt goes on where the last one's checkpoint stands."""
    for step in (10, 15, 25, 35):
        killed_at(world(), tmp_path, step)
    assert outcome(trained(world(), tmp_path)) == undisturbed


def test_a_finished_training_is_not_done_again(world, undisturbed, tmp_path):
    """Killed between training and publishing: the last checkpoint is the end."""
    trained(world(), tmp_path)
    again = trained(world(), tmp_path)
    assert again.resumed_from == 40
    assert outcome(again) == undisturbed


@pytest.mark.parametrize("damage", ["cut", "flipped", "no_json", "another_number", "lost"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(world, undisturbed, tmp_path, damage):
    """A torn or rotten file is noticed by its checksum, and said."""
    killed_at(world(), tmp_path, 25)
    newest = tmp_path / "step-0000000021.safetensors"
    blob = newest.read_bytes()
    if damage == "cut":
        newest.write_bytes(blob[: len(blob) // 2])
    elif damage == "flipped":
        newest.write_bytes(blob[:-5] + bytes([blob[-5] ^ 1]) + blob[-4:])
    elif damage == "no_json":
        newest.with_suffix(".json").write_text("{")
    elif damage == "another_number":
        numbers = newest.with_suffix(".json").read_text()
        newest.with_suffix(".json").write_text(numbers.replace('"step": 21', '"step": 23'))
    else:
        newest.unlink()
    result = trained(world(), tmp_path)
    assert result.resumed_from == 14
    assert outcome(result) == undisturbed


def test_two_checkpoints_are_kept(world, tmp_path):
    """Four files, whatever the number of steps."""
    trained(world(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"step-00000000{step}.{kind}" for step in (35, 40) for kind in ("json", "safetensors")
    ]


@pytest.mark.parametrize(("change", "words"), [
    ({"train": {"learning_rate": 1e-3}}, r"train\.learning_rate was 0\.005 and is 0\.001"),
    ({"model": {"embedding_dim": 9}}, r"model\.embedding_dim was 8 and is 9"),
    ({"train": {"seed": 1, "margin": 0.2, "steps": 50, "temperature": 0.5}}, r"steps was 40 and is 50;.* and 1 more"),
])  # fmt: skip
def test_a_checkpoint_of_another_training_is_refused(world, undisturbed, tmp_path, change, words):
    """The differences are named with both values, nothing is deleted, and the former settings go on."""
    start = world()
    killed_at(start, tmp_path, 25)
    model = start.model.model_copy(update=change.get("model", {}))
    train = start.train.model_copy(update=change.get("train", {}))
    with pytest.raises(CheckpointMismatchError, match=words):
        fit(start.data, model, train, scratch=tmp_path)
    assert outcome(trained(world(), tmp_path)) == undisturbed


def test_a_checkpoint_of_other_pairs_is_refused(world, tmp_path):
    """The data are outlined too."""
    start = world()
    killed_at(start, tmp_path, 25)
    fewer = Pairs(start.data.train.query[:-1], start.data.train.positive[:-1])
    with pytest.raises(CheckpointMismatchError, match="data: checksum of the training pairs was"):
        fit(replace(start.data, train=fewer), start.model, start.train, scratch=tmp_path)


def test_a_checkpoint_of_other_boards_is_refused(world, tmp_path):
    """Drawn pairs hang on them."""
    start = world(are_pairs_drawn=True)
    killed_at(start, tmp_path, 25)
    with pytest.raises(CheckpointMismatchError, match="data: checksum of the training boards was"):
        fit(replace(start.data, boards=None), start.model, start.train, scratch=tmp_path)


def hopeless(world):
    """A training on pairs of strangers, which teaches nothing, with patience for two looks."""
    start = world(validate_every=2, patience=2, checkpoint_every=1)
    strangers = Pairs(start.data.train.query, start.data.train.positive[::-1].copy())
    return replace(start, data=replace(start.data, train=strangers))


def test_a_stalled_training_stops_with_its_best_weights_and_stays_stopped(world, tmp_path):
    """Two looks without a gain end it; the next attempt does not go on."""
    result = trained(hopeless(world), tmp_path)
    rates = [point.hit_rate_at_10 for point in result.validation]
    assert result.has_stopped_early
    assert result.steps == result.curve[-1].step == 2 * len(rates) < 40
    assert max(rates) == rates[-3] not in rates[:-3]  # the best look, then two without a gain
    again = trained(hopeless(world), tmp_path)
    assert again.resumed_from == result.steps
    assert outcome(again) == outcome(result)


def test_a_kill_does_not_move_the_early_stop(world, tmp_path):
    """The looks without a gain are counted over attempts."""
    whole = trained(hopeless(world))
    killed_at(hopeless(world), tmp_path, whole.steps - 2)
    result = trained(hopeless(world), tmp_path)
    assert 0 < result.resumed_from < whole.steps
    assert outcome(result) == outcome(whole)


def test_sigterm_leaves_a_checkpoint_and_the_signal_handler_as_it_was(world, undisturbed, tmp_path):
    """The training ends between two steps with a retryable error, and a second run goes on from that very step."""
    before = signal.getsignal(signal.SIGTERM)

    def terminate(metrics, step):
        if step == 10:
            os.kill(os.getpid(), signal.SIGTERM)

    start = world()
    with pytest.raises(TrainingInterruptedError, match="step 10 of 40") as caught:
        fit(start.data, start.model, start.train, scratch=tmp_path, log_metrics=terminate)
    assert caught.value.retry_can_help
    assert signal.getsignal(signal.SIGTERM) is before
    result = trained(world(), tmp_path)
    assert result.resumed_from == 10
    assert outcome(result) == undisturbed


def test_training_outside_the_main_thread_leaves_signals_alone(world, undisturbed):
    """Python allows signal handlers in the main thread only; elsewhere training still works."""
    results = []
    thread = threading.Thread(target=lambda: results.append(outcome(trained(world()))))
    thread.start()
    thread.join()
    assert results == [undisturbed]


def test_a_checkpoint_does_not_change_the_outcome(world, undisturbed, tmp_path):
    """With or without checkpoints, and however often: the same bytes."""
    assert outcome(trained(world(checkpoint_every=1), tmp_path)) == undisturbed
    assert np.isfinite([point.loss for point in undisturbed[1]]).all()
