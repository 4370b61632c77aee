"""The explorer in a browser: search, clicks, keys, the way back, hostile titles, and no request."""

import base64
import hashlib
import json
import re
import time

import pytest
from browser import CHROMIUM, Page
from explorer_world import HOSTILE, NUM_PINS, SWAPPED, explorer_of

from pinsage.report.explorer.page import render_explorer

in_browser = pytest.mark.skipif(not CHROMIUM, reason="needs chromium on the PATH")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page as a file, beside a champion."""
    folder = tmp_path_factory.mktemp("explorer")
    html = folder / "explorer.html"
    html.write_text(render_explorer(explorer_of(folder / "catalog")), encoding="utf-8")
    return html


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all tests."""
    with Page(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser, path):
    """The page, opened anew."""
    browser.ask("Page.navigate", url="about:blank")
    browser.events.clear()
    browser.open(path)
    return browser


def heading(page) -> str:
    """The title of the open pin."""
    return page.value("document.querySelector('#detail h3').textContent")


def listed(page) -> list[str]:
    """The titles of the list."""
    return page.value("[...document.querySelectorAll('#list .title')].map((title) => title.textContent)")


def test_the_policy_names_the_one_script_and_lets_nothing_be_fetched(path):
    """Its digest is that of the program as it stands in the file."""
    html = path.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    program = re.search(r"<script>(.*)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    assert "innerHTML" not in html
    assert not re.search(r"https?://|@import|url\(", html)


def test_the_data_cannot_end_their_element(path):
    """No `<` is left in them, and they are read as they were written."""
    html = path.read_text(encoding="utf-8")
    data = html.split('id="data">')[1].split("</script>")[0]
    assert "<" not in data
    assert json.loads(data)["pins"]["titles"][101] == HOSTILE[101]


def test_the_figures_are_those_of_the_lists(tmp_path):
    """Facts and headlines agree; without a champion there are none."""
    explorer = explorer_of(tmp_path)
    kept = explorer.lists.kept[explorer.lists.is_compared]
    assert explorer.facts["pins_compared"] == NUM_PINS - 1
    assert explorer.facts["overlap_at_10"] == pytest.approx(kept.mean() / 10, abs=1e-4)
    assert explorer.headlines[0].figure == f"{10 * kept.mean():.1f} %"
    alone = explorer_of(tmp_path, has_champion=False)
    assert (alone.facts["champion"], alone.facts["overlap_at_10"], alone.headlines) == ("", None, [])


@in_browser
def test_it_begins_with_the_pin_that_changed_most(page):
    """Two lists of it, with all that is new and gone marked."""
    assert heading(page) == f"Title {SWAPPED[1]}"
    assert page.value("document.querySelectorAll('.pair > div').length") == 2
    assert page.value("document.querySelectorAll('.mark.in').length") == 10
    assert page.value("document.querySelectorAll('.mark.out').length") == 10
    assert listed(page)[:2] == [f"Title {pin}" for pin in SWAPPED[::-1]]
    assert page.value("document.querySelector('#detail img').naturalWidth") == 84


@in_browser
def test_a_search_by_title_or_id_finds_and_opens(page):
    """All words count, whatever their case; Enter opens the first pin."""
    page.click("#find")
    page.type("TITLE 17")
    assert {f"Title {pin}" for pin in (17, 170, 175, 179)} <= set(listed(page))
    page.value("document.querySelector('#find').value = ''")
    page.type("pin-00042")
    assert listed(page) == ["Title 42"]
    page.press("Enter")
    page.wait("document.querySelector('#detail h3').textContent === 'Title 42'")
    assert "pin=pin-00042" in page.value("location.hash")


@in_browser
def test_a_search_for_nothing_says_so(page):
    """And the open pin stays open."""
    page.click("#find")
    page.type("zebra")
    assert listed(page) == []
    assert "No pin has these words" in page.value("document.querySelector('#count').textContent")


@in_browser
def test_a_click_after_a_search_opens_the_pin_and_the_way_back_leads_back(page):
    """From the list to a pin, from there to a related pin, and back twice."""
    page.click("#find")
    page.type("pin-00042")
    page.click("#list a")
    page.wait("document.querySelector('#detail h3').textContent === 'Title 42'")
    page.click(".ours a.row")
    page.wait("document.querySelector('#detail h3').textContent !== 'Title 42'")
    page.value("history.back()")
    page.wait("document.querySelector('#detail h3').textContent === 'Title 42'")
    page.value("history.back()")
    page.wait(f"document.querySelector('#detail h3').textContent === 'Title {SWAPPED[1]}'")


@in_browser
def test_an_address_with_a_pin_opens_it(page, path):
    """A copied link; one of a pin that is not there says so."""
    page.open(path, "#pin=pin-00007&show=cold")
    page.wait("document.querySelector('#detail h3').textContent === 'Title 7'")
    assert len(listed(page)) == 10
    page.value("location.hash = 'pin=nobody'")
    page.wait("document.querySelector('#detail').textContent === 'The pin nobody has no list on this page.'")


@in_browser
def test_the_filters_count_and_choose(page):
    """Cold, popular and new pins."""
    buttons = page.value("[...document.querySelectorAll('#filters button')].map((button) => button.textContent)")
    assert buttons == [f"all {NUM_PINS}", "cold 10", "popular 10", "new 1"]
    page.click("#filters button:nth-child(4)")
    page.wait("document.querySelectorAll('#list a').length === 1")
    assert listed(page) == [f"Title {NUM_PINS - 1}"]
    assert "does not know this pin" in page.value("document.querySelector('#detail').textContent")


@in_browser
def test_keys_go_from_pin_to_pin(page):
    """j and k through the list, / into the search, where they are letters."""
    page.press("j")
    page.wait(f"document.querySelector('#detail h3').textContent === 'Title {SWAPPED[0]}'")
    page.press("k")
    page.wait(f"document.querySelector('#detail h3').textContent === 'Title {SWAPPED[1]}'")
    page.press("/")
    page.type("jk")
    assert page.value("document.querySelector('#find').value") == "jk"


@in_browser
def test_hostile_titles_stay_text(page):
    """In the list, the heading and the related pins; nothing of them runs."""
    for pin, title in HOSTILE.items():
        page.value(f"location.hash = 'pin=pin-{pin:05d}'")
        page.wait(f"document.querySelector('#detail h3').textContent === {json.dumps(title)}")
    assert page.value("document.title") == "PinSage · neighbor explorer"
    assert page.value("document.querySelectorAll('#detail script, #detail svg, #list script, #list svg').length") == 0
    assert page.value("document.querySelectorAll('img:not([src^=\"data:image/webp\"])').length") == 0


@in_browser
def test_nothing_is_requested_but_the_file_itself(page, path):
    """Whatever one does on the page, and nothing is complained about."""
    for selector in ("#list a:nth-child(1)", "#filters button:nth-child(2)", ".ours a.row", "#colors button", "#in"):
        page.click(selector)
    page.value("1")  # so that every event before it has come
    assert page.requests() == [path.as_uri()]
    assert page.complaints() == []


@in_browser
def test_a_click_on_the_map_opens_the_pin_there(page):
    """Pin 0 has its place on the circle; the canvas is painted, in another way by every coloring."""
    pixels = "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
    painted = f"{pixels}.reduce((sum, value) => (sum * 31 + value) | 0, 7)"
    pictures = set()
    for place in range(1, 5):
        page.click(f"#colors button:nth-child({place})")
        page.value("paint()")
        pictures.add(page.value(painted))
    assert len(pictures) == 4
    page.value("canvas.scrollIntoView({block: 'center'})")
    at = page.value(
        "(() => { const {ratio, at} = frame(), [x, y] = at(50), box = canvas.getBoundingClientRect();"
        "return [box.x + x / ratio, box.y + y / ratio]; })()"
    )
    page.click_at(*at)
    page.wait("document.querySelector('#detail h3').textContent === 'Title 50'")


@in_browser
def test_without_a_champion_there_is_one_list_and_a_sentence(browser, tmp_path):
    """The first run."""
    html = tmp_path / "explorer.html"
    html.write_text(render_explorer(explorer_of(tmp_path / "catalog", has_champion=False)), encoding="utf-8")
    browser.open(html)
    assert browser.value("document.querySelectorAll('.pair > div').length") == 1
    assert "Nothing has been released yet" in browser.value("document.body.textContent")
    assert browser.value("document.querySelectorAll('#filters button').length") == 3


@in_browser
def test_clicks_work_in_a_sandbox_without_an_address(browser, path, tmp_path):
    """MLflow shows a page in a frame whose address may not change; what is open changes all the same."""
    packed = base64.b64encode(path.read_bytes()).decode()
    host = tmp_path / "host.html"
    host.write_text(
        '<body style="margin:0"><iframe sandbox="allow-scripts" style="width:1300px;height:900px;border:0"></iframe>'
        f'<script>const bytes = Uint8Array.from(atob("{packed}"), (letter) => letter.charCodeAt(0));'
        'const page = URL.createObjectURL(new Blob([bytes], {type: "text/html"}));'
        "document.querySelector('iframe').onload = () => { document.body.dataset.readyMs = 1; };"
        "document.querySelector('iframe').src = page;</script>"
    )
    browser.ask("Emulation.setDeviceMetricsOverride", width=1300, height=900, deviceScaleFactor=1, mobile=False)
    browser.open(host)

    def detail() -> str:
        """The picture of the right-hand side, which the mouse on the left does not change."""
        return browser.ask(
            "Page.captureScreenshot", clip={"x": 420, "y": 430, "width": 800, "height": 400, "scale": 1}
        )["data"]

    until = time.monotonic() + 60
    last, before = "", detail()
    while last != before:  # the frame is loaded before its page is drawn
        time.sleep(0.5)
        last, before = before, detail()
    while detail() == before:
        assert time.monotonic() < until, "a click in the list opened nothing"
        browser.click_at(150, 690)
