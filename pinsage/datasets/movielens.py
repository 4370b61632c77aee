"""The public MovieLens data sets as a pin-board world: a movie is a pin, a user is a board, a rating is a save.

Read are the layout with headers (`movies.csv`, `ratings.csv`, perhaps `tags.csv` and `links.csv`: ml-latest, ml-25m,
ml-32m) and that of ml-1m and ml-10m (`movies.dat`, `ratings.dat`, perhaps `tags.dat`, fields parted by '::').
"""

import logging
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from pinsage.errors import DatasetError
from pinsage.store.parquet_files import parquet_writer, write_parquet

log = logging.getLogger(__name__)

FIELDS = {
    "movies": {"movieId": pa.string(), "title": pa.string(), "genres": pa.string()},
    "ratings": {"userId": pa.string(), "movieId": pa.string(), "rating": pa.float32(), "timestamp": pa.int64()},
    "tags": {"userId": pa.string(), "movieId": pa.string(), "tag": pa.string(), "timestamp": pa.int64()},
    "links": {"movieId": pa.string(), "imdbId": pa.string()},
}
NO_GENRES = "(no genres listed)"
FIELD_SEPARATOR = "\x1f"
POSTER_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
POSTERS_AT_ONCE = 256
LAST_SECOND = 2**62 // 1_000_000  # what fits a time in microseconds


@dataclass(frozen=True)
class MovieLensChoices:
    """The part to import: ratings from `min_rating` up; tags given at least `min_tag_uses` times, `max_tags` each."""

    min_rating: float = 0.0
    min_tag_uses: int = 2
    max_tags: int = 10


@dataclass(frozen=True)
class MovieLensFacts:
    """The numbers of rows imported."""

    pins: int
    boards: int
    saves: int
    pictures: int


@dataclass(frozen=True)
class _Tables:
    movies: pa.Table
    ratings: pa.Table
    tags: pa.Table | None = field(default=None)
    links: pa.Table | None = field(default=None)


def import_movielens(
    source: Path, target: Path, *, choices: MovieLensChoices | None = None, posters: Path | None = None
) -> MovieLensFacts:
    """Write a MovieLens folder as `pins`, `boards` and `saves` Parquet tables and return how much it was.

    Args:
        source: the unpacked MovieLens folder.
        target: the data set's folder to be; it appears whole or not at all.
        choices: which ratings and tags are taken.
        posters: a folder with pictures named `<movieId>.jpg` (or .jpeg, .png, .webp), if there is one.

    Raises:
        DatasetError: a file of MovieLens is missing or malformed, or `target` already holds something.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatasetError(f"{target} already holds something. Choose an empty or new folder.")
    if posters is not None and not posters.is_dir():
        raise DatasetError(f"The folder of posters {posters} does not exist. Check the path, or leave posters out.")
    tables, choices = _read(source), choices or MovieLensChoices()
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        facts = _write(staging, tables, choices, posters)
        staging.chmod(0o755)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    log.info(
        "MovieLens: %d pins (%d with picture), %d boards, %d saves",
        facts.pins,
        facts.pictures,
        facts.boards,
        facts.saves,
    )
    return facts


def _read(source: Path) -> _Tables:
    suffix = ".csv" if (source / "movies.csv").is_file() else ".dat"
    found: dict[str, pa.Table] = {}
    for name in FIELDS:
        path = source / f"{name}{suffix}"
        if path.is_file():
            found[name] = _table(path, name)
        elif name in ("movies", "ratings"):
            raise DatasetError(
                f"{source} has no {name}.csv or {name}.dat. Unpack a MovieLens archive and name its folder."
            )
    return _Tables(**found)


def _table(path: Path, name: str) -> pa.Table:
    fields = FIELDS[name]
    convert = pacsv.ConvertOptions(column_types=fields, include_columns=list(fields), strings_can_be_null=False)
    try:
        if path.suffix == ".csv":
            parse = pacsv.ParseOptions(newlines_in_values=True)
            return pacsv.read_csv(path, parse_options=parse, convert_options=convert)
        text = _text(path.read_bytes()).replace("::", FIELD_SEPARATOR)
        parse = pacsv.ParseOptions(delimiter=FIELD_SEPARATOR, quote_char=False)
        named = pacsv.ReadOptions(column_names=list(fields))
        return pacsv.read_csv(
            pa.BufferReader(text.encode()), read_options=named, parse_options=parse, convert_options=convert
        )
    except (pa.ArrowException, KeyError) as error:
        reason = str(error).splitlines()[0][:200]
        raise DatasetError(f"{path} is not a MovieLens file ({reason!a}). Unpack the archive again.") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")  # ml-10m
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # ml-1m


def _write(folder: Path, tables: _Tables, choices: MovieLensChoices, posters: Path | None) -> MovieLensFacts:
    saves = _saves(tables.ratings, choices.min_rating)
    users = pc.unique(saves.column("board_id")).sort()
    titles = pc.binary_join_element_wise("User", users, " ")
    write_parquet(folder / "boards.parquet", pa.table({"board_id": users, "title": titles}))
    write_parquet(folder / "saves.parquet", saves)
    pictures = _write_pins(folder / "pins.parquet", _pins(tables, choices), posters)
    return MovieLensFacts(tables.movies.num_rows, len(users), saves.num_rows, pictures)


def _saves(ratings: pa.Table, min_rating: float) -> pa.Table:
    taken = ratings.filter(pc.greater_equal(ratings.column("rating"), min_rating))
    if not taken.num_rows:
        raise DatasetError(f"None of {ratings.num_rows:,} ratings is at least {min_rating:g}. Lower min_rating.")
    # A time beyond any calendar stays beyond it, so that ingest quarantines its row; the cast would refuse the table.
    seconds = pc.min_element_wise(taken.column("timestamp"), LAST_SECOND, skip_nulls=False)
    seconds = pc.max_element_wise(seconds, -LAST_SECOND, skip_nulls=False).cast(pa.timestamp("s", tz="UTC"))
    return pa.table(
        {
            "board_id": taken.column("userId"),
            "pin_id": taken.column("movieId"),
            "saved_at": seconds.cast(pa.timestamp("us", tz="UTC")),
            "weight": taken.column("rating"),
        }
    )


def _pins(tables: _Tables, choices: MovieLensChoices) -> pa.Table:
    movies = tables.movies
    tags = _top_tags(tables.tags, choices) if tables.tags is not None else {}
    annotations = [
        ([] if genres in ("", NO_GENRES) else genres.split("|")) + tags.get(movie, [])
        for movie, genres in zip(movies.column("movieId").to_pylist(), movies.column("genres").to_pylist(), strict=True)
    ]
    columns = {
        "pin_id": movies.column("movieId"),
        "title": movies.column("title"),
        "annotations": pa.array(annotations, pa.list_(pa.string())),
    }
    if tables.links is not None:
        place = pc.index_in(movies.column("movieId"), value_set=tables.links.column("movieId").combine_chunks())
        imdb = tables.links.column("imdbId").take(place)
        columns["link"] = pc.binary_join_element_wise("https://www.imdb.com/title/tt", imdb, "/", "")
    return pa.table(columns)


def _top_tags(tags: pa.Table, choices: MovieLensChoices) -> dict[str, list[str]]:
    """The tags of each movie, those given most often first; in small letters, rare ones left out."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(tags.column("tag")))
    given = pa.table({"movie": tags.column("movieId"), "tag": words})
    uses = given.group_by("tag").aggregate([([], "count_all")])
    frequent = uses.filter(pc.greater_equal(uses.column("count_all"), choices.min_tag_uses)).column("tag")
    counts = given.filter(pc.is_in(words, value_set=frequent)).group_by(["movie", "tag"]).aggregate([([], "count_all")])
    ordered = counts.sort_by([("movie", "ascending"), ("count_all", "descending"), ("tag", "ascending")])
    found: dict[str, list[str]] = {}
    for movie, tag in zip(ordered.column("movie").to_pylist(), ordered.column("tag").to_pylist(), strict=True):
        if tag and len(found.setdefault(movie, [])) < choices.max_tags:
            found[movie].append(tag)
    return found


def _write_pins(path: Path, pins: pa.Table, posters: Path | None) -> int:
    if posters is None:
        write_parquet(path, pins)
        return 0
    schema, pictures = pins.schema.append(pa.field("image", pa.binary())), 0
    with parquet_writer(path, schema) as writer:
        for start in range(0, pins.num_rows, POSTERS_AT_ONCE):
            rows = pins.slice(start, POSTERS_AT_ONCE)
            images = [_poster(posters, movie) for movie in rows.column("pin_id").to_pylist()]
            pictures += sum(image is not None for image in images)
            writer.write_table(rows.append_column("image", pa.array(images, pa.binary())).combine_chunks())
    return pictures


def _poster(folder: Path, movie: str) -> bytes | None:
    if not movie.isdecimal():
        return None  # an id is a file name here, and must not lead elsewhere
    paths = (folder / f"{movie}{suffix}" for suffix in POSTER_SUFFIXES)
    return next((path.read_bytes() for path in paths if path.is_file()), None)
