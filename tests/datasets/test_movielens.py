"""MovieLens becomes a pin-board world that ingest takes as it is."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from data_set_world import ingested

from pinsage.datasets.movielens import MovieLensChoices, MovieLensFacts, import_movielens
from pinsage.errors import DatasetError

CSV = {
    "movies.csv": (
        "movieId,title,genres\n"
        "1,Toy Story (1995),Adventure|Animation\n"
        '11,"American President, The (1995)",Comedy\n'
        "2,Untitled,(no genres listed)\n"
    ),
    "ratings.csv": "userId,movieId,rating,timestamp\n7,1,4.0,964982703\n7,11,0.5,964982704\n8,1,5.0,964982705\n",
    "tags.csv": (
        "userId,movieId,tag,timestamp\n7,1,Pixar,1\n8,1,pixar ,2\n8,1,fun,3\n7,2,fun,4\n7,2,seen once,5\n8,11,pixar,6\n"
    ),
    "links.csv": "movieId,imdbId,tmdbId\n1,0114709,862\n2,0112346,\n",
}
DAT = {
    "movies.dat": "1::Toy Story (1995)::Animation|Comedy\n2::Misérables, Les (1995)::Drama\n",
    "ratings.dat": "1::1::5::978300760\n1::2::3::978300761\n",
}


def folder_of(folder, files, encoding="utf-8"):
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text.encode(encoding))
    return folder


def test_movies_users_and_ratings_become_pins_boards_and_saves(tmp_path):
    """With genres and tags that were given more than once as annotations, and ratings as weights."""
    facts = import_movielens(folder_of(tmp_path / "ml", CSV), tmp_path / "data")
    assert facts == MovieLensFacts(pins=3, boards=2, saves=3, pictures=0)
    pins = pq.read_table(tmp_path / "data" / "pins.parquet").to_pylist()
    assert pins[0] == {
        "pin_id": "1",
        "title": "Toy Story (1995)",
        "annotations": ["Adventure", "Animation", "pixar", "fun"],
        "link": "https://www.imdb.com/title/tt0114709/",
    }
    assert [pin["annotations"] for pin in pins[1:]] == [["Comedy", "pixar"], ["fun"]]
    assert [pin["link"] for pin in pins[1:]] == [None, "https://www.imdb.com/title/tt0112346/"]
    saves = pq.read_table(tmp_path / "data" / "saves.parquet").to_pylist()
    assert [(save["board_id"], save["pin_id"], save["weight"]) for save in saves] == [
        ("7", "1", 4.0),
        ("7", "11", 0.5),
        ("8", "1", 5.0),
    ]
    assert saves[0]["saved_at"].isoformat() == "2000-07-30T18:45:03+00:00"


@pytest.mark.parametrize("second", [2**63 - 1, -(2**63) + 1])
def test_a_time_beyond_any_calendar_costs_its_row_alone(tmp_path, second):
    """Ingest puts it into quarantine."""
    ratings = CSV["ratings.csv"] + f"8,2,5.0,{second}\n"
    import_movielens(folder_of(tmp_path / "ml", {**CSV, "ratings.csv": ratings}), tmp_path / "data")
    assert ingested(tmp_path / "data", tmp_path / "out").num_saves == 3


def test_ingest_takes_what_the_importer_wrote(tmp_path):
    """No row is quarantined."""
    import_movielens(folder_of(tmp_path / "ml", CSV), tmp_path / "data")
    catalog = ingested(tmp_path / "data", tmp_path / "out", max_bad_share=0.0)
    assert (catalog.num_pins, catalog.num_boards, catalog.num_saves) == (3, 2, 3)
    assert catalog.saves().column("weight").to_pylist() == [4.0, 0.5, 5.0]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_the_old_layout_is_read_too(tmp_path, encoding):
    """ml-1m is in Latin-1, ml-10m in UTF-8; both part fields by '::'."""
    facts = import_movielens(folder_of(tmp_path / "ml", DAT, encoding), tmp_path / "data")
    assert facts == MovieLensFacts(2, 1, 2, 0)
    pins = pq.read_table(tmp_path / "data" / "pins.parquet")
    assert pins.column("title").to_pylist() == ["Toy Story (1995)", "Misérables, Les (1995)"]


def test_low_ratings_may_be_left_out(tmp_path):
    """A board of which nothing is left is left out too; movies stay, as cold pins."""
    choices = MovieLensChoices(min_rating=4.5)
    facts = import_movielens(folder_of(tmp_path / "ml", CSV), tmp_path / "data", choices=choices)
    assert facts == MovieLensFacts(pins=3, boards=1, saves=1, pictures=0)
    with pytest.raises(DatasetError, match="None of 3 ratings is at least 6"):
        import_movielens(tmp_path / "ml", tmp_path / "none", choices=MovieLensChoices(min_rating=6))


def test_the_most_frequent_tags_of_a_movie_are_taken(tmp_path):
    """At most `max_tags`, those that were given at least `min_tag_uses` times anywhere."""
    choices = MovieLensChoices(min_tag_uses=1, max_tags=1)
    import_movielens(folder_of(tmp_path / "ml", CSV), tmp_path / "data", choices=choices)
    annotations = pq.read_table(tmp_path / "data" / "pins.parquet").column("annotations").to_pylist()
    assert annotations == [["Adventure", "Animation", "pixar"], ["Comedy", "pixar"], ["fun"]]


def test_posters_become_pictures(tmp_path):
    """By movieId, whichever suffix they have."""
    posters = tmp_path / "posters"
    posters.mkdir()
    (posters / "1.jpg").write_bytes(b"toys")
    (posters / "2.png").write_bytes(b"nothing")
    facts = import_movielens(folder_of(tmp_path / "ml", CSV), tmp_path / "data", posters=posters)
    assert facts.pictures == 2
    catalog = ingested(tmp_path / "data", tmp_path / "out")
    assert catalog.pictures_of(np.arange(3, dtype=np.int32)) == {0: b"toys", 2: b"nothing"}


def test_a_folder_that_holds_something_is_not_touched(tmp_path):
    """Not even where the import would succeed."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("keep")
    with pytest.raises(DatasetError, match="already holds something"):
        import_movielens(folder_of(tmp_path / "ml", CSV), tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine.txt"]


def test_an_empty_folder_may_be_filled(tmp_path):
    """As `mkdir` leaves it."""
    (tmp_path / "data").mkdir()
    assert import_movielens(folder_of(tmp_path / "ml", DAT), tmp_path / "data").pins == 2


@pytest.mark.parametrize(
    ("spoiled", "sentence"),
    [
        ({"ratings.csv": None}, "has no ratings.csv or ratings.dat"),
        ({"movies.csv": None}, "has no movies.csv or movies.dat"),
        ({"ratings.csv": "userId,movieId,rating,timestamp\n1,1,good,5\n"}, "is not a MovieLens file"),
        ({"movies.csv": "id,name\n1,x\n"}, "is not a MovieLens file"),
        ({"movies.csv": ""}, "is not a MovieLens file"),
    ],
)
def test_an_import_that_fails_leaves_nothing(tmp_path, spoiled, sentence):
    """One sentence, and no half-written folder."""
    files = {name: text for name, text in (CSV | spoiled).items() if text is not None}
    with pytest.raises(DatasetError, match=sentence):
        import_movielens(folder_of(tmp_path / "ml", files), tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["ml"]


def test_a_missing_folder_of_posters_is_told(tmp_path):
    """Rather than a world without pictures."""
    with pytest.raises(DatasetError, match=r"folder of posters .* does not exist"):
        import_movielens(folder_of(tmp_path / "ml", CSV), tmp_path / "data", posters=tmp_path / "no")
