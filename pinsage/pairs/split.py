"""The split of positive pairs into train, validation and test, made before the graph exists.

No unordered pair is in two splits, whatever the source. Source: PinSage §4.2.
Differs from the paper: without a table of engagements, pairs are made of saves to the same board.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError, SettingsError
from pinsage.pairs.board_blocks import board_blocks
from pinsage.pairs.draws import hashed_draws, id_hashes
from pinsage.pairs.membership import PairTable
from pinsage.pairs.pairs import Pairs
from pinsage.pairs.row_groups import Int32Writer, row_groups
from pinsage.pairs.timeline import TEST, TRAIN, VALIDATION, by_board_and_pin, in_time, neighbors, save_splits
from pinsage.settings import PairSettings

NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class SplitFigures:
    """How many pairs and saves each part has. `source` is "engagements" or "saves"."""

    source: str
    train_pairs: int
    validation_pairs: int
    test_pairs: int
    self_pairs_dropped: int
    repeated_pairs_removed: int
    training_saves: int
    held_out_saves: int
    cold_pins: int


def write_split(catalog: Catalog, settings: PairSettings, folder: Path) -> SplitFigures:
    """Split the positive pairs of a catalog without leaks, some boards at a time.

    Writes `train.parquet`, `validation.parquet` and `test.parquet` (`query` int32, `positive` int32), `saves.parquet`
    (`board` int32, `pin` int32: what the graph may know, by board and pin) and `cold_pins.npy` (int32, ascending: pins
    that no training save touches). In memory are a block of boards and the held-out pairs.

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
        ArtifactDamagedError: the catalog's saves are not in its order.
    """
    if settings.validation_share + settings.test_share >= 1:
        raise SettingsError(
            f"pairs.validation_share {settings.validation_share:g} + pairs.test_share {settings.test_share:g} leave "
            "nothing to train on. Choose shares that sum to less than 1."
        )
    has_engagements = (catalog.folder / "engagements.parquet").is_file()
    if settings.source == "engagements" and not has_engagements:
        raise SettingsError(
            "pairs.source is 'engagements', but the data set has no table of them. Add one, or set pairs.source=saves."
        )
    from_saves = settings.source == "saves" or not has_engagements
    figures = (_from_saves if from_saves else _from_engagements)(catalog, settings, folder)
    _check_filled(figures, catalog, settings)
    return figures


def _from_engagements(catalog: Catalog, settings: PairSettings, folder: Path) -> SplitFigures:
    hashes, num_self = id_hashes(catalog.pins(["pin_id"]).column(0)), 0
    with ExitStack() as stack:
        files = [stack.enter_context(_pair_writer(folder, name)) for name in NAMES]
        for table in row_groups(catalog.folder / "engagements.parquet", ["query", "positive"]):
            everything = Pairs(table.column("query").to_numpy(), table.column("positive").to_numpy())
            pairs = everything.where(everything.query != everything.positive)
            num_self += len(everything) - len(pairs)
            splits = _hashed_splits(hashes[pairs.query], hashes[pairs.positive], settings)
            for split, file in enumerate(files):
                chosen = pairs.where(splits == split)
                file.write(chosen.query, chosen.positive)
    num_saves, num_cold = _write_saves(catalog, folder, ((block.board, block.pin) for block in board_blocks(catalog)))
    train, validation, test = (file.num_rows for file in files)
    return SplitFigures("engagements", train, validation, test, num_self, 0, num_saves, 0, num_cold)


def _from_saves(catalog: Catalog, settings: PairSettings, folder: Path) -> SplitFigures:
    held_out: dict[int, list[Pairs]] = {VALIDATION: [], TEST: []}
    with _pair_writer(folder, "train") as file:
        saves = _training_saves(catalog, settings, file, held_out)
        num_saves, num_cold = _write_saves(catalog, folder, saves)
    validation, test = Pairs.joined(held_out[VALIDATION]), Pairs.joined(held_out[TEST])
    new_validation, new_test = _new(validation, test, folder / "train.parquet")
    new_validation.write(folder / "validation.parquet")
    new_test.write(folder / "test.parquet")
    return SplitFigures(
        "saves",
        file.num_rows,
        len(new_validation),
        len(new_test),
        self_pairs_dropped=0,
        repeated_pairs_removed=len(test) - len(new_test) + len(validation) - len(new_validation),
        training_saves=num_saves,
        held_out_saves=catalog.num_saves - num_saves,
        cold_pins=num_cold,
    )


def _training_saves(
    catalog: Catalog, settings: PairSettings, file: Int32Writer, held_out: dict[int, list[Pairs]]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """The training saves of each block; on the way its training pairs go to `file`, the others to `held_out`."""
    boards, pins = id_hashes(catalog.boards().column(0)), id_hashes(catalog.pins(["pin_id"]).column(0))
    for block in board_blocks(catalog):
        draws = hashed_draws(boards[block.board], pins[block.pin], settings.seed)
        ordered, splits = in_time(block, draws), save_splits(block.board, settings)
        train, validation, test = neighbors(block.board, ordered, splits, settings.max_gap)
        file.write(train.query, train.positive)
        held_out[VALIDATION].append(validation)
        held_out[TEST].append(test)
        is_train = splits == TRAIN
        yield block.board[is_train], ordered[is_train]


def _write_saves(
    catalog: Catalog, folder: Path, saves: Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]
) -> tuple[int, int]:
    """Write the training saves and the pins that none of them touches; returns how many there are of each."""
    is_cold = np.ones(catalog.num_pins, np.bool_)
    with Int32Writer.open(folder / "saves.parquet", ("board", "pin")) as file:
        for boards, pins in saves:
            file.write(*by_board_and_pin(boards, pins))
            is_cold[pins] = False
    cold_pins = np.flatnonzero(is_cold).astype(np.int32)
    np.save(folder / "cold_pins.npy", cold_pins, allow_pickle=False)
    return file.num_rows, len(cold_pins)


def _new(validation: Pairs, test: Pairs, train: Path) -> tuple[Pairs, Pairs]:
    """The validation pairs that are neither training nor test pairs, and the test pairs that are no training pairs."""
    known = PairTable(len(validation) + len(test))
    known.add(validation)
    known.add(test)
    for table in row_groups(train, ["query", "positive"]):
        known.mark(Pairs(table.column("query").to_numpy(), table.column("positive").to_numpy()))
    new_test = test.where(~known.are_marked(test))
    known.mark(new_test)
    return validation.where(~known.are_marked(validation)), new_test


def _hashed_splits(
    queries: NDArray[np.uint64], positives: NDArray[np.uint64], settings: PairSettings
) -> NDArray[np.int8]:
    first, second = np.minimum(queries, positives), np.maximum(queries, positives)
    draws = hashed_draws(first, second, settings.seed) / 2.0**64
    held_out = settings.test_share + settings.validation_share
    splits = np.where(draws < settings.test_share, TEST, np.where(draws < held_out, VALIDATION, TRAIN))
    return splits.astype(np.int8)


def _pair_writer(folder: Path, name: str) -> AbstractContextManager[Int32Writer]:
    return Int32Writer.open(folder / f"{name}.parquet", ("query", "positive"))


def _check_filled(split: SplitFigures, catalog: Catalog, settings: PairSettings) -> None:
    counts = (split.train_pairs, split.validation_pairs, split.test_pairs)
    shares = (1.0, settings.validation_share, settings.test_share)
    empty = [name for name, found, share in zip(NAMES, counts, shares, strict=True) if share and not found]
    if not empty:
        return
    figures = ", ".join(f"{name} {found:,}" for name, found in zip(NAMES, counts, strict=True))
    advice = "Bring more engagements or lower pairs.validation_share and pairs.test_share."
    if split.source == "saves":
        advice = "Bring boards with more saves, or lower pairs.min_board_saves or the share of the empty split."
    raise DatasetError(
        f"No {' and no '.join(empty)} pairs are left after the split of the {split.source} ({figures}; "
        f"{catalog.num_saves:,} saves on {catalog.num_boards:,} boards, "
        f"{split.self_pairs_dropped:,} self-pairs dropped, "
        f"{split.repeated_pairs_removed:,} repeated pairs removed). {advice}"
    )
