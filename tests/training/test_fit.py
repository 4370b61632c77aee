"""Training end to end on a planted world."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from pinsage.errors import InputError, PinSageError, SettingsError, TrainingDivergedError
from pinsage.features.matrix import FeatureMatrix
from pinsage.pairs.pairs import Pairs
from pinsage.training.loop import fit
from pinsage.training.validation import FINE_STRENGTHS, Validator
from pinsage.walks.neighborhood import Neighborhoods

CHANCE = 10 / 239


def fitted(world, **kwargs):
    return fit(world.data, world.model, world.train, **kwargs)


def weights_of(result):
    return {name: tensor.numpy().tobytes() for name, tensor in result.network.state_dict().items()}


@pytest.mark.parametrize("loss", ["max_margin", "sampled_softmax", "cross_entropy"])
def test_training_finds_the_communities(world, loss):
    """The hit rate comes near 10/19, the most that 19 equally good answers allow; chance is 10/239."""
    result = fitted(world(steps=120, loss=loss))
    assert result.best_hit_rate > 0.4
    assert result.curve[-1].loss < result.curve[0].loss


def test_training_on_co_members_finds_the_communities(world):
    """As well as on listed pairs, which in this world are co-members too."""
    assert fitted(world(steps=120, loss="sampled_softmax", are_pairs_drawn=True)).best_hit_rate > 0.4


def test_convolved_vectors_are_long_beside_spectral_ones(world):
    """The root of their width where their part is added to vectors of the saves, else 1."""
    start = world(steps=2)
    blocks = {name: start.data.features.block(name) for name in start.data.features.names}
    spectral = np.random.default_rng(0).normal(size=(240, 4)).astype(np.float32)
    beside = replace(start.data, features=FeatureMatrix({**blocks, "spectral": spectral}))
    plain, added = (fit(data, start.model, start.train).network.shape for data in (start.data, beside))
    assert plain.num_layers > 0
    assert (plain.convolved_length, added.convolved_length) == (1, start.model.hidden_dim**0.5)


def test_an_epoch_is_every_pair_once(world):
    """Of 1,500 listed pairs, or of the 240 saves that each draw a partner; 32 pairs a step."""
    for is_drawn, steps in ((False, 94), (True, 15)):
        result = fitted(world(steps=0, epochs=2, patience=0, validate_every=0, are_pairs_drawn=is_drawn))
        assert (result.steps, len(result.validation)) == (steps, -(-steps // max(1, steps // 20)))
        assert result.epochs == pytest.approx(2, rel=0.01)


def popular_data(start):
    """Validation pairs whose positives are the five pins on the most boards."""
    query = np.arange(200, dtype=np.int32)
    log_degree = np.ones(240, np.float32)
    log_degree[200:205] = 20
    features = FeatureMatrix({"visual": start.data.features.block("visual"), "log_degree": log_degree})
    return replace(start.data, features=features, validation=Pairs(query, 200 + query % 5))


def test_the_strength_of_popularity_is_chosen_on_more_pairs_than_a_look_sees(world):
    """With looks at two pairs the strength is that which all pairs prefer, for the weights that are returned."""
    start = world(validation_pairs=2)
    data = popular_data(start)
    result = fit(data, start.model, start.train)
    neighbors, weights = data.tables()
    all_pairs = Validator(
        data.validation, data.features.rows, neighbors=neighbors, weights=weights, limit=len(data.validation), seed=0,
        log_degree=data.log_degree, strengths=FINE_STRENGTHS,
    )  # fmt: skip
    assert result.popularity == all_pairs.best_hit_rate(result.network)[1]
    assert result.popularity not in {look.popularity for look in result.validation}


def test_validation_sees_the_popular_pins(world):
    """Positives that are the pins on the most boards are found by their popularity, and the strength comes back."""
    start = world()
    popular = popular_data(start)
    result = fit(popular, start.model, start.train)
    assert result.popularity == result.network.popularity > 0
    assert (
        result.best_hit_rate > fit(popular, start.model.model_copy(update={"popularity": 0}), start.train).best_hit_rate
    )


@pytest.mark.parametrize("pooling", ["importance", "mean", "max"])
def test_neighbors_matter(world, pooling):
    """With the neighbors of a stranger the same training does much worse: the gain comes from the graph."""
    real, shuffled = world(steps=80), world(steps=80, are_neighbors_real=False)
    model = real.model.model_copy(update={"pooling": pooling})
    with_real = fit(real.data, model, real.train).best_hit_rate
    with_shuffled = fit(shuffled.data, model, shuffled.train).best_hit_rate
    assert with_real > with_shuffled + 0.15
    assert with_shuffled < 0.3


def test_without_convolutions_the_content_alone_is_used(world):
    """The Combined baseline needs no neighborhoods; here its features are too noisy to do well, but beat chance."""
    start = world(steps=80)
    data = replace(start.data, neighborhoods=None, hard_negatives=None)
    result = fit(data, start.model.model_copy(update={"num_layers": 0}), start.train)
    assert 1.5 * CHANCE < result.best_hit_rate < 0.3
    assert result.num_replaced > 0


def test_training_twice_gives_the_same_bytes(world):
    """Weights, curve and validation are a function of data and settings; the seed changes them."""
    one, two = fitted(world()), fitted(world())
    assert weights_of(one) == weights_of(two)
    assert one.curve == two.curve
    assert one.validation == two.validation
    other = world()
    assert weights_of(fit(other.data, other.model, other.train.model_copy(update={"seed": 1}))) != weights_of(one)


def test_the_best_weights_are_returned_not_the_last(world):
    """Trained on pairs of strangers, the network only gets worse; the one returned is the best that was seen."""
    start = world(validate_every=5)
    strangers = Pairs(start.data.train.query, start.data.train.positive[::-1].copy())
    start = replace(start, data=replace(start.data, train=strangers))
    result = fitted(start)
    rates = [point.hit_rate_at_10 for point in result.validation]
    assert result.best_hit_rate == max(rates)
    assert max(rates) > rates[-1]  # else the test would not tell the best from the last
    again = fit(start.data, start.model, start.train.model_copy(update={"validate_every": 1000}))
    assert weights_of(result) != weights_of(again)


def test_metrics_and_progress_are_told(world):
    """The tracker gets a point per interval with its step; who watches is told of every step and of the pace."""
    told, seen = [], []
    result = fitted(
        world(), log_metrics=lambda metrics, step: told.append((step, dict(metrics))), on_progress=seen.append
    )
    losses = [(step, metrics["train/loss"]) for step, metrics in told if "train/loss" in metrics]
    assert losses == [(point.step, point.loss) for point in result.curve]
    assert [step for step, _ in losses] == list(range(5, 41, 5))
    assert [metrics["validation/hit_rate_at_10"] for _, metrics in told if "train/loss" not in metrics] == [
        point.hit_rate_at_10 for point in result.validation
    ]
    assert [(progress.done, progress.total) for progress in seen] == [(step, 40) for step in range(1, 41)]
    assert re.fullmatch(
        r"train: 40 of 40 steps \(100 %\), [\d.,e+]+ steps/s, 0 s left; "
        rf"loss {result.curve[-1].loss:.4f}, [\d,]+ pairs/s, \d+% waiting for minibatches",
        str(seen[-1]),
    )


def test_the_curriculum_and_the_schedule_show_in_the_curve(world):
    """No hard negatives first, two at the end; the rate rises, then decays to a tenth."""
    curve = fitted(world(warmup_share=0.5)).curve
    assert [point.hard_negatives for point in curve] == [0, 0, 1, 1, 1, 2, 2, 2]  # after steps 5, 10, ... of 40
    rates = [point.learning_rate for point in curve]
    assert rates[0] < rates[1] < rates[2] < rates[3]
    assert rates[3] == pytest.approx(5e-3)
    assert rates[-1] == pytest.approx(5e-4)


def test_without_validation_pairs_the_last_weights_are_returned(world):
    """Nothing to choose by is no error."""
    start = world()
    none = Pairs(np.empty(0, np.int32), np.empty(0, np.int32))
    result = fit(replace(start.data, validation=none), start.model, start.train)
    assert result.best_hit_rate is None
    assert (result.validation, result.popularity, result.steps) == ([], 0, 40)


def test_a_diverged_training_stops_with_the_step_and_the_checkpoint(world, tmp_path):
    """NaN is not trained on: the error names the step, the seed and where the last good state is."""
    start = world()
    rows = start.data.features.rows

    class Poisoned(FeatureMatrix):
        calls = 0

        def rows(self, pins, into=None):
            self.calls += 1
            found = rows(pins, into)
            return found * np.nan if self.calls > 14 else found

    poisoned = Poisoned({name: start.data.features.block(name) for name in start.data.features.names})
    with pytest.raises(TrainingDivergedError, match=r"step \d+ is nan \(seed of the minibatch: 0.*step-0000000007"):
        fit(replace(start.data, features=poisoned), start.model, start.train, scratch=tmp_path)


def test_data_that_cannot_be_trained_on_are_refused(world):
    """One sentence each, before the first step."""
    start = world()
    empty = Pairs(np.empty(0, np.int32), np.empty(0, np.int32))
    few = Neighborhoods(start.data.neighborhoods.neighbors[:9], start.data.neighborhoods.weights[:9])
    far = Pairs(np.array([1], np.int32), np.array([999], np.int32))
    bad_features = start.data.features.block("visual").copy()
    bad_features[3, 1] = np.nan
    cases = [
        ({"train": empty}, "0 training pairs"),
        ({"neighborhoods": None}, "num_layers is 1"),
        ({"neighborhoods": few}, "9 rows and the features 240"),
        ({"train": far}, "names pin 999"),
        ({"features": FeatureMatrix({"visual": np.zeros((2, 6), np.float32)})}, "has 2 pins"),
    ]
    for change, words in cases:
        with pytest.raises(InputError, match=words):
            fit(replace(start.data, **change), start.model, start.train)
    with pytest.raises(PinSageError, match="nan"):
        fit(replace(start.data, features=FeatureMatrix({"visual": bad_features})), start.model, start.train)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_said(world):
    """A setting that cannot be met is an error, not a silent fallback."""
    with pytest.raises(SettingsError, match="no GPU"):
        fitted(world(device="cuda"))
