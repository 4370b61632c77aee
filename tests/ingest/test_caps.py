"""A text, an id or a list of any size costs bounded memory: it is cut, counted and told, or its row is quarantined."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from data_set_world import ingest, ingested, reasons, write

from pinsage.ingest.source import columns
from pinsage.ingest.source.columns import Caps, canonical
from pinsage.ingest.source.contract import Kind

ROOT = Path(__file__).parents[2]


def pins(**more: list) -> pa.Table:
    return pa.table({"pin_id": ["a", "b", "c"]} | more)


def test_long_texts_are_cut_and_counted(tmp_path, caplog):
    """In characters; the count is told, and a text of exactly the cap is whole."""
    table = pins(title=["é" * 7, "é" * 6, None], description=["short", "x" * 100, "y" * 100], link=["z" * 9, "", None])
    done = ingest(write(tmp_path / "data", pins=table), tmp_path / "out", max_text_length=6)
    found = pq.read_table(tmp_path / "out" / "pins.parquet").to_pydict()
    assert found["title"] == ["é" * 6, "é" * 6, None]
    assert found["description"] == ["short", "x" * 6, "y" * 6]
    assert found["link"] == ["z" * 6, "", None]
    assert done.counts[0].cut == 4
    assert "pins: 2 texts of description were longer" in caplog.text


def test_titles_of_boards_are_cut_too(tmp_path):
    """And counted by themselves."""
    boards = pa.table({"board_id": ["x", "y"], "title": ["Xylem", "Yard"]})
    done = ingest(write(tmp_path / "data", boards=boards), tmp_path / "out", max_text_length=4)
    assert {count.table: count.cut for count in done.counts} == {"pins": 0, "pictures": 0, "boards": 1, "saves": 0}


def test_annotations_have_a_length_and_a_number(tmp_path):
    """As lists and as strings with commas; blanks do not count."""
    table = pins(annotations=[["one", "", "two", "three"], ["abcdefgh"], None])
    catalog = ingested(write(tmp_path / "data", pins=table), tmp_path / "out", max_text_length=5, max_annotations=2)
    assert catalog.pins().column("annotations").to_pylist() == [["one", "two"], ["abcde"], []]


def test_a_string_of_annotations_is_cut_before_it_is_split(tmp_path):
    """A hundred megabytes of commas would else become a hundred million words."""
    caps = Caps(characters=11, annotations=2)
    found = canonical(pa.array(["a,b,c", "longer text,x" * 9]), Kind.ANNOTATIONS, caps, "annotations")
    assert found.to_pylist() == [["a", "b"], ["longer text"]]
    assert caps.cut == {"annotations": 2}


def test_a_text_in_a_dictionary_is_cut_once(tmp_path):
    """Each of its rows is counted; a null among them is not."""
    caps = Caps(characters=3)
    found = canonical(pa.array(["long text", "abc", None, "long text"]).dictionary_encode(), Kind.TEXT, caps, "title")
    assert found.to_pylist() == ["lon", "abc", None, "lon"]
    assert caps.cut == {"title": 2}


def test_an_id_in_a_dictionary_is_not_read_to_its_end(monkeypatch):
    """It is too long in any case."""
    monkeypatch.setattr(columns, "MAX_ID_CHARACTERS", 5)
    assert canonical(pa.array(["x" * 9, "x" * 9]).dictionary_encode(), Kind.ID).to_pylist() == ["x" * 5] * 2


def test_many_rows_of_one_pin_id_are_chosen_from_at_once(tmp_path):
    """One pin, 100,000 rows: the one that is first by content, whatever came first."""
    titles = [f"title {number:06d}" for number in range(100_000, 0, -1)]
    table = pa.table({"pin_id": ["a"] * len(titles), "title": titles})
    saves = pa.table({"board_id": ["x"], "pin_id": ["a"]})
    folder = write(tmp_path / "data", pins=table, saves=saves)
    catalog = ingested(folder, tmp_path / "out", max_bad_share=0.99999)
    assert catalog.pins(["title"]).column(0).to_pylist() == ["title 000001"]
    assert {reason for *_, reason in reasons(tmp_path / "out")} == {"duplicate pin_id"}


SHARED = """
import resource, sys
from pathlib import Path
import numpy, pyarrow, duckdb
from data_set_world import ingest
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ingest(Path(sys.argv[1]), Path(sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1000)
"""


def test_a_long_text_of_many_rows_is_held_once(tmp_path):
    """300 rows share a title, an annotation and an id of 5 MB each by dictionary: 4.5 GB if each row had its own."""
    shared = ["é" * 2_500_000] * 300
    ids = [f"pin-{number}" for number in range(300)]
    table = pa.table({"pin_id": ids + shared, "title": shared + ids, "annotations": [[text] for text in shared + ids]})
    folder = write(tmp_path / "data", pins=None, saves=None)
    pq.write_table(table, folder / "pins.parquet", write_batch_size=100)
    saves = pa.table({"board_id": ["x"] * 600, "pin_id": ids + shared})
    pq.write_table(saves, folder / "saves.parquet", write_batch_size=100)
    command = [sys.executable, "-c", SHARED, str(folder), str(tmp_path / "out")]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'ingest'}"}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    assert int(answer.stdout.split()[-1]) < 600
    assert pq.read_metadata(tmp_path / "out" / "pins.parquet").num_rows == 300
