"""The table of methods, and their making: each is tuned on validation by one main setting.

A new method is a function from Evidence to a scorer and a line in METHODS.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pinsage.evaluation.baselines import co_saves, content, counts, ease, factors, item2vec, pixie
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.evaluation.metrics import hit_rate
from pinsage.evaluation.names import PINSAGE
from pinsage.evaluation.ranking import Scorer, query_chunks, rank_chunks
from pinsage.evaluation.threads import map_in_threads
from pinsage.evaluation.views import Split

log = logging.getLogger(__name__)
TUNED_AT = 10
ByValue = Callable[[float], Scorer]


@dataclass(frozen=True)
class Method:
    """The making of a method: `make` takes a value of `setting`; `lacks` is the reason it cannot be made, or empty."""

    make: Callable[[MethodInputs, MethodSettings], ByValue]
    lacks: Callable[[MethodInputs], str] = lambda inputs: ""
    setting: str = ""
    values: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class Methods:
    """The scorers by name, the values they were tuned to, and the reasons of those left out."""

    scorers: dict[str, Scorer]
    tuned: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def make_methods(names: Iterable[str], inputs: MethodInputs, settings: MethodSettings, validation: Split) -> Methods:
    """PinSage and the methods called `names`, in the order of METHODS, each with the value best on validation."""
    found, wanted = Methods({}), {PINSAGE, *names}
    for name in (name for name in METHODS if name in wanted):
        if reason := METHODS[name].lacks(inputs):
            log.warning("%s left out: %s", name, reason)
            found.left_out[name] = reason
    made = [name for name in METHODS if name in wanted - found.left_out.keys()]
    tuned = map_in_threads(
        lambda name: tune(name, METHODS[name], METHODS[name].make(inputs, settings), validation), made
    )
    for name, (value, scorer) in zip(made, tuned, strict=True):
        found.scorers[name] = scorer
        if METHODS[name].setting:
            found.tuned[f"{name}_{METHODS[name].setting}"] = value
    return found


def tune(name: str, method: Method, make: ByValue, validation: Split) -> tuple[float, Scorer]:
    """The value with the best hit rate at 10 on all validation pairs (of equals the first), and its scorer."""
    best, best_rate = (method.values[0], make(method.values[0])), -1.0
    if len(method.values) == 1 or validation.num_pairs == 0:
        return best
    for value in method.values:
        # The first one has been made already.
        scorer = best[1] if value == method.values[0] else make(value)
        (ranking,) = rank_chunks(query_chunks(scorer, validation.queries), [validation.all.targets])
        rate = hit_rate(ranking.ranks, TUNED_AT)
        log.info("%s: %s %g gives hit rate %.4f on validation", name, method.setting, value, rate)
        # Strictly better, so that of equals the first value stays whatever comes later.
        if rate > best_rate:
            best, best_rate = (value, scorer), rate
    return best


def _without_setting(
    make: Callable[[MethodInputs, MethodSettings], Scorer],
) -> Callable[[MethodInputs, MethodSettings], ByValue]:
    """A method without a setting."""
    return lambda inputs, settings: lambda value: make(inputs, settings)


def _by_value(
    make: Callable[[MethodInputs, MethodSettings, float], Scorer],
) -> Callable[[MethodInputs, MethodSettings], ByValue]:
    return lambda inputs, settings: lambda value: make(inputs, settings, value)


def _pinsage(inputs: MethodInputs, settings: MethodSettings) -> Similarity:
    """The method under test: cosine similarity of the embeddings, and the term for popularity where there is one."""
    return Similarity(inputs.embeddings, inputs.popularity, pin_degrees=inputs.graph.pin_degrees)


def _no_pictures(inputs: MethodInputs) -> str:
    return "" if inputs.features.has_content("visual").any() else "no pin has a picture"


def _no_words(inputs: MethodInputs) -> str:
    return "" if inputs.features.has_content("text").any() else "no pin has words"


def _no_content(inputs: MethodInputs) -> str:
    return "no pin has a picture or words" if _no_pictures(inputs) and _no_words(inputs) else ""


def _at_most(num_pins: int, needs: Callable[[MethodInputs], str] = lambda inputs: "") -> Callable[[MethodInputs], str]:
    """The reason of a method whose matrices are meant for fewer pins, or else that of what it needs."""

    def lacks(inputs: MethodInputs) -> str:
        has = inputs.graph.num_pins
        return f"{has:,} pins are more than its {num_pins:,}" if has > num_pins else needs(inputs)

    return lacks


def _too_small(inputs: MethodInputs) -> str:
    return "" if min(inputs.graph.num_pins, inputs.graph.num_boards) > 2 else "the graph has no two boards"


def _no_implicit(inputs: MethodInputs) -> str:
    return "" if factors.has_implicit() else "the package implicit is not installed"


def _many_pairs(inputs: MethodInputs) -> str:
    most = item2vec.MAX_PAIRS
    return f"{len(inputs.train):,} training pairs are more than its {most:,}" if len(inputs.train) > most else ""


METHODS: dict[str, Method] = {
    PINSAGE: Method(_without_setting(_pinsage)),
    "combined": Method(_without_setting(content.combined), _no_content),
    "visual": Method(_without_setting(content.visual), _no_pictures),
    "annotation": Method(_without_setting(content.annotation), _no_words),
    "pixie": Method(_without_setting(pixie.pixie)),
    "item_knn": Method(
        _by_value(co_saves.item_knn), setting="shrinkage", values=(3.0, 30.0, 1000.0, 10_000.0),
    ),
    "rp3beta": Method(_by_value(co_saves.rp3beta), setting="beta", values=(0.0, 0.1, 0.2, 0.4)),
    "transitions": Method(_without_setting(counts.transitions)),
    "ease": Method(_by_value(ease.ease), _at_most(ease.MAX_PINS), "l2", (100.0, 300.0, 1000.0)),
    "svd": Method(factors.svd, _at_most(factors.MAX_PINS, _too_small), "rank", factors.RANKS),
    "als": Method(
        _by_value(factors.als), _at_most(factors.MAX_PINS, _no_implicit), "regularization", (1.0, 10.0, 100.0),
    ),
    "bpr": Method(
        _by_value(factors.bpr), _at_most(factors.MAX_PINS, _no_implicit), "regularization", (0.003, 0.01, 0.03),
    ),
    "item2vec": Method(_by_value(item2vec.item2vec), _many_pairs, "window", (3.0, 10.0, 30.0)),
    "popularity": Method(_without_setting(counts.popularity)),
}  # fmt: skip
