"""The demo world: pins that only their boards tell apart (seeded, synthetic).

Each pin belongs to one of many interests. An interest has a subject, a palette and a handful of words; all three are
shared with other interests, words even across categories (the pot of a gardener and of a cook). A pin shows its
interest only dimly: its picture or its words are often those of something else. One pin says little; the twenty pins it
shares boards with say what it is about. Engagements follow the interest.

Letters: P pins, I interests, B boards.
"""

import itertools
import shutil
import tempfile
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog.demo.pictures import PALETTES, SUBJECTS, picture
from pinsage.catalog.demo.vocabulary import CATEGORIES, ROOMS, TAILS, words_of
from pinsage.errors import DatasetError

PINS_PER_INTEREST = 25
PINS_PER_BOARD = 5.0  # a board for every so many pins
WORDS_PER_INTEREST = 6
SUBJECTS_PER_CATEGORY = 4
TRUE_SUBJECT, TRUE_PALETTE, TRUE_WORD = 0.6, 0.6, 0.6  # chances that a pin shows what its interest is about
NEW_SHARE, NO_PICTURE_SHARE, NO_ANNOTATIONS_SHARE, NO_WORDS_SHARE = 0.05, 0.03, 0.03, 0.01
NOISE_SAVES, NOISE_ENGAGEMENTS = 0.1, 0.05
SESSIONS_PER_PIN, SESSION_LENGTH = 1.0, 4
END = datetime(2026, 6, 30, tzinfo=UTC)
DAYS = 120


@dataclass(frozen=True)
class DemoFacts:
    """How many rows a demo world has."""

    pins: int
    boards: int
    saves: int
    engagements: int
    interests: int
    new_pins: int


@dataclass(frozen=True)
class Interests:
    """What each interest is about.

    Attributes:
        category, subject, palette: int [I].
        words: one array of words per interest.
    """

    category: NDArray[np.int64]
    subject: NDArray[np.int64]
    palette: NDArray[np.int64]
    words: list[NDArray[np.str_]]


@dataclass(frozen=True)
class Pins:
    """Which interest each pin belongs to, how popular it is, and which are too new to be saved; [P] each."""

    interest: NDArray[np.int64]
    popularity: NDArray[np.float64]
    is_new: NDArray[np.bool_]


@dataclass(frozen=True)
class _Tables:
    pins: pa.Table
    boards: pa.Table
    saves: pa.Table
    engagements: pa.Table


def write_demo(folder: Path, *, num_pins: int = 20_000, num_boards: int | None = None, seed: int = 0) -> DemoFacts:
    """Write `pins`, `boards`, `saves` and `engagements` Parquet tables into a new folder; returns the row counts.

    Args:
        folder: where; it appears whole or not at all.
        num_pins: P, at least 200. num_boards: B; one per five pins if None.
        seed: the same seed gives the same bytes.

    Raises:
        DatasetError: the folder exists and is not empty, or there are too few pins.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f"{folder} is not empty. Give a new folder, or delete this one.")
    if num_pins < 200:
        raise DatasetError(f"A demo world needs 200 pins, not {num_pins}. Ask for more.")
    rng = np.random.default_rng(seed)
    interests = _interests(max(20, num_pins // PINS_PER_INTEREST), rng)
    pins = _pins(num_pins, len(interests.words), rng)
    boards, saves = _boards_and_saves(num_boards or int(num_pins / PINS_PER_BOARD), interests, pins, rng)
    tables = _Tables(_pin_table(pins, interests, rng), boards, saves, _engagements(pins, rng))
    _write(folder, tables)
    counts = [tables.pins.num_rows, boards.num_rows, saves.num_rows, tables.engagements.num_rows]
    return DemoFacts(*counts, interests=len(interests.words), new_pins=int(pins.is_new.sum()))


def _interests(count: int, rng: np.random.Generator) -> Interests:
    names = list(CATEGORIES)
    category = rng.integers(len(names), size=count)
    # Neighboring categories share subjects, so that a picture alone does not give the category away.
    offset = rng.integers(SUBJECTS_PER_CATEGORY, size=count)
    words = [rng.choice(words_of(names[c]), WORDS_PER_INTEREST, replace=False) for c in category]
    return Interests(category, (category + offset) % len(SUBJECTS), rng.integers(len(PALETTES), size=count), words)


def _pins(count: int, num_interests: int, rng: np.random.Generator) -> Pins:
    share = rng.gamma(4.0, size=num_interests)
    interest = rng.choice(num_interests, size=count, p=share / share.sum())
    return Pins(interest, rng.pareto(2.0, size=count) + 0.3, rng.random(count) < NEW_SHARE)


def _boards_and_saves(
    count: int, interests: Interests, pins: Pins, rng: np.random.Generator
) -> tuple[pa.Table, pa.Table]:
    members = [np.flatnonzero((pins.interest == k) & ~pins.is_new) for k in range(len(interests.words))]
    anyone = np.flatnonzero(~pins.is_new)
    names, rows, ids = list(CATEGORIES), [], []
    mains = rng.permutation(np.concatenate([np.arange(len(members)), rng.integers(len(members), size=count)])[:count])
    first_board = _first_boards(mains, members, pins, rng)
    for board, main in enumerate(mains):
        chosen = np.union1d(_board_pins(int(main), members, anyone, pins, rng), np.flatnonzero(first_board == board))
        chosen = rng.permutation(chosen)
        board_id = f"board-{board:05d}"
        title = f"{rng.choice(ROOMS)} {rng.choice(interests.words[main])} {rng.choice(TAILS)}"
        ids.append({"board_id": board_id, "title": title.capitalize(), "category": names[interests.category[main]]})
        created = rng.uniform(0, DAYS)
        at = np.minimum(created + np.sort(rng.exponential(6.0, size=len(chosen))), DAYS)
        rows.extend((board_id, _pin_id(pin), _instant(day)) for pin, day in zip(chosen, at, strict=True))
    rows += [rows[0], rows[1], (rows[2][0], "pin-gone", rows[2][2])]  # a few bad rows, for the quarantine to show
    schema = pa.schema({"board_id": pa.string(), "pin_id": pa.string(), "saved_at": pa.timestamp("us", "UTC")})
    columns = dict(zip(schema.names, zip(*rows, strict=True), strict=True))
    return pa.Table.from_pylist(ids), pa.table({n: list(v) for n, v in columns.items()}, schema=schema)


def _first_boards(
    mains: NDArray[np.int64], members: list[NDArray[np.int64]], pins: Pins, rng: np.random.Generator
) -> NDArray[np.int64]:
    """A board of its own interest for every pin that is not new, so that hardly a pin is without saves; -1 for none."""
    first = np.full(len(pins.interest), -1)
    for interest, some in enumerate(members):
        boards = np.flatnonzero(mains == interest)
        if len(boards):
            first[some] = rng.choice(boards, size=len(some))
    return first


def _board_pins(
    main: int, members: list[NDArray[np.int64]], anyone: NDArray[np.int64], pins: Pins, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The pins of one board: half from its main interest, the rest from one or two others and from anywhere."""
    size = int(np.clip(rng.lognormal(2.6, 0.6), 4, 120))
    others = rng.integers(len(members), size=2)
    kinds = rng.random(size)
    pools = [(members[main], (kinds < 0.5).sum())]
    pools += [
        (members[other], ((kinds >= low) & (kinds < low + 0.2)).sum())
        for other, low in zip(others, (0.5, 0.7), strict=True)
    ]
    pools.append((anyone, (kinds >= 1 - NOISE_SAVES).sum()))
    picked = [_by_popularity(pool, int(n), pins, rng) for pool, n in pools if len(pool)]
    return np.unique(np.concatenate(picked))


def _by_popularity(pool: NDArray[np.int64], count: int, pins: Pins, rng: np.random.Generator) -> NDArray[np.int64]:
    weight = pins.popularity[pool]
    return rng.choice(pool, size=count, p=weight / weight.sum())


def _pin_table(pins: Pins, interests: Interests, rng: np.random.Generator) -> pa.Table:
    everything = sorted({word for category in CATEGORIES for word in words_of(category)})
    rows = [_pin_row(pin, int(pins.interest[pin]), interests, everything, rng) for pin in range(len(pins.interest))]
    schema = pa.schema(
        {
            "pin_id": pa.string(), "title": pa.string(), "description": pa.string(),
            "annotations": pa.list_(pa.string()), "link": pa.string(), "image": pa.binary(),
        }
    )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema)


def _pin_row(
    pin: int, interest: int, interests: Interests, everything: list[str], rng: np.random.Generator
) -> dict[str, object]:
    true = rng.random(WORDS_PER_INTEREST) < TRUE_WORD
    words = [str(w) for w in rng.permutation(interests.words[interest])[:4]]
    words = [word if keep else str(rng.choice(everything)) for word, keep in zip(words, true, strict=False)]
    words = list(dict.fromkeys(words))
    subject = interests.subject[interest] if rng.random() < TRUE_SUBJECT else rng.integers(len(SUBJECTS))
    palette = interests.palette[interest] if rng.random() < TRUE_PALETTE else rng.integers(len(PALETTES))
    image = picture(int(subject), int(palette), rng)
    title = f"{rng.choice(ROOMS)} {' and '.join(words[:2])}".capitalize()
    annotations = words
    lacks_annotations, lacks_words, lacks_picture = rng.random(3) < (
        NO_ANNOTATIONS_SHARE, NO_WORDS_SHARE, NO_PICTURE_SHARE,
    )  # fmt: skip
    return {
        "pin_id": _pin_id(pin),
        "title": None if lacks_words else title,
        "description": None if lacks_words else f"About {', '.join(words)}.",
        "annotations": [] if lacks_annotations or lacks_words else annotations,
        "link": None if lacks_words else f"https://example.org/{pin}",
        "image": None if lacks_picture else image,
    }


def _engagements(pins: Pins, rng: np.random.Generator) -> pa.Table:
    """Sessions: a person looks through a few pins of one interest, one after the other."""
    count = len(pins.interest)
    members = [np.flatnonzero(pins.interest == k) for k in range(pins.interest.max() + 1)]
    query, positive, at = [], [], []
    for start in rng.integers(count, size=int(count * SESSIONS_PER_PIN)):
        same = members[pins.interest[start]]
        path = np.concatenate([[start], rng.choice(same, size=SESSION_LENGTH)])
        stray = rng.random(len(path)) < NOISE_ENGAGEMENTS
        path[stray] = rng.integers(count, size=int(stray.sum()))
        day = rng.uniform(0, DAYS)
        steps = [(a, b) for a, b in itertools.pairwise(path) if a != b]
        query += [_pin_id(a) for a, _ in steps]
        positive += [_pin_id(b) for _, b in steps]
        at += [_instant(day + n / 1440) for n in range(len(steps))]
    columns = {"query_pin_id": query, "engaged_pin_id": positive, "at": pa.array(at, pa.timestamp("us", "UTC"))}
    return pa.table(columns)


def _pin_id(pin: int) -> str:
    return f"pin-{pin:06d}"


def _instant(day: float) -> int:
    """Microseconds since 1970 of a moment `day` days after the world's beginning."""
    return int((END.timestamp() - (DAYS - min(day, DAYS)) * 86400) * 1_000_000)


def _write(folder: Path, tables: _Tables) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for item in fields(tables):
            path = staging / f"{item.name}.parquet"
            pq.write_table(getattr(tables, item.name), path, compression="zstd", row_group_size=5000)
        staging.chmod(0o755)
        staging.rename(folder)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
