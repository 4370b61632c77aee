"""The split of positive pairs into train, validation and test, made before the graph exists.

Source: PinSage §4.2. Differs from the paper: without a table of engagements, pairs are made of saves to the same board.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError, SettingsError
from pinsage.pairs.board_blocks import board_blocks
from pinsage.pairs.draws import draw_by_hash, id_hashes
from pinsage.pairs.membership import PairTable
from pinsage.pairs.pairs import Pairs
from pinsage.pairs.sessions import SessionWriter
from pinsage.pairs.timeline import (
    TEST,
    TRAIN,
    VALIDATION,
    AdjacentSaves,
    adjacent_pairs,
    held_out_pairs,
    save_splits,
    sort_by_board_and_pin,
    sort_by_time,
)
from pinsage.settings.schema import PairSettings
from pinsage.store.arrays import save_array
from pinsage.store.row_groups import Int32Writer, row_groups

NAMES = ("train", "validation", "test")
IN_TIME = 0.5  # the share of adjacent saves at different times from which on the order of a board means something
NO_BOARD = -1  # of a pair that an engagement made
SESSIONS = "sessions.parquet"
Saves = tuple[NDArray[np.int32], NDArray[np.int32]]  # boards and pins


@dataclass(frozen=True)
class SplitFigures:
    """The numbers of pairs and saves in each part, and their source.

    Attributes:
        source: "engagements" or "saves".
        order: "time" where the pins of a training pair are meant in that order, "none" where the order of saves on a
            board says nothing, so that any two pins of a board are as good a pair.
        share_in_time: share of the adjacent saves of a board whose times differ; 0 for engagements, which do not ask.
        known_validation_pairs, known_test_pairs: held-out pairs that are, in either direction, training pairs too.
        sessions: runs of training saves that follow each other on a board; 0 where their order says nothing.
    """

    source: str
    order: str
    share_in_time: float
    train_pairs: int
    validation_pairs: int
    test_pairs: int
    known_validation_pairs: int
    known_test_pairs: int
    self_pairs_dropped: int
    training_saves: int
    held_out_saves: int
    cold_pins: int
    sessions: int


def write_split(catalog: Catalog, settings: PairSettings, folder: Path) -> SplitFigures:
    """Split the positive pairs of a catalog without leaks, some boards at a time.

    Writes `train.parquet` (`query` int32, `positive` int32), `validation.parquet` and `test.parquet` (`query`,
    `positive` and `board` int32), `saves.parquet` (`board` int32, `pin` int32: what the graph may know, by board and
    pin) and `cold_pins.npy` (int32, ascending: pins that no training save touches). Where saves make the pairs and
    their order is one of time, `sessions.parquet` (`session` int32, `pin` int32, by both) holds the training saves of
    each board in runs of `session_length`. In memory are a block of boards and a table of the held-out pairs.

    From engagements: a hash of the unordered pair decides, so that a repeated or reversed engagement stays on one
    side. Saves are no engagements: all of them are training saves.

    From saves: on every board of at least `min_board_saves` the last saves are test and those before them validation.
    They never reach the graph. Each is the positive of the save right before it. Two training saves at most `max_gap`
    apart on a board are a training pair (earlier, later). Saves without a time come last, and like saves of the same
    instant in an order drawn by hash, because the number of a pin says nothing about when it was saved. A held-out
    pair may be a training pair by another board: such pairs are kept and counted, because a person wants them, too.

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
    with _pair_files(folder) as files:
        for table in row_groups(catalog.folder / "engagements.parquet", ["query", "positive"]):
            everything = Pairs(table.column("query").to_numpy(), table.column("positive").to_numpy())
            pairs = everything.where(everything.query != everything.positive)
            num_self += len(everything) - len(pairs)
            splits = _splits_by_hash(hashes[pairs.query], hashes[pairs.positive], settings)
            for split, file in enumerate(files):
                chosen = pairs.where(splits == split)
                boards = [] if split == TRAIN else [np.full(len(chosen), NO_BOARD, np.int32)]
                file.write(chosen.query, chosen.positive, *boards)
    num_saves, num_cold = _write_saves(catalog, folder, ((block.board, block.pin) for block in board_blocks(catalog)))
    train, validation, test = (file.num_rows for file in files)
    return SplitFigures(
        "engagements", "time", 0.0, train, validation, test,
        known_validation_pairs=0, known_test_pairs=0, self_pairs_dropped=num_self,
        training_saves=num_saves, held_out_saves=0, cold_pins=num_cold, sessions=0,
    )  # fmt: skip


def _from_saves(catalog: Catalog, settings: PairSettings, folder: Path) -> SplitFigures:
    adjacent = AdjacentSaves()
    with _pair_files(folder) as files, Int32Writer.open(folder / SESSIONS, ("session", "pin")) as file:
        sessions = SessionWriter(file, settings.session_length)
        saves = _with_sessions(_training_saves(catalog, settings, files, adjacent), sessions)
        num_saves, num_cold = _write_saves(catalog, folder, saves)
    order = _order(settings, adjacent)
    num_sessions = sessions.num_sessions if order == "time" else 0
    if not num_sessions:  # the order is known only now that all saves went by
        (folder / SESSIONS).unlink()
    train, validation, test = (file.num_rows for file in files)
    known_validation, known_test = _num_known(folder, validation + test)
    return SplitFigures(
        "saves", order, round(adjacent.share_in_time, 6), train, validation, test,
        known_validation_pairs=known_validation, known_test_pairs=known_test, self_pairs_dropped=0,
        training_saves=num_saves, held_out_saves=catalog.num_saves - num_saves, cold_pins=num_cold,
        sessions=num_sessions,
    )  # fmt: skip


def _order(settings: PairSettings, adjacent: AdjacentSaves) -> str:
    if settings.order != "auto":
        return settings.order
    return "time" if adjacent.share_in_time >= IN_TIME else "none"


def _with_sessions(saves: Iterator[Saves], sessions: SessionWriter) -> Iterator[Saves]:
    """The saves as they come; on the way their sessions are written."""
    for boards, pins in saves:
        sessions.write(boards, pins)
        yield boards, pins


def _training_saves(
    catalog: Catalog, settings: PairSettings, files: list[Int32Writer], adjacent: AdjacentSaves
) -> Iterator[Saves]:
    """The training saves of each block in time; on the way pairs go to `files`, and adjacent saves are counted."""
    boards, pins = id_hashes(catalog.boards().column(0)), id_hashes(catalog.pins(["pin_id"]).column(0))
    for block in board_blocks(catalog):
        adjacent.add(block)
        draws = draw_by_hash(boards[block.board], pins[block.pin], settings.seed)
        ordered, splits = sort_by_time(block, draws), save_splits(block.board, settings)
        train = adjacent_pairs(block.board, ordered, splits, settings.max_gap)
        files[TRAIN].write(train.query, train.positive)
        for split in (VALIDATION, TEST):
            held_out = held_out_pairs(block.board, ordered, splits, split)
            files[split].write(held_out.query, held_out.positive, held_out.board)
        is_train = splits == TRAIN
        yield block.board[is_train], ordered[is_train]


def _write_saves(catalog: Catalog, folder: Path, saves: Iterator[Saves]) -> tuple[int, int]:
    """Write the training saves and the pins that none of them touches; returns how many there are of each."""
    is_cold = np.ones(catalog.num_pins, np.bool_)  # [P]
    with Int32Writer.open(folder / "saves.parquet", ("board", "pin")) as file:
        for boards, pins in saves:
            file.write(*sort_by_board_and_pin(boards, pins))
            is_cold[pins] = False
    cold_pins = np.flatnonzero(is_cold).astype(np.int32)
    save_array(folder / "cold_pins.npy", cold_pins)
    return file.num_rows, len(cold_pins)


def _num_known(folder: Path, num_held_out: int) -> tuple[int, int]:
    """The numbers of validation and of test pairs that are training pairs, too."""
    # The held-out pairs are the fewer: they are held, and the training pairs stream past them.
    known = PairTable(num_held_out)
    for name in ("validation", "test"):
        for pairs in _pairs_of(folder / f"{name}.parquet"):
            known.add(pairs)
    for pairs in _pairs_of(folder / "train.parquet"):
        known.mark(pairs)
    validation, test = (
        sum(int(known.are_marked(pairs).sum()) for pairs in _pairs_of(folder / f"{name}.parquet"))
        for name in ("validation", "test")
    )
    return validation, test


def _pairs_of(path: Path) -> Iterator[Pairs]:
    """The pairs of a file, a row group at a time."""
    for table in row_groups(path, ["query", "positive"]):
        yield Pairs(table.column("query").to_numpy(), table.column("positive").to_numpy())


def _splits_by_hash(
    queries: NDArray[np.uint64], positives: NDArray[np.uint64], settings: PairSettings
) -> NDArray[np.int8]:
    # Without direction: (a, b) in training would give away the answer to (b, a) in test.
    first, second = np.minimum(queries, positives), np.maximum(queries, positives)
    # By the ids and not by the rows: a pair stays in its split when the catalog grows.
    draws = draw_by_hash(first, second, settings.seed) / 2.0**64
    held_out = settings.test_share + settings.validation_share
    splits = np.where(draws < settings.test_share, TEST, np.where(draws < held_out, VALIDATION, TRAIN))
    return splits.astype(np.int8)


@contextmanager
def _pair_files(folder: Path) -> Iterator[list[Int32Writer]]:
    """The files of train, validation and test pairs, open for writing."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                Int32Writer.open(folder / f"{name}.parquet", ("query", "positive", *(["board"] if split else [])))
            )
            for split, name in enumerate(NAMES)
        ]


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
        f"{split.self_pairs_dropped:,} self-pairs dropped). {advice}"
    )
