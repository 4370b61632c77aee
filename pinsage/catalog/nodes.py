"""Pins and boards: which rows are kept, and which number each one gets.

N rows come in, P are kept; row i of the published table is node i, by ascending id.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pinsage.catalog.buckets import MAX_BUCKETS, BucketFiles
from pinsage.catalog.columns import decoded
from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.earlier import EarlierCatalog
from pinsage.catalog.id_table import IdTable, bytes_of
from pinsage.catalog.judge import Judge
from pinsage.catalog.parquet_files import ROW_GROUP_ROWS, write_tables
from pinsage.catalog.quarantine import Origins, TableCount, Verdicts
from pinsage.catalog.records import json_records

CONTROL = r"[\p{Cc}\p{Zl}\p{Zp}]"
BEGINS_CONTROL = np.isin(np.arange(256), [*range(0x20), 0x7F, 0xC2, 0xE2])
LOOKED_AT = 1 << 20
TEXT_ROWS = 1 << 15
NUMBER = "number"
NO_IDS = pa.array([], pa.large_string())
Digests = Callable[[NDArray[np.int64]], Mapping[int, str]]


@dataclass(frozen=True)
class Nodes:
    """The kept rows of `pins` or `boards`.

    `ids` large_string [P]: first `num_old` of an earlier catalog, then the others, ascending; `numbers` int32 [N] is
    the number of each row of the source, -1 where not kept.
    """

    ids: pa.Array
    numbers: NDArray[np.int32]
    count: TableCount
    num_old: int = 0


def no_digests(rows: NDArray[np.int64]) -> Mapping[int, str]:
    """No digest for any row: the table has no pictures."""
    return {}


def keep_nodes(source: SourceTable, judge: Judge, *, names: list[str], digests: Digests = no_digests) -> Nodes:
    """The rows of a table of pins or boards that can be used, numbered by ascending id.

    Of rows with the same id one is kept, chosen by its content, so that neither the order of the rows nor the files
    they lie in can change the result. The nodes of an earlier catalog keep their numbers, and win over rows with their
    ids. Memory: the ids and a few numbers per row; the other columns stay on disk.

    Args:
        source: the table.
        judge: the rules, and the quarantine that takes the other rows.
        names: the columns that are compared, the id first.
        digests: for rows with a doubled id, what their pictures are (to choose between them).

    Raises:
        DatasetError: too many rows cannot be used.
    """
    ids, name, table = source.column(names[0]).combine_chunks(), names[0], source.spec.name
    verdicts, old = Verdicts(source.num_rows), judge.base.ids(table, name) if judge.base else NO_IDS
    judge_ids(verdicts, ids, name=name, max_length=judge.max_id_length)
    if len(old):
        verdicts.mark(IdTable.of(old).rows(ids) >= 0, f"duplicate {name}")
    rows = np.flatnonzero(verdicts.kept)
    order = rows[pc.sort_indices(ids.take(pa.array(rows))).to_numpy()]
    is_again = _is_again(ids.take(pa.array(order)))
    verdicts.mark(_losers(source, names, order, is_again, digests), f"duplicate {name}")
    order = order[verdicts.kept[order]]
    numbers = np.full(source.num_rows, -1, np.int32)
    numbers[order] = np.arange(len(old), len(old) + len(order), dtype=np.int32)
    both = pa.chunked_array([old, ids.take(pa.array(order))], pa.large_string()).combine_chunks()
    return Nodes(both, numbers, _count(source, names, judge, verdicts, len(both)), len(old))


def _count(source: SourceTable, names: list[str], judge: Judge, verdicts: Verdicts, kept: int) -> TableCount:
    """What became of all rows, those of an earlier catalog included, after the bad ones went into quarantine."""
    table, quarantine = source.spec.name, judge.quarantine
    exist = judge.before(table).rows_in + source.num_rows
    judge.adopt(table)
    rejects = quarantine.judged(table, verdicts, lambda rows: _records(source, names[:2], rows), exist=exist)
    count = TableCount(table, exist, kept, quarantine.take(table, Origins(source), rejects, exist=exist), 0)
    count.check()
    return count


def write_nodes(
    source: SourceTable, nodes: Nodes, schema: pa.Schema, out: Path, base: EarlierCatalog | None = None
) -> None:
    """Write the columns of `schema` as the table's Parquet file in the folder `out`, row i being node i.

    The rows are dealt into files of neighboring nodes, so that no more than one such file is held at once.
    """
    name, num_new = source.spec.name, len(nodes.ids) - nodes.num_old
    per_bucket = ROW_GROUP_ROWS * (1 + num_new // (ROW_GROUP_ROWS * MAX_BUCKETS))
    dealt = pa.schema([(NUMBER, pa.int32())] + [(field.name, _large(field.type)) for field in schema])
    with BucketFiles(out / f"{name}-buckets", dealt) as files:
        for start, batch in source.batches(schema.names, TEXT_ROWS):
            numbers = nodes.numbers[start : start + batch.num_rows]
            kept = np.flatnonzero(numbers >= 0)
            columns = [pa.array(numbers), *(_plain(batch.column(field.name), field.type) for field in schema)]
            rows = pa.record_batch(columns, schema=dealt).take(pa.array(kept))
            files.deal((numbers[kept].astype(np.int64) - nodes.num_old) // per_bucket, rows)
        old = (pa.table(batch) for batch in base.batches(name)) if base else ()
        new = (files.read(bucket).sort_by(NUMBER) for bucket in range(-(-num_new // per_bucket)))
        write_tables(out / f"{name}.parquet", chain(old, new), schema)


def judge_ids(verdicts: Verdicts, ids: pa.Array, *, name: str, max_length: int) -> None:
    """Speak against null, empty and over-long ids and those with control characters."""
    verdicts.mark(_mask(ids.is_null()), f"{name} is null")
    lengths = pc.utf8_length(ids)
    verdicts.mark(_mask(pc.equal(lengths, 0)), f"{name} is empty")
    verdicts.mark(_mask(pc.greater(lengths, max_length)), f"{name} is longer than {max_length} characters")
    if _may_hold_control(ids):
        verdicts.mark(_mask(pc.match_substring_regex(ids, CONTROL)), f"{name} holds control characters")


def _may_hold_control(ids: pa.Array) -> bool:
    """Whether a byte occurs that control characters begin with: bytes are looked at faster than by the regex."""
    data, bounds = bytes_of(ids)
    starts = range(int(bounds[0]), int(bounds[-1]), LOOKED_AT)
    return any(BEGINS_CONTROL[data[start : min(start + LOOKED_AT, bounds[-1])]].any() for start in starts)


def _mask(found: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = found.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _is_again(ids: pa.Array) -> NDArray[np.bool_]:
    """bool: the id, of ids in order, is the one before it."""
    if not len(ids):
        return np.zeros(0, bool)
    return np.append(False, _mask(pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1))))


def _losers(
    source: SourceTable,
    names: list[str],
    order: NDArray[np.int64],
    is_again: NDArray[np.bool_],
    digests: Digests,
) -> NDArray[np.int64]:
    """The rows whose id another row wins: the one with the smallest digest of its content.

    `order` int64: rows by ascending id; `is_again` bool: the row has the id of the one before it.
    """
    is_doubled = is_again | np.append(is_again[1:], False)[: len(is_again)]
    doubled, groups = order[is_doubled], np.cumsum(~is_again)[is_doubled]
    if not len(doubled):
        return np.zeros(0, np.int64)
    by_row = np.argsort(doubled)
    contents = np.array(list(_contents(source, names, doubled[by_row], digests)))
    ranked = np.lexsort((doubled[by_row], contents, groups[by_row]))
    is_winner = np.append(True, np.diff(groups[by_row][ranked]) != 0)
    losers: NDArray[np.int64] = doubled[by_row][ranked[~is_winner]]
    return losers


def _contents(source: SourceTable, names: list[str], rows: NDArray[np.int64], digests: Digests) -> Iterator[str]:
    """The digest of each row's content, pictures included; the rows are ascending."""
    pictures = digests(rows)
    for places, batch in _chosen(source, names, rows):
        for row, content in zip(places.tolist(), batch.to_pylist(), strict=True):
            yield hashlib.sha256(json.dumps([content, pictures.get(row, "")]).encode()).hexdigest()


def _records(source: SourceTable, names: list[str], rows: NDArray[np.int64]) -> pa.Array:
    """The id and the title of each row: enough to find it again."""
    parts = [
        json_records({name: _plain(batch.column(name), pa.string()) for name in names})
        for _, batch in _chosen(source, names, rows)
    ]
    return pa.chunked_array(parts, pa.large_string()).combine_chunks()


def _chosen(
    source: SourceTable, names: list[str], rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], pa.RecordBatch]]:
    """The rows (ascending) of a table and their columns, piece by piece."""
    wanted = np.zeros(source.num_rows, bool)
    wanted[rows] = True
    for start, batch in source.batches(names, TEXT_ROWS, wanted=wanted):
        places = np.flatnonzero(wanted[start : start + batch.num_rows])
        if len(places):
            yield places + start, batch.take(pa.array(places))


def _plain(column: pa.Array, dtype: pa.DataType) -> pa.Array:
    return decoded(column).cast(_large(dtype))


def _large(dtype: pa.DataType) -> pa.DataType:
    """The same with 64-bit offsets: a bucket may hold more than 2 GB of text."""
    return pa.large_list(pa.large_string()) if pa.types.is_list(dtype) else pa.large_string()
