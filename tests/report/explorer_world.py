"""A catalog and two models of it, small enough to know every list by heart, for the tests of the explorer.

The model's pins lie on a circle in the order of their rows, so that a pin's related pins are those beside it.
"""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from release_world import write_catalog

from pinsage.catalog.catalog import Catalog
from pinsage.report.explorer.first_pictures import first_pictures
from pinsage.report.explorer.lists import Champion, Model, compare_lists
from pinsage.report.explorer.page import Explorer, IndexRow
from pinsage.report.explorer.pin_map import HIT, MISS, pin_map
from pinsage.report.explorer.shown import shown_pins

NUM_PINS = 300
SWAPPED = (100, 200)  # pins that have each other's place in the champion, which differs in nothing else
HOSTILE = {
    101: "<script>document.title='hit'</script>",
    102: '"><img src=x onerror="document.title=\'hit\'">',
    103: "</script><svg onload=\"document.title='hit'\"><!--<script>",
    104: "{{ 7 * 7 }} \u2028 & \u202e",
}
INDEX = [IndexRow(10, 320, 0.91, 9000.0, 0.2, 1.5, False), IndexRow(20, 320, 0.96, 6000.0, 0.4, 2.5, True)]


def circle(num_pins: int = NUM_PINS) -> np.ndarray:
    """Float32 [P, 2]: the unit circle, in order, with steps that grow, so that no two neighbors are equally near."""
    steps = np.linspace(1, 1.2, num_pins)
    angles = np.cumsum(steps) / steps.sum() * 2 * np.pi
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def red_square() -> bytes:
    """A picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (60, 60), "red").save(buffer, "PNG")
    return buffer.getvalue()


def model_of(ids, vectors) -> Model:
    """A model without popularity; it is scanned, so that it needs no index."""
    return Model(pa.array(ids), vectors, np.zeros(len(vectors), np.float32), Path("/nowhere"))


def catalog_in(folder: Path) -> Catalog:
    """Pins `pin-00000` and so on, some with hostile titles."""
    folder.mkdir(exist_ok=True)
    write_catalog(folder, NUM_PINS)
    table = pq.read_table(folder / "pins.parquet")
    titles = [HOSTILE.get(pin, title) for pin, title in enumerate(table["title"].to_pylist())]
    pq.write_table(table.set_column(1, "title", pa.array(titles)), folder / "pins.parquet")
    pictures = pa.table({"pin": pa.array([*SWAPPED, 0], pa.int32()), "picture": [red_square(), red_square(), b"none"]})
    pq.write_table(pictures.sort_by("pin"), folder / "pictures.parquet")
    return Catalog.open(folder)


def champion_of(catalog: Catalog) -> Champion:
    """The model with two pins swapped, without the last pin, and with one at its place that is in no catalog now."""
    ids = catalog.pin_ids.array.to_pylist()
    vectors = circle()
    vectors[list(SWAPPED)] = vectors[list(SWAPPED[::-1])]
    theirs = [*ids[:-1], "removed"]
    return Champion("20261126T000000Z-v1-0123abcd", model_of(theirs, vectors), pa.array([f"Old {i}" for i in theirs]))


def explorer_of(folder: Path, *, has_champion: bool = True) -> Explorer:
    """The explorer: pins 0 to 9 are cold, 290 to 299 popular, and every second one is a query."""
    catalog = catalog_in(folder)
    champion = champion_of(catalog) if has_champion else None
    model = model_of(catalog.pin_ids.array, circle())
    degrees = np.arange(NUM_PINS, dtype=np.int64) - 9
    degrees[:10] = 0
    pins = np.arange(NUM_PINS, dtype=np.int32)
    lists = compare_lists(model, champion.model if champion else None, pins).in_order(degrees)
    shown = shown_pins(lists, catalog, champion, degrees)
    found = np.where(pins % 2, 0, np.where(pins % 4, MISS, HIT)).astype(np.uint8)
    return Explorer(
        "model", champion.version if champion else "", False, NUM_PINS, lists, shown, 281,
        pin_map(model.embeddings, pins, degrees, found), first_pictures(lists, shown, catalog, 281, 20), INDEX,
    )  # fmt: skip
