"""The tables a data owner brings, and what each of their columns may hold."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of values in a column; `columns.py` decides which Arrow types are accepted for it."""

    ID = "id"
    TEXT = "text"
    ANNOTATIONS = "annotations"
    TIME = "time"
    WEIGHT = "weight"
    PICTURE = "picture"


@dataclass(frozen=True)
class Column:
    """One column of a table that is read; every other column is ignored."""

    name: str
    kind: Kind
    is_required: bool = False


@dataclass(frozen=True)
class TableSpec:
    """The columns of one table of a data set."""

    name: str
    columns: tuple[Column, ...]
    is_required: bool = True

    def column(self, name: str) -> Column:
        """The column called `name`."""
        return next(column for column in self.columns if column.name == name)

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of the id columns."""
        return tuple(column.name for column in self.columns if column.kind is Kind.ID)

    @property
    def time(self) -> str:
        """The name of the time column, or '' where there is none."""
        return next((column.name for column in self.columns if column.kind is Kind.TIME), "")


PINS = TableSpec(
    "pins",
    (
        Column("pin_id", Kind.ID, is_required=True),
        Column("title", Kind.TEXT),
        Column("description", Kind.TEXT),
        Column("link", Kind.TEXT),
        Column("annotations", Kind.ANNOTATIONS),
        Column("image", Kind.PICTURE),
        Column("image_path", Kind.TEXT),
    ),
)
BOARDS = TableSpec(
    "boards",
    (Column("board_id", Kind.ID, is_required=True), Column("title", Kind.TEXT), Column("category", Kind.TEXT)),
)
SAVES = TableSpec(
    "saves",
    (
        Column("board_id", Kind.ID, is_required=True),
        Column("pin_id", Kind.ID, is_required=True),
        Column("saved_at", Kind.TIME),
        Column("weight", Kind.WEIGHT),
    ),
)
ENGAGEMENTS = TableSpec(
    "engagements",
    (
        Column("query_pin_id", Kind.ID, is_required=True),
        Column("engaged_pin_id", Kind.ID, is_required=True),
        Column("at", Kind.TIME),
    ),
    is_required=False,
)
TABLES = (PINS, BOARDS, SAVES, ENGAGEMENTS)

FORMAT = 3  # raise it when a catalog of older code must not be taken for one of this code
