"""Positive pairs (query, positive) and their split into train, validation and test, made before the graph exists.

N pairs, S saves. No unordered pair is in two splits, whatever the source. Source: PinSage §4.2.
Differs from the paper: without a table of engagements, pairs are made of saves to the same board.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.parquet_files import write_parquet
from pinsage.errors import DatasetError, SettingsError
from pinsage.settings import PairSettings

TRAIN, VALIDATION, TEST = 0, 1, 2
NAMES = ("train", "validation", "test")
Splits = NDArray[np.int8]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Pairs:
    """Positive pairs: for pin `query`, the pin `positive` is what should be found; int32 [N] each."""

    query: NDArray[np.int32]
    positive: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def read(cls, path: Path) -> "Pairs":
        """The pairs of a Parquet file that `write` made."""
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            table = parquet.read(columns=["query", "positive"])
        return cls(table.column("query").to_numpy(), table.column("positive").to_numpy())

    def write(self, path: Path) -> None:
        """Write the pairs as Parquet: `query` int32, `positive` int32."""
        write_parquet(path, pa.table({"query": self.query, "positive": self.positive}))

    def where(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """The pairs that a bool mask [N] chooses."""
        return Pairs(self.query[chosen], self.positive[chosen])

    def unordered(self) -> NDArray[np.int64]:
        """int64 [N]: one number per pair, the same for (a, b) and (b, a)."""
        low, high = np.minimum(self.query, self.positive), np.maximum(self.query, self.positive)
        return (low.astype(np.int64) << 32) | high


@dataclass(frozen=True)
class Saves:
    """Saves as rows of boards and pins, int32 [S] each."""

    board: NDArray[np.int32]
    pin: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.board)


@dataclass(frozen=True)
class PairSplit:
    """The three sets of pairs and the saves that the graph may know, sorted by board and pin.

    `cold_pins` int32, ascending: pins that no training save touches. `source` is "engagements" or "saves".
    """

    train: Pairs
    validation: Pairs
    test: Pairs
    saves: Saves
    cold_pins: NDArray[np.int32]
    source: str
    held_out_saves: int = 0
    self_pairs_dropped: int = 0
    repeated_pairs_removed: int = 0


def split_pairs(catalog: Catalog, settings: PairSettings) -> PairSplit:
    """The positive pairs of a catalog, split without leaks.

    From engagements: a hash of the unordered pair decides, so that a repeated or reversed engagement stays on one
    side. Saves are no engagements: all of them are training saves.

    From saves: on every board of at least `min_board_saves` the last saves are test and those before them validation.
    They never reach the graph. Two saves at most `max_gap` apart on a board are a pair (earlier, later) that belongs
    to the split of the later save. Saves without a time come last, and like saves of the same instant in an order
    drawn by hash, because the number of a pin says nothing about when it was saved. A held-out pair that another
    board has among its training pairs is removed, so that a test pair is always new.

    Raises:
        SettingsError: the shares leave nothing to train on, or engagements are asked for and there are none.
        DatasetError: a split that should hold pairs holds none.
    """
    if settings.validation_share + settings.test_share >= 1:
        raise SettingsError(
            f"pairs.validation_share {settings.validation_share:g} + pairs.test_share {settings.test_share:g} leave "
            "nothing to train on. Choose shares that sum to less than 1."
        )
    engagements = None if settings.source == "saves" else catalog.engagements()
    if settings.source == "engagements" and engagements is None:
        raise SettingsError(
            "pairs.source is 'engagements', but the data set has no table of them. Add one, or set pairs.source=saves."
        )
    split = _from_saves(catalog, settings) if engagements is None else _from_engagements(catalog, engagements, settings)
    _check_filled(split, catalog, settings)
    return split


def _from_engagements(catalog: Catalog, engagements: pa.Table, settings: PairSettings) -> PairSplit:
    everything = Pairs(engagements.column("query").to_numpy(), engagements.column("positive").to_numpy())
    pairs = everything.where(everything.query != everything.positive)
    splits = _hashed_splits(catalog, pairs, settings)
    train, validation, test = (pairs.where(splits == split) for split in (TRAIN, VALIDATION, TEST))
    saves = _ordered(_saves(catalog.saves()))
    dropped = len(everything) - len(pairs)
    cold = _cold(saves, catalog.num_pins)
    return PairSplit(train, validation, test, saves, cold, "engagements", self_pairs_dropped=dropped)


def _from_saves(catalog: Catalog, settings: PairSettings) -> PairSplit:
    saves = _in_time(catalog, settings.seed)
    splits = save_splits(saves.board, settings)
    train, validation, test = _neighbors(saves, splits, settings.max_gap)
    new_test = test.where(~_is_among(test, train))
    new_validation = validation.where(~(_is_among(validation, train) | _is_among(validation, new_test)))
    is_train = splits == TRAIN
    known_saves = _ordered(Saves(saves.board[is_train], saves.pin[is_train]))
    return PairSplit(
        train,
        new_validation,
        new_test,
        known_saves,
        _cold(known_saves, catalog.num_pins),
        "saves",
        held_out_saves=len(saves) - len(known_saves),
        repeated_pairs_removed=len(test) - len(new_test) + len(validation) - len(new_validation),
    )


def save_splits(boards: NDArray[np.int32], settings: PairSettings) -> Splits:
    """int8 [S]: TRAIN, VALIDATION or TEST for each save; `boards` [S] ascend, and saves of a board follow in time."""
    sizes = np.bincount(boards)
    ends = np.cumsum(sizes)
    is_split = sizes >= settings.min_board_saves
    num_test = _held_out(sizes, settings.test_share, is_split)
    num_validation = _held_out(sizes, settings.validation_share, is_split & (sizes > settings.min_board_saves))
    num_validation = np.minimum(num_validation, np.maximum(sizes - num_test - 1, 0))
    from_end = ends[boards] - np.arange(len(boards))  # 1 for the last save of a board
    is_test = from_end <= num_test[boards]
    is_held_out = from_end <= (num_test + num_validation)[boards]
    return np.where(is_test, TEST, np.where(is_held_out, VALIDATION, TRAIN)).astype(np.int8)


def hashed_draws(first: Hashes, second: Hashes, seed: int) -> Hashes:
    """uint64 [N]: a draw for each pair of hashes, the same whenever the pair and the seed are."""
    return _mixed(_mixed(_mixed(np.array([seed], np.uint64)) ^ first) ^ second)


def id_hashes(ids: pa.Array) -> Hashes:
    """uint64 per id. Draws hang on ids, not on row numbers, so that one new pin does not reshuffle all splits."""
    digests = (hashlib.blake2b(text.encode(), digest_size=8).digest() for text in ids.to_pylist())
    return np.frombuffer(b"".join(digests), np.dtype("<u8")).astype(np.uint64)


def _mixed(values: Hashes) -> Hashes:
    """The finalizer of splitmix64."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _hashed_splits(catalog: Catalog, pairs: Pairs, settings: PairSettings) -> Splits:
    hashes = id_hashes(catalog.pins(["pin_id"]).column(0))
    first, second = hashes[pairs.query], hashes[pairs.positive]
    draws = hashed_draws(np.minimum(first, second), np.maximum(first, second), settings.seed) / 2.0**64
    held_out = settings.test_share + settings.validation_share
    splits = np.where(draws < settings.test_share, TEST, np.where(draws < held_out, VALIDATION, TRAIN))
    return splits.astype(np.int8)


def _in_time(catalog: Catalog, seed: int) -> Saves:
    """All saves by board and time; what has no time, or the same, in the order of a hash of board and pin."""
    table = catalog.saves()
    saves = _saves(table)
    boards, pins = id_hashes(catalog.boards().column(0)), id_hashes(catalog.pins(["pin_id"]).column(0))
    draws = hashed_draws(boards[saves.board], pins[saves.pin], seed)
    times = table.column("saved_at").cast(pa.int64()).fill_null(np.iinfo(np.int64).max).to_numpy()
    order = np.lexsort((draws, times, saves.board))
    return Saves(saves.board[order], saves.pin[order])


def _held_out(sizes: NDArray[np.int64], share: float, where: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many saves of each board a share of them is: at least one, never all."""
    wanted = np.maximum(np.floor(sizes * share + 0.5), 1 if share else 0).astype(np.int64)
    return np.where(where, np.minimum(wanted, sizes - 1), 0)


def _neighbors(saves: Saves, splits: Splits, max_gap: int) -> tuple[Pairs, Pairs, Pairs]:
    """Pairs (earlier, later) of saves at most `max_gap` apart on a board, by the split of the later one."""
    found: list[list[Pairs]] = [[], [], []]
    for gap in range(1, max_gap + 1):
        same_board = saves.board[:-gap] == saves.board[gap:]
        pairs = Pairs(saves.pin[:-gap], saves.pin[gap:])
        for split, into in enumerate(found):
            into.append(pairs.where(same_board & (splits[gap:] == split)))
    train, validation, test = (_joined(parts) for parts in found)
    return train, validation, test


def _joined(parts: list[Pairs]) -> Pairs:
    return Pairs(np.concatenate([p.query for p in parts]), np.concatenate([p.positive for p in parts]))


def _is_among(pairs: Pairs, known: Pairs) -> NDArray[np.bool_]:
    """bool [N]: the pair is, in either direction, one of the known ones. (np.isin takes ten times as long here.)"""
    wanted, ordered = pairs.unordered(), np.sort(known.unordered())
    places = np.searchsorted(ordered, wanted)
    found: NDArray[np.bool_] = np.append(ordered, -1)[places] == wanted
    return found


def _saves(table: pa.Table) -> Saves:
    return Saves(table.column("board").to_numpy(), table.column("pin").to_numpy())


def _ordered(saves: Saves) -> Saves:
    order = np.argsort((saves.board.astype(np.int64) << 32) | saves.pin)
    return Saves(saves.board[order], saves.pin[order])


def _cold(saves: Saves, num_pins: int) -> NDArray[np.int32]:
    is_cold = np.ones(num_pins, bool)
    is_cold[saves.pin] = False
    return np.flatnonzero(is_cold).astype(np.int32)


def _check_filled(split: PairSplit, catalog: Catalog, settings: PairSettings) -> None:
    pairs, shares = (split.train, split.validation, split.test), (1.0, settings.validation_share, settings.test_share)
    empty = [name for name, found, share in zip(NAMES, pairs, shares, strict=True) if share and not len(found)]
    if not empty:
        return
    figures = ", ".join(f"{name} {len(found):,}" for name, found in zip(NAMES, pairs, strict=True))
    advice = "Bring more engagements or lower pairs.validation_share and pairs.test_share."
    if split.source == "saves":
        advice = "Bring boards with more saves, or lower pairs.min_board_saves or the share of the empty split."
    raise DatasetError(
        f"No {' and no '.join(empty)} pairs are left after the split of the {split.source} ({figures}; "
        f"{catalog.num_saves:,} saves on {catalog.num_boards:,} boards, "
        f"{split.self_pairs_dropped:,} self-pairs dropped, "
        f"{split.repeated_pairs_removed:,} repeated pairs removed). {advice}"
    )
