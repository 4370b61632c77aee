"""The stage report on real artifacts: a page that fetches nothing, trusts nothing and repeats itself."""

import json
import re
from html.parser import HTMLParser

import pytest
from evaluation_world import HOSTILE, NUM_PINS, World, write_dataset

from tasks.report import report

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Outline(HTMLParser):
    """The tags, attributes and text of a page; `open_tags` must be empty at the end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text, self.open_tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """All stages before the report."""
    folder = tmp_path_factory.mktemp("report")
    world = World(folder / "home", write_dataset(folder / "data"), **{"report.num_queries": 12})
    world.publish("index")
    world.publish("evaluate")
    world.publish("compare_days")
    return world


@pytest.fixture(scope="module")
def page(world) -> str:
    """The page's HTML."""
    return (world.publish("report") / "report.html").read_text(encoding="utf-8")


def test_the_page_fetches_nothing(page):
    """No address but data: pictures and anchors of the page itself, no script, no import in the styles."""
    outline = Outline(page)
    addresses = [value for _, name, value in outline.attributes if name in ("src", "href", "srcset", "action", "data")]
    assert addresses
    assert [value for value in addresses if not value.startswith(("data:image/webp;base64,", "#"))] == []
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(outline.tags)
    assert not re.search(r"https?://|@import|url\(", page)


def test_the_page_is_well_formed(page):
    """Every tag that opens closes in order."""
    assert Outline(page).open_tags == []


def test_a_hostile_title_stays_text(page):
    """It is shown as it is written, and is no tag."""
    outline = Outline(page)
    assert "<script>alert" not in page
    assert HOSTILE in "".join(outline.text)
    assert any(name == "title" and HOSTILE in value for _, name, value in outline.attributes)


def test_the_page_shows_what_a_reader_looks_for(world, page):
    """Methods, scores, curves, counts, recall, quarantine and settings."""
    text = " ".join("".join(Outline(page).text).split())
    for words in (
        "PinSage on 40 pins", "on these pins", "95 % interval", "New pairs", "Board to pin",
        "Combined", "Popularity", "hit rate @ 10", "Loss", "Learning rate", "Hard negatives",
        "Boards per pin", "Recall of the exact ten nearest pins", "num_neighbors", world.run.result("train").key,
    ):  # fmt: skip
        assert words in text, words
    assert page.count('<div class="query">') == 12


def test_refused_rows_are_counted_with_their_reasons(world, page):
    """The save that names no pin, and the picture that is cut short."""
    text = " ".join("".join(Outline(page).text).split())
    assert world.run.result("ingest").facts["saves_quarantined"] == 1
    quarantined = text.split("Why rows were quarantined")[1].split("Index")[0]
    assert "saves" in quarantined
    assert "pictures" in quarantined or "decoding" in quarantined


def test_the_report_is_the_same_twice(world, page, tmp_path):
    """It is a function of its inputs: no clock, no run id, no timing."""
    facts = report(world.work("report", tmp_path))
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
    explorer = (world.publish("report") / "explorer.html").read_text(encoding="utf-8")
    assert (tmp_path / "explorer.html").read_text(encoding="utf-8") == explorer
    assert facts["query_rows"] == 12
    assert facts["pictures"] > 0
    assert facts["size_mb"] < 5


def test_the_explorer_of_a_first_run_has_one_list_per_pin(world):
    """All pins and the recall curve; the hostile title is no tag."""
    html = (world.publish("report") / "explorer.html").read_text(encoding="utf-8")
    facts = world.run.result("report").facts
    assert (facts["explorer_pins"], facts["champion"], facts["pins_compared"]) == (NUM_PINS, "", 0)
    assert "Nothing has been released yet" in html
    assert "<script>alert" not in html
    data = json.loads(html.split('id="data">')[1].split("</script>")[0])
    assert HOSTILE in data["pins"]["titles"]
    assert data["pictures"]
    assert f"{world.run.result('index').facts['trees']}, in use" in html


def test_the_explorer_of_a_large_catalog_has_a_sample(world, tmp_path):
    """A quarter as many pins as there may be, with the names of their related pins; the map has all."""
    facts = report(world.work("report", tmp_path, report__explorer_pins=20, report__explorer_pictures=0))
    html = (tmp_path / "explorer.html").read_text(encoding="utf-8")
    assert facts["explorer_pins"] == 5
    assert "a sample of <b>40</b> pins" in html
    data = json.loads(html.split('id="data">')[1].split("</script>")[0])
    assert 5 < len(data["pins"]["ids"]) <= NUM_PINS
    assert data["pictures"] == {}


def test_a_data_set_of_ids_alone_has_a_page(tmp_path):
    """Tiles with the ids, and a sentence that says which methods are left out."""
    world = World(tmp_path / "home", write_dataset(tmp_path / "data", has_content=False))
    world.publish("index")
    world.publish("evaluate")
    world.publish("compare_days")
    page = (world.publish("report") / "report.html").read_text(encoding="utf-8")
    assert "Combined (no pin has a picture or words), Visual (no pin has a picture)" in page
    assert "<img" not in page
    assert "pin-0" in "".join(Outline(page).text)
    assert "pin-00" in (world.publish("report") / "explorer.html").read_text(encoding="utf-8")
