"""Bad tables: each kind spoils a small good data set in its own way, at places and in amounts that a seed draws.

A kind of `ROWS` and `COLUMNS` changes the tables in memory, one of `FILES` the folder they were written to.
"""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

Tables = dict[str, pa.Table]
NUM_PINS, NUM_BOARDS, NUM_SAVES = 24, 6, 80
TIME = pa.timestamp("us", tz="UTC")
START = 1_700_000_000_000_000  # microseconds: November 2023
WORDS = ("sea", "tree", "pie", "cat", "lamp", "road")
IDS = (("pins", "pin_id"), ("boards", "board_id"), ("saves", "pin_id"), ("saves", "board_id"))


def good_tables(rng: Random) -> Tables:
    """Pins with words, boards, saves with time and weight, engagements; no row of them is bad."""
    pins, boards = [f"pin-{number}" for number in range(NUM_PINS)], [f"board-{number}" for number in range(NUM_BOARDS)]
    pairs = rng.sample([(board, pin) for board in boards for pin in pins], NUM_SAVES)
    times = pa.array([START + 60_000_000 * number for number in range(NUM_SAVES)]).cast(TIME)
    saves = {"board_id": [board for board, _ in pairs], "pin_id": [pin for _, pin in pairs], "saved_at": times}
    asked = {"query_pin_id": rng.choices(pins, k=60), "engaged_pin_id": rng.choices(pins, k=60), "at": times[:60]}
    words = [rng.choices(WORDS, k=3) for _ in pins]
    return {
        "pins": pa.table({"pin_id": pins, "title": [f"Title of {pin}" for pin in pins], "annotations": words}),
        "boards": pa.table({"board_id": boards, "title": boards, "category": ["home"] * NUM_BOARDS}),
        "saves": pa.table({**saves, "weight": [1.0 + number % 5 for number in range(NUM_SAVES)]}),
        "engagements": pa.table(asked),
    }


def write_tables(folder: Path, tables: Tables, rng: Random) -> Path:
    """Write the tables as any of the writers that there are might."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        options = {
            "compression": rng.choice(["none", "snappy", "gzip", "brotli", "zstd", "lz4"]),
            "data_page_version": rng.choice(["1.0", "2.0"]),
            "use_dictionary": rng.choice([True, False]),
            "write_page_checksum": rng.choice([True, False]),
            "row_group_size": rng.choice([1, 7, 1000]),
        }
        pq.write_table(table, folder / f"{name}.parquet", **options)
    return folder


def replace_column(tables: Tables, name: str, column: str, values: Any) -> None:
    """Put other values into a column, which may be new."""
    table = tables[name]
    place = table.column_names.index(column) if column in table.column_names else table.num_columns
    kept = table.drop_columns([column]) if column in table.column_names else table
    tables[name] = kept.add_column(place, column, values)


def spoil_rows(tables: Tables, rng: Random, name: str, column: str, draw: Callable[[], Any], kind: Any = None) -> None:
    """Put drawn values into up to half of the rows of a column."""
    found = tables[name].column(column)
    values = found.to_pylist()
    for row in rng.sample(range(len(values)), rng.randint(1, len(values) // 2)):
        values[row] = draw()
    replace_column(tables, name, column, pa.array(values, kind or found.type))


def _ids(draw: Callable[[Random], Any]) -> Callable[[Random, Tables], None]:
    def spoil(rng: Random, tables: Tables) -> None:
        name, column = rng.choice(IDS)
        spoil_rows(tables, rng, name, column, lambda: draw(rng))

    return spoil


def _times(draw: Callable[[Random], int], unit: str) -> Callable[[Random, Tables], None]:
    def spoil(rng: Random, tables: Tables) -> None:
        name, column = rng.choice([("saves", "saved_at"), ("engagements", "at")])
        count = tables[name].num_rows
        values = [draw(rng) if rng.random() < 0.4 else START // 1_000_000 for _ in range(count)]
        stored = pa.int32() if unit == "date32" else pa.int64()
        final = pa.date32() if unit == "date32" else pa.timestamp(unit, tz=rng.choice([None, "UTC", "Asia/Tokyo"]))
        replace_column(tables, name, column, pa.array(values, stored).cast(final))

    return spoil


def _weights(*values: float | None) -> Callable[[Random, Tables], None]:
    return lambda rng, tables: spoil_rows(tables, rng, "saves", "weight", lambda: rng.choice(values))


def _texts(draw: Callable[[Random], str | None]) -> Callable[[Random, Tables], None]:
    def spoil(rng: Random, tables: Tables) -> None:
        name, column = rng.choice([("pins", "title"), ("boards", "title"), ("boards", "category")])
        spoil_rows(tables, rng, name, column, lambda: draw(rng))

    return spoil


def _annotations(draw: Callable[[Random], Any]) -> Callable[[Random, Tables], None]:
    return lambda rng, tables: spoil_rows(tables, rng, "pins", "annotations", lambda: draw(rng))


def _annotation_strings(rng: Random, tables: Tables) -> None:
    drawn = [rng.choice([",,,", "sea,tree", " , sea ,", "sea;tree", "x" * 5000, None, ""]) for _ in range(NUM_PINS)]
    replace_column(tables, "pins", "annotations", pa.array(drawn, pa.string()))


def _repeat_rows(rng: Random, tables: Tables) -> None:
    name = rng.choice(["pins", "boards", "saves"])
    again = tables[name].take([rng.randrange(tables[name].num_rows) for _ in range(rng.randint(1, 40))])
    tables[name] = pa.concat_tables([tables[name], again])


def _other_title_same_id(rng: Random, tables: Tables) -> None:
    again = tables["pins"].slice(0, rng.randint(1, NUM_PINS))
    titles = pa.array([f"Other {rng.random()}" for _ in range(again.num_rows)])
    again = again.set_column(1, "title", titles)
    tables["pins"] = pa.concat_tables([tables["pins"], again])


def _invalid_utf8(rng: Random, tables: Tables) -> None:
    name, column = rng.choice([*IDS, ("pins", "title"), ("boards", "category")])
    texts = [str(value).encode() for value in tables[name].column(column).to_pylist()]
    texts[rng.randrange(len(texts))] = rng.choice([b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"a\xf5"])
    raw = pa.array(texts, pa.binary())
    replace_column(tables, name, column, pa.StringArray.from_buffers(len(raw), raw.buffers()[1], raw.buffers()[2]))


def _strange_characters(rng: Random) -> str:
    return "".join(chr(rng.choice([rng.randrange(32), 0x202E, 0x2028, 0x200B, 0x1F600, 0xFFFE])) for _ in range(5))


HOSTILE = ("<script>alert(1)</script>", "{{ 7*7 }}", "'; DROP TABLE pins; --", "\x1b[2J", "../../etc/passwd", "\0", "")
FAR_TIMES = (2**62, -(2**62), 2**63 - 1, -(2**63), 253_402_300_800_000_000, -62_135_596_800_000_001)
ROWS: dict[str, Callable[[Random, Tables], None]] = {
    "ids that are null": _ids(lambda _: None),
    "ids that are empty": _ids(lambda _: ""),
    "ids that are too long": _ids(lambda rng: "é" * rng.choice([129, 4097, 300_000])),
    "ids of strange characters": _ids(_strange_characters),
    "ids that look alike": _ids(lambda rng: rng.choice([" pin-1", "pin-1 ", "PIN-1", "pin-01", "pin\u20101"])),
    "ids that are statements": _ids(lambda rng: rng.choice(HOSTILE)),
    "ids of nobody": _ids(lambda rng: f"nobody-{rng.random()}"),
    "rows that come again": _repeat_rows,
    "pins told twice and differently": _other_title_same_id,
    "times far from any calendar": _times(lambda rng: rng.choice(FAR_TIMES), "us"),
    "times in nanoseconds": _times(lambda rng: rng.choice(FAR_TIMES[:4]), "ns"),
    "times in milliseconds": _times(lambda rng: rng.choice(FAR_TIMES[:4]), "ms"),
    "times in seconds": _times(lambda rng: rng.randrange(-(2**53), 2**53), "s"),
    "days far from any calendar": _times(lambda rng: rng.choice([2**31 - 1, -(2**31), 0]), "date32"),
    "times in the future": _times(lambda rng: 2_000_000_000_000_000 + rng.randrange(10**15), "us"),
    "weights that are none": _weights(float("nan"), float("inf"), -float("inf"), 0.0, -1.0, None),
    "weights at the ends of floats": _weights(5e-324, 1e-46, 1.7e308, 3.5e38),
    "texts that are hostile": _texts(lambda rng: rng.choice(HOSTILE)),
    "texts of strange characters": _texts(_strange_characters),
    "texts of a megabyte": _texts(lambda rng: rng.choice("aé\U0001f600") * rng.choice([10_000, 1_000_000])),
    "annotations without words": _annotations(lambda rng: rng.choice([None, [], [None], ["", " ", "\t"], ["\u3000"]])),
    "annotations without number": _annotations(lambda rng: [f"w{rng.random()}"] * rng.choice([1000, 20_000])),
    "annotations of strange characters": _annotations(lambda rng: [_strange_characters(rng) for _ in range(4)]),
    "annotations in one string": _annotation_strings,
    "texts that are not UTF-8": _invalid_utf8,
}


def _drop(rng: Random, tables: Tables) -> None:
    name = rng.choice(sorted(tables))
    tables[name] = tables[name].drop_columns([rng.choice(tables[name].column_names)])


def _rename(rng: Random, tables: Tables) -> None:
    name = rng.choice(sorted(tables))
    old = rng.choice(tables[name].column_names)
    tables[name] = tables[name].rename_columns({old: rng.choice([old.upper(), old.title(), f"{old} ", "x", "", "\0"])})


def _double(rng: Random, tables: Tables) -> None:
    name = rng.choice(sorted(tables))
    column = rng.choice(tables[name].column_names)
    tables[name] = tables[name].append_column(column, tables[name].column(column))


OTHER_TYPES: dict[str, Callable[[int], pa.Array]] = {
    "null": pa.nulls,
    "bool": lambda count: pa.array([True] * count),
    "int8": lambda count: pa.array([number % 100 for number in range(count)], pa.int8()),
    "uint64": lambda count: pa.array([2**64 - 1 - number for number in range(count)], pa.uint64()),
    "float": lambda count: pa.array([1.5] * count),
    "half": lambda count: pa.array([1.5] * count, pa.float16()),
    "decimal": lambda count: pa.array([1] * count).cast(pa.decimal128(20, 1)),
    "binary": lambda count: pa.array([b"\xff"] * count),
    "fixed binary": lambda count: pa.array([b"\xff\0"] * count, pa.binary(2)),
    "view": lambda count: pa.array([f"pin-{number}" for number in range(count)], pa.string_view()),
    "dictionary": lambda count: pa.array([f"pin-{number}" for number in range(count)]).dictionary_encode(),
    "time of day": lambda count: pa.array([1] * count, pa.time64("us")),
    "duration": lambda count: pa.array([1] * count, pa.duration("us")),
    "struct": lambda count: pa.array([{"pin_id": "a"}] * count),
    "map": lambda count: pa.array([[("a", "b")]] * count, pa.map_(pa.string(), pa.string())),
    "list of lists": lambda count: pa.array([[["a"]]] * count),
    "list of structs": lambda count: pa.array([[{"word": "a"}]] * count),
    "list of dictionaries": lambda count: pa.array([["a"]] * count, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "uuid": lambda count: pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"a" * 16] * count, pa.binary(16))),
}


def _other_type(rng: Random, tables: Tables) -> None:
    name = rng.choice(sorted(tables))
    column = rng.choice([*tables[name].column_names, *(["image", "image_path"] if name == "pins" else [])])
    replace_column(tables, name, column, OTHER_TYPES[rng.choice(sorted(OTHER_TYPES))](tables[name].num_rows))


def _empty(rng: Random, tables: Tables) -> None:
    name = rng.choice(sorted(tables))
    tables[name] = tables[name].slice(0, 0)


def _missing(rng: Random, tables: Tables) -> None:
    del tables[rng.choice(sorted(tables))]


def _thousand_columns(rng: Random, tables: Tables) -> None:
    name = rng.choice(sorted(tables))
    more = {f"more {number}": [number] * tables[name].num_rows for number in range(300)}
    tables[name] = pa.table({**dict(zip(tables[name].column_names, tables[name].columns, strict=True)), **more})


COLUMNS: dict[str, Callable[[Random, Tables], None]] = {
    "a column is missing": _drop,
    "a column has another name": _rename,
    "a column is there twice": _double,
    "a column has another type": _other_type,
    "a table has no rows": _empty,
    "a table is missing": _missing,
    "a table has hundreds of columns": _thousand_columns,
}


def _chosen(rng: Random, folder: Path) -> Path:
    return rng.choice(sorted(folder.glob("*.parquet")))


def _change_bytes(rng: Random, folder: Path) -> None:
    path = _chosen(rng, folder)
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)


def _change_footer(rng: Random, folder: Path) -> None:
    path = _chosen(rng, folder)
    content = bytearray(path.read_bytes())
    first = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for _ in range(rng.randint(1, 4)):
        content[rng.randrange(first, len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _cut(rng: Random, folder: Path) -> None:
    path = _chosen(rng, folder)
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def _another_format(rng: Random, folder: Path) -> None:
    path = _chosen(rng, folder)
    table = pa.table({"pin_id": ["a", "b"], "board_id": ["x", "y"]})
    writers: list[Callable[[], Any]] = [
        lambda: pyarrow.csv.write_csv(table, path),
        lambda: pyarrow.feather.write_feather(table, path),
        lambda: path.write_text('{"pin_id": "a"}\n' * 20),
        lambda: path.write_bytes(b"PAR1" + rng.randbytes(rng.randrange(200)) + b"PAR1"),
        lambda: path.write_bytes(path.read_bytes()[:-4] + b"PARE"),
        lambda: path.write_bytes(rng.randbytes(rng.randrange(2000))),
    ]
    rng.choice(writers)()


def _no_file(rng: Random, folder: Path) -> None:
    path = _chosen(rng, folder)
    path.unlink()
    makers: list[Callable[[], Any]] = [
        path.mkdir,
        lambda: path.symlink_to(path),
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.symlink_to("nowhere"),
        lambda: os.mkfifo(path),
    ]
    rng.choice(makers)()


def _folder_of_files(rng: Random, folder: Path) -> None:
    """Parts of one table: sound ones, and one that is empty, of other columns, cut short, or no data at all."""
    path = _chosen(rng, folder)
    table, parts = pq.read_table(path), folder / path.stem
    path.unlink()
    parts.mkdir()
    half = table.num_rows // 2
    pq.write_table(table.slice(0, half), parts / "1.parquet")
    odd: list[Callable[[Path], Any]] = [
        lambda part: pq.write_table(table.slice(half).select(rng.sample(table.column_names, 1)), part),
        lambda part: pq.write_table(table.slice(0, 0), part),
        lambda part: pq.write_table(table.slice(half), part.with_name(rng.choice(["_2.parquet", "2.PARQUET"]))),
        lambda part: (pq.write_table(table, part), part.rename(part.with_name("\udcff.parquet"))),
        lambda part: part.write_bytes(b""),
        lambda part: part.mkdir(),
    ]
    rng.choice(odd)(parts / "2.parquet")
    if rng.random() < 0.2:
        pq.write_table(table, path)


FILES: dict[str, Callable[[Random, Path], None]] = {
    "a file has other bytes": _change_bytes,
    "a file has another footer": _change_footer,
    "a file is cut short": _cut,
    "a file has another format": _another_format,
    "a name leads to no file": _no_file,
    "a table is a folder of files": _folder_of_files,
}
