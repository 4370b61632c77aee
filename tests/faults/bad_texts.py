"""Bad texts: settings, presets, options of a stage, URLs, and files that are imported or read beside the tables.

Each kind does its own trial in a folder: whatever is wrong is told by an error of ours, or nothing is wrong.
"""

import json
import os
import pickle
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file

from pinsage.datasets.movielens import import_movielens
from pinsage.features.vgg import Vgg16, load_weights
from pinsage.ingest.source.dataset import Dataset
from pinsage.promotion.canaries import read_canaries
from pinsage.settings.loading import flat, load_settings, parse_override
from pinsage.settings.schema import Settings
from tasks.__main__ import main
from tasks.command_line.compare import comparison_asked
from tasks.comparing.plan import planned_runs

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**200), 10**5000, 0.5, 1e308, -0.0, float("nan"), float("inf"),
    "", " ", "0", "1e999", "null", "\0", "\udcff", "é" * 100_000, "1; rm -rf /", "{{ 7*7 }}", "2026-02-31", "20260101",
    [], {}, [[]], [1, 1], {"a": 1}, [None], ["x"] * 10_000, "/dev/zero", "file:///etc/passwd", "zip://x::/y", b"\xff",
)  # fmt: skip
PIECES = (
    "walk:", "num_walks", ": ", "\n  ", "[", "]", "{", "}", "- ", "&a ", "*a", "!!python/name:os.system", "\t", "#",
    "'", '"', "|\n", "0x", "1_000", "1e400", "2026-01-01", "\0", "é", "\ufeff", "---\n", "%YAML 9\n", "<<: *a", "? ",
    "=", "train.steps", "data.dataset",
)  # fmt: skip
NAMES = tuple(flat(Settings()))


def _spoiled_text(rng: Random, text: str) -> str:
    """Cut, repeat, swap and insert pieces."""
    for _ in range(rng.randint(1, 6)):
        first, last = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        last = min(last, first + 40)
        text = text[:first] + rng.choice([rng.choice(PIECES), "", text[first:last] * 2]) + text[last:]
    return text


def _spoiled_bytes(rng: Random, content: bytes) -> bytes:
    spoiled = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
    return bytes(spoiled)


def _setting(rng: Random, folder: Path) -> None:
    """One value of any kind, under a name that there is or nearly is."""
    name = rng.choice(NAMES)
    flawed = rng.choice([name, name, name, name.upper(), name[:-1], name.replace(".", ".."), ".", "", f"{name}.x"])
    load_settings(overrides={flawed: rng.choice(VALUES)})


def _override(rng: Random, folder: Path) -> None:
    name, value = parse_override(f"{rng.choice(NAMES)}={''.join(rng.choices(PIECES, k=rng.randint(0, 6)))}")
    load_settings(overrides={name: value})


def _preset_of_pieces(rng: Random, folder: Path) -> None:
    _load(folder, "".join(rng.choices(PIECES, k=rng.randint(1, 30))).encode())


def _spoiled_preset(rng: Random, folder: Path) -> None:
    paths = sorted((Path(__file__).parents[2] / "conf").glob("*.yaml"))
    text = rng.choice(paths).read_text(encoding="utf-8")
    is_of_bytes = rng.random() < 0.5
    _load(folder, _spoiled_bytes(rng, text.encode()) if is_of_bytes else _spoiled_text(rng, text).encode())


def _load(folder: Path, content: bytes) -> None:
    (folder / "preset.yaml").write_bytes(content)
    load_settings(folder / "preset.yaml")


def _options(rng: Random, folder: Path) -> None:
    """The options of a stage's process, as Airflow or a shell gives them: never an unforeseen error."""
    objects = (
        "{}",
        "[]",
        "{",
        '{"walk.num_walks": 0}',
        '{"data.dataset": "/none"}',
        "[" * 100_000,
        "\ud800",
        "1" * 5000,
        "NaN",
    )
    text = rng.choice([*objects, _spoiled_text(rng, json.dumps({rng.choice(NAMES): "x"}))])
    given = {"--settings": "{}", "--origin": "{}", "--run-id": "r", "--home": str(folder / "home")}
    given[rng.choice(["--settings", "--origin", "--run-id"])] = text
    options = [f"{name}={value}" for name, value in given.items()]
    with redirect_stdout(StringIO()) as said:
        code = main([rng.choice(["ingest", "walk", "release"]), *options])
    report = json.loads(said.getvalue().splitlines()[-1])
    assert code == 2 or "does not exist" in report["error"] or "has no result" in report["error"], report


def _url(rng: Random, folder: Path) -> None:
    """No server is asked: none of the schemes leads beyond this machine."""
    schemes = (
        "",
        "file://",
        "local://",
        "memory://",
        "zip://",
        "tar://",
        "data:",
        "reference://",
        "nosuch://",
        "simplecache::",
    )
    parts = (
        "x",
        "/",
        "..",
        "::",
        "[",
        "]",
        "@",
        ":",
        "?",
        "#",
        "%",
        "%00",
        "\0",
        "\udcff",
        "\n",
        "~",
        "*",
        " ",
        "é",
        "C:\\",
        "a" * 300,
    )
    url = rng.choice(schemes) + rng.choice([str(folder), "/"]) + "".join(rng.choices(parts, k=rng.randint(0, 8)))
    Dataset.open(url).tables()


def _comparison(rng: Random, folder: Path) -> None:
    variants = [
        f"{rng.choice(['wide', '', ' ', 'é'])}{rng.choice([':', '', '::'])}{rng.choice(NAMES)}={rng.choice(PIECES)}"
    ]
    ladder, seeds = (
        rng.choice(["", "levers", "x"]),
        rng.choice(["0", "", "0,0", "-1", "x", "9" * 400, "1_0", "²", "0," * 300]),
    )
    planned_runs("r", comparison_asked(ladder, variants * rng.randint(1, 2), seeds), {})


MOVIES = "movieId,title,genres\n1,Toy Story (1995),Adventure|Animation\n2,Heat (1995),Comedy\n"
RATINGS = "userId,movieId,rating,timestamp\n7,1,4.0,964982703\n7,2,0.5,964982704\n8,1,5.0,964982705\n"
TAGS = "userId,movieId,tag,timestamp\n7,1,Pixar,1\n8,1,pixar ,2\n"
CELLS = (
    "",
    '"',
    ",",
    "::",
    "\n",
    "\r",
    "\0",
    "NaN",
    "1e400",
    "9" * 30,
    "-1",
    "9223372036854775807",
    "|",
    "é",
    "../1",
    "null",
    "x" * 200_000,
)


def _movielens(rng: Random, folder: Path) -> None:
    """Files of MovieLens in either layout, with cells and lines replaced, or bytes changed."""
    files = {"movies": MOVIES, "ratings": RATINGS, "tags": TAGS, "links": "movieId,imdbId,tmdbId\n1,0114709,862\n"}
    is_old = rng.random() < 0.3
    name = rng.choice(["movies", "ratings", "tags", "links"])
    for each, text in files.items():
        written = "\n".join(text.split("\n")[1:]).replace(",", "::") if is_old else text
        content = _spoiled_cells(rng, written, "::" if is_old else ",").encode() if each == name else written.encode()
        if each == name and rng.random() < 0.3:
            content = _spoiled_bytes(rng, content or b"\0")
        (folder / f"{each}.{'dat' if is_old else 'csv'}").write_bytes(content)
    import_movielens(folder, folder / "tables", posters=folder if rng.random() < 0.3 else None)


def _spoiled_cells(rng: Random, text: str, separator: str) -> str:
    lines = [line.split(separator) for line in text.splitlines()]
    for _ in range(rng.randint(1, 4)):
        line = rng.choice(lines if rng.random() < 0.2 else lines[1:] or lines)
        line[rng.randrange(len(line))] = rng.choice(CELLS)
    return "\n".join(
        separator.join(line) for line in lines[: rng.randint(1, len(lines)) if rng.random() < 0.2 else None]
    )


def _canaries(rng: Random, folder: Path) -> None:
    """A table of canaries: a CSV or Parquet file with other cells, columns or bytes; or no file at all."""
    path = folder / rng.choice(["canaries.csv", "canaries.parquet"])
    makers: list[Callable[[], Any]] = [
        lambda: _write_canaries(rng, path),
        lambda: path.write_bytes(_spoiled_bytes(rng, b"pin_id,neighbor_pin_id,within\na,b,3\n")),
        path.mkdir,
        lambda: path.symlink_to(path),
        lambda: os.mkfifo(path),
        lambda: None,
    ]
    rng.choice([makers[0], makers[0], makers[1], *makers])()
    read_canaries(rng.choice(["", "file://"]) + str(path))


def _write_canaries(rng: Random, path: Path) -> None:
    columns = rng.choices(["pin_id", "neighbor_pin_id", "within", "PIN_ID", "x"], k=rng.randint(1, 4))
    if rng.random() < 0.5:
        columns = ["pin_id", "neighbor_pin_id", *columns[:1]]
    if path.suffix == ".csv":
        lines = [columns, *([rng.choice([*CELLS, "a", "3"]) for _ in columns] for _ in range(3))]
        path.write_text("\n".join(",".join(line) for line in lines), encoding="utf-8")
        return
    drawn: list[Callable[[], pa.Array]] = [
        lambda: pa.array(["a", "b"]), lambda: pa.array([1, 2**40]), lambda: pa.array([None, "a"]),
        lambda: pa.array([b"\xff", b""]), lambda: pa.array([["a"], []]),
        lambda: pa.array([1.5, float("nan")]), lambda: pa.array([True, False]),
    ]  # fmt: skip
    pq.write_table(pa.table([rng.choice(drawn)() for _ in columns], names=columns), path)


def _weights(rng: Random, folder: Path) -> None:
    """A file of weights as PyTorch or safetensors writes one, with bytes changed; pickles of other things, and junk."""
    path = folder / rng.choice(["vgg.pth", "vgg.safetensors"])
    tensors = {"features.0.weight": torch.zeros(4), "features.0.bias": torch.zeros(2)}
    torch.save(tensors, path, _use_new_zipfile_serialization=rng.random() < 0.5)
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    makers: list[Callable[[], Any]] = [
        lambda: path.write_bytes(_spoiled_bytes(rng, path.read_bytes())),
        lambda: path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)]),
        lambda: path.write_bytes(pickle.dumps(rng.choice([{"a": 1}, [1], os.getcwd, Path("x"), 2**200, {1: {2: 3}}]))),
        lambda: path.write_bytes(rng.choice([b"", b"\x80", rng.randbytes(300)])),
        lambda: None,
    ]
    rng.choice([makers[0], *makers])()
    with torch.device("meta"):
        network = Vgg16()
    load_weights(network, path)


TEXTS: dict[str, Callable[[Random, Path], None]] = {
    "settings of any value": _setting,
    "overrides of any text": _override,
    "presets of random pieces": _preset_of_pieces,
    "presets that were spoiled": _spoiled_preset,
    "options of a stage": _options,
    "places of a data set": _url,
    "comparisons": _comparison,
    "MovieLens files": _movielens,
    "canaries": _canaries,
    "weights of the picture encoder": _weights,
}
