"""A run names the places that its deployment allows, and no password."""

import pytest

from pinsage.errors import SettingsError
from pinsage.settings.loading import load_settings
from tasks.__main__ import main
from tasks.running.allowed_places import check_places

REFUSED = "is outside of what this deployment allows"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    """The environment of a shell that names nothing of ours."""
    monkeypatch.delenv("PINSAGE_ALLOWED", raising=False)
    monkeypatch.delenv("PINSAGE_CONFIG", raising=False)


def check(home, **places):
    names = {
        "dataset": "data.dataset",
        "weights": "visual.weights",
        "address": "cluster.address",
        "uri": "tracking.uri",
        "canaries": "promote.canaries",
    }
    check_places(load_settings(overrides={names[name]: place for name, place in places.items()}), home)


def test_a_shell_without_a_deployment_names_what_it_likes(tmp_path):
    """It may read the same beside the pipeline."""
    check(tmp_path, dataset="/etc", weights="/etc/passwd", address="tcp://elsewhere:1", uri="sqlite:////tmp/x.db")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("dataset", "/etc"),
        ("dataset", "file:///etc"),
        ("dataset", "local:///etc"),
        ("dataset", "ftp://elsewhere/x"),
        ("dataset", "webhdfs://elsewhere/x"),
        ("dataset", "https://elsewhere/tables"),
        ("dataset", "s3://others/tables"),
        ("dataset", "simplecache::s3://pins/tables"),
        ("dataset", "s3://pins/x.zip::file:///etc/x"),
        ("weights", "/etc/passwd"),
        ("address", "tcp://elsewhere:8786"),
        ("uri", "sqlite:////anywhere.db"),
        ("uri", "http://elsewhere:5000"),
        ("uri", "file:///etc"),
        ("canaries", "/etc/passwd"),
    ],
)
def test_a_place_that_is_not_allowed_is_refused(tmp_path, monkeypatch, name, place):
    """Before anything is opened; the sentence says who can allow it."""
    monkeypatch.setenv("PINSAGE_ALLOWED", "/srv/pins,s3://pins/")
    with pytest.raises(SettingsError, match=f"{REFUSED}.*PINSAGE_ALLOWED"):
        check(tmp_path, **{name: place})


def test_ways_around_end_where_they_lead(tmp_path, monkeypatch):
    """Dots and links are followed before a path is compared; a folder of a longer name is another folder."""
    monkeypatch.setenv("PINSAGE_ALLOWED", str(tmp_path / "pins"))
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / "link").symlink_to("/etc")
    for place in (tmp_path / "pins/../secret", tmp_path / "pins-of-others", tmp_path / "pins/link"):
        with pytest.raises(SettingsError, match=REFUSED):
            check(tmp_path / "home", dataset=str(place))


def test_what_is_allowed_passes(tmp_path, monkeypatch):
    """The data folder always; folders and beginnings of URLs that the variable lists."""
    monkeypatch.setenv("PINSAGE_ALLOWED", f"{tmp_path / 'pins'}, s3://pins/")
    check(tmp_path / "home", dataset=str(tmp_path / "home/demo"), uri=f"sqlite:///{tmp_path}/home/mlflow.db")
    check(tmp_path / "home", dataset=f"file://{tmp_path}/pins/today", weights=str(tmp_path / "pins/vgg16.pt"))
    check(tmp_path / "home", dataset="s3://pins/tables")


def test_what_the_deployments_preset_names_is_allowed(tmp_path, monkeypatch):
    """Its owner wrote it; another place beside it is not."""
    preset = tmp_path / "preset.yaml"
    preset.write_text("data: {dataset: /srv/tables}\ncluster: {address: 'tcp://dask:8786'}\n")
    monkeypatch.setenv("PINSAGE_ALLOWED", "")
    monkeypatch.setenv("PINSAGE_CONFIG", str(preset))
    check(tmp_path, dataset="/srv/tables", address="tcp://dask:8786")
    with pytest.raises(SettingsError, match=REFUSED):
        check(tmp_path, weights="/srv/tables")


def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path):
    """Also where everything is allowed: settings are shown in logs, pages, records and MLflow."""
    for place in ("s3://key:hunter2@pins/tables", "https://me:hunter2@mlflow.example"):
        with pytest.raises(SettingsError, match="a URL with a password") as caught:
            check(tmp_path, dataset=place)
        assert "hunter2" not in str(caught.value)


def test_a_stage_checks_before_it_begins_a_run(tmp_path, monkeypatch, capsys):
    """Exit code 2, one sentence, and nothing on disk that remembers the place."""
    monkeypatch.setenv("PINSAGE_ALLOWED", "")
    settings = '{"data.dataset": "ftp://elsewhere/x"}'
    assert main(["ingest", "--run-id", "r1", "--home", str(tmp_path / "home"), "--settings", settings]) == 2
    assert REFUSED in capsys.readouterr().out
    assert not (tmp_path / "home").exists()
