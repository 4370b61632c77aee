"""What the footer of a Parquet file says of its row groups, read without the risk of a crash.

pyarrow ends the interpreter where the column metadata of a damaged footer cannot be made sense of (an exception of C++
that nobody catches), so what is needed of it is decoded here: Thrift's compact protocol in plain Python, in which any
damage is an exception. G row groups.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

MAGIC = b"PAR1"
TAIL_BYTES = 8
NO_TIME = -(2**63)  # the newest time of a row group in which every time is null
STOP, TRUE, FALSE, BYTE, INTEGERS, DOUBLE, BINARY, LISTS, STRUCT = 0, 1, 2, 3, (4, 5, 6), 7, 8, (9, 10), 12
INT32, INT64 = 1, 2
MICROSECONDS = {"day": (86_400_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}  # times, divided by
UNITS_CONVERTED = {6: "day", 9: "ms", 10: "us"}
UNITS_LOGICAL = {1: "ms", 2: "us", 3: "ns"}


@dataclass(frozen=True)
class Footer:
    """The rows of each of G row groups, and of each column its size and newest time.

    `sizes` are bytes before compression in all row groups together; `newest` has for each column of times G values in
    microseconds since 1970, `NO_TIME` where all are null, None where the writer did not say.
    """

    rows: tuple[int, ...]
    sizes: Mapping[str, int]
    newest: Mapping[str, tuple[int | None, ...]]


def read_footer(file: pa.NativeFile) -> Footer:
    """The footer of an open Parquet file.

    Raises:
        pyarrow.ArrowInvalid: it is damaged, or the file is no Parquet.
    """
    try:
        fields = _struct(_Bytes(_footer_bytes(file)))
        groups = fields[4]
        units = {leaf[4].decode(): unit for leaf in fields[2] if (unit := _unit(leaf))}
        chunks = [{_name(column[3]): column[3] for column in group[1]} for group in groups]
        rows = tuple(group[3] for group in groups)
        if sum(rows) != fields[3] or min(rows, default=0) < 0:
            raise pa.ArrowInvalid(f"its row groups have {sum(rows)} rows, its footer says {fields[3]}")
        sizes = {name: sum(chunk[name][6] for chunk in chunks) for name in (chunks[0] if chunks else ())}
        newest = {name: tuple(_newest(chunk[name], unit) for chunk in chunks) for name, unit in units.items()}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError, struct.error) as error:
        if isinstance(error, pa.ArrowInvalid):
            raise
        raise pa.ArrowInvalid("its footer is damaged") from error
    return Footer(rows, sizes, newest)


def _footer_bytes(file: pa.NativeFile) -> bytes:
    size = file.size()
    tail = file.read_at(min(TAIL_BYTES, size), max(size - TAIL_BYTES, 0))
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length + TAIL_BYTES > size:
        raise pa.ArrowInvalid("it does not end as a Parquet file does")
    return bytes(file.read_at(length, size - TAIL_BYTES - length))


def _name(chunk: dict[int, Any]) -> str:
    return ".".join(part.decode() for part in chunk[3])


def _unit(leaf: dict[int, Any]) -> str | None:
    """The unit of a column of times; None for any other."""
    if leaf.get(1) not in (INT32, INT64):
        return None
    logical = leaf.get(10, {})
    if 8 in logical:
        return UNITS_LOGICAL[next(iter(logical[8][2]))]
    return "day" if 6 in logical else UNITS_CONVERTED.get(leaf.get(6, -1))


def _newest(chunk: dict[int, Any], unit: str) -> int | None:
    told = chunk.get(12, {})
    newest = told.get(5, told.get(1))
    if newest is None:
        return NO_TIME if told.get(3) == chunk[5] else None
    if len(newest) != (4 if unit == "day" else 8):
        return None
    factor, divisor = MICROSECONDS[unit]
    return int(int.from_bytes(newest, "little", signed=True) * factor // divisor)


class _Bytes:
    """A place in some bytes; reading past their end is an IndexError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1]

    def varint(self) -> int:
        value = shift = 0
        while (byte := self.byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def zigzag(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def take(self, count: int) -> bytes:
        taken = self.data[self.place : self.place + count]
        self.place += count
        if len(taken) < count:
            raise IndexError(count)
        return taken


def _struct(data: _Bytes) -> dict[int, Any]:
    """The fields of a Thrift struct by their number."""
    fields: dict[int, Any] = {}
    number = 0
    while (head := data.byte()) & 0x0F != STOP:
        number = number + (head >> 4) if head >> 4 else data.zigzag()
        kind = head & 0x0F
        fields[number] = kind == TRUE if kind in (TRUE, FALSE) else _value(data, kind)
    return fields


def _value(data: _Bytes, kind: int) -> Any:
    if kind in INTEGERS:
        return data.zigzag()
    if kind == BINARY:
        return data.take(data.varint())
    if kind == STRUCT:
        return _struct(data)
    if kind in LISTS:
        return _list(data)
    if kind in (TRUE, FALSE, BYTE):
        return data.byte()
    if kind == DOUBLE:
        return data.take(8)
    raise ValueError(f"no value is of kind {kind}")  # maps do not occur in footers


def _list(data: _Bytes) -> list[Any]:
    head = data.byte()
    count = head >> 4 if head >> 4 < 15 else data.varint()
    return [_value(data, head & 0x0F) for _ in range(count)]
