"""The tables of the published catalog, in Arrow's terms (docs/data_model.md)."""

import pyarrow as pa

INSTANT = pa.timestamp("us", tz="UTC")

PUBLISHED_PINS = pa.schema(
    [
        ("pin_id", pa.string()),
        ("title", pa.string()),
        ("description", pa.string()),
        ("link", pa.string()),
        ("annotations", pa.list_(pa.string())),
    ]
)
PUBLISHED_BOARDS = pa.schema([("board_id", pa.string()), ("title", pa.string()), ("category", pa.string())])
PUBLISHED_SAVES = pa.schema([("board", pa.int32()), ("pin", pa.int32()), ("saved_at", INSTANT)])
WEIGHT = pa.field("weight", pa.float32())  # the last column of the published saves of a data set that has weights
PUBLISHED_ENGAGEMENTS = pa.schema([("query", pa.int32()), ("positive", pa.int32()), ("at", INSTANT)])
PUBLISHED_PICTURES = pa.schema([("pin", pa.int32()), ("picture", pa.binary())])
PUBLISHED_QUARANTINE = pa.schema(
    [
        ("table", pa.string()),
        ("source", pa.string()),
        ("row", pa.int64()),
        ("reason", pa.string()),
        ("record", pa.string()),
    ]
)
