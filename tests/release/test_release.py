"""An opened release answers as an exact scan does, and leaves out what it is asked to."""

import shutil

import numpy as np
import pytest
from new_pin_world import picture
from release_world import NUM_PINS, ReleaseWorld

from pinsage.errors import ArtifactDamagedError, InputError, UnknownPinError
from pinsage.release.diversity import Diversity
from pinsage.release.filters import Filters
from pinsage.release.release import Release
from pinsage.serving.new_pins import NewPin


@pytest.fixture(scope="module", params=["exact", "index"])
def release(request, tmp_path_factory) -> Release:
    """A release that scans, and one that asks the index."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "index":
            patch.setattr("pinsage.release.contents.EXACT_SCAN_PINS", 1)
        world = ReleaseWorld(tmp_path_factory.mktemp(request.param))
        version = world.release(1)
    opened = Release.open(world.releases.folder(version), version)
    assert opened.facts["search"] == request.param
    return opened


def by_score(release, pin, without=()) -> list[str]:
    """All other pins by falling score."""
    folder = release._folder
    embeddings, popularity = np.load(folder / "embeddings.npy"), np.load(folder / "popularity.npy")
    order = np.argsort(-(embeddings @ embeddings[pin] + popularity))
    return [f"pin-{other:05d}" for other in order if other != pin and other not in without]


def test_related_pins_are_those_of_a_sort(release):
    """With their scores, and the version that answered."""
    answer = release.related("pin-00007", 5)
    assert answer.pin_ids == by_score(release, 7)[:5]
    assert answer.scores == sorted(answer.scores, reverse=True)
    assert answer.version == release.version


def test_a_vector_is_answered_like_the_pin_it_belongs_to(release):
    """Whatever its length; the pin itself is not left out."""
    vector = 3 * np.load(release._folder / "embeddings.npy")[7]
    assert set(release.related("pin-00007", 5).pin_ids) <= set(release.related_to_vector(vector, 6).pin_ids)


def test_a_new_pin_is_answered_by_its_words_and_picture(release):
    """As its embedding is, which has the length of the others; filters hold for it, too."""
    pin = NewPin(title="sea", annotations=["tree"], image=picture())
    vector = release.embed_new_pin(pin)
    answer = release.related_to_new_pin(pin, 5, filters=Filters(pins=frozenset({"pin-00003"})))
    expected = release.related_to_vector(vector, 6).pin_ids
    assert answer.pin_ids == [pin_id for pin_id in expected if pin_id != "pin-00003"][:5]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["model.safetensors", "words.npy", "settings.yaml"])
def test_a_damaged_model_answers_no_new_pin_and_every_known_one(release, tmp_path, name):
    """It is looked at for the first new pin alone."""
    folder = shutil.copytree(release._folder, tmp_path / "copy")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    copy = Release.open(folder, release.version)
    assert copy.related("pin-00007", 5) == release.related("pin-00007", 5)
    with pytest.raises(ArtifactDamagedError, match="pinsage release rollback"):
        copy.embed_new_pin(NewPin(title="sea"))


@pytest.mark.parametrize(
    ("filters", "without"),
    [
        (Filters(pins=frozenset({"pin-00001", "pin-00002", "nobody"})), {1, 2}),
        (Filters(boards=frozenset({"board-0", "board-9"})), set(range(0, NUM_PINS, 7))),
        (Filters(same_board=True), set(range(0, NUM_PINS, 7)) | set(range(0, NUM_PINS, 8))),
        (Filters(frozenset({"pin-00001"}), frozenset({"board-4"}), True), {1} | {
            pin for step in (7, 8, 11) for pin in range(0, NUM_PINS, step)}),
    ],
)  # fmt: skip
def test_filters_leave_out_and_the_next_best_move_up(release, filters, without):
    """Pin 56 is on the boards of the multiples of 7 and of 8; as many come back as were asked for."""
    answer = release.related("pin-00056", 10, filters=filters)
    assert answer.pin_ids == by_score(release, 56, without)[:10]


def test_filters_that_leave_nothing_give_an_empty_answer(release):
    """No error: there is nothing to show."""
    everything = frozenset(f"pin-{pin:05d}" for pin in range(NUM_PINS))
    assert release.related("pin-00000", 5, filters=Filters(pins=everything)).pin_ids == []


def test_a_varied_list_leaves_out_what_is_alike(release):
    """No two pins of it are nearer than asked for, and the first is still the best."""
    folder = release._folder
    embeddings = np.load(folder / "embeddings.npy")
    answer = release.related("pin-00003", 6, diversity=Diversity(max_cosine=0.5, pool=10))
    rows = [int(pin_id[4:]) for pin_id in answer.pin_ids]
    cosines = embeddings[[3, *rows]] @ embeddings[[3, *rows]].T
    assert np.triu(cosines, 1).max() <= 0.5 + 1e-6
    assert len(rows) == 6


def test_queries_that_cannot_be_answered_are_one_sentence(release):
    """An unknown pin, no pins asked for, a vector of another size."""
    with pytest.raises(UnknownPinError, match="Did you mean"):
        release.related("pin-0007")
    with pytest.raises(InputError, match="0 related pins cannot be given"):
        release.related("pin-00007", 0)
    with pytest.raises(InputError, match="cannot be looked up"):
        release.related_to_vector(np.ones(3, np.float32))
    with pytest.raises(InputError, match="cannot be looked up"):
        release.related_to_vector(np.full(8, np.nan, np.float32))
