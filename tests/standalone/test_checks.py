"""What is checked before anything starts, and what is asked for."""

import pytest

from pinsage.errors import SettingsError
from pinsage.settings.loading import load_settings
from tasks.standalone.checks import NotReadyError, check_dataset, check_disk, check_preset, check_python
from tasks.standalone.request import Request


def test_old_python_little_disk_and_missing_files_are_one_sentence_each(tmp_path):
    """With both values, and what to do."""
    with pytest.raises(NotReadyError, match=r"3\.10; 3\.11"):
        check_python((3, 10))
    with pytest.raises(NotReadyError, match=r"0\.3 GB are free"):
        check_disk(tmp_path / "not" / "yet", free_gb=0.3)
    with pytest.raises(NotReadyError, match=r"no folder .*nowhere"):
        check_dataset(str(tmp_path / "nowhere"))
    with pytest.raises(NotReadyError, match="no settings file"):
        check_preset(str(tmp_path / "no.yaml"))


def test_a_machine_that_is_ready_is_let_through(tmp_path):
    """The other half of each check; folders become absolute, addresses stay."""
    check_python((3, 11))
    check_disk(tmp_path / "not" / "yet", free_gb=50)
    assert check_dataset(str(tmp_path)) == str(tmp_path)
    assert check_dataset("s3://bucket/pins") == "s3://bucket/pins"


def test_ones_own_data_runs_on_the_codes_defaults(tmp_path):
    """Only the data set differs; single settings go on top."""
    settings = Request(str(tmp_path), "", ["walk.num_walks=7"]).settings(tmp_path / "home")
    assert settings == load_settings(overrides={"data.dataset": str(tmp_path), "walk.num_walks": 7})


def test_a_preset_goes_below_single_settings(tmp_path):
    """File, then command line."""
    preset = tmp_path / "p.yaml"
    preset.write_text("walk: {num_walks: 5, max_traversals: 3}")
    walk = Request(str(tmp_path), str(preset), ["walk.num_walks=7"]).settings(tmp_path).walk
    assert (walk.num_walks, walk.max_traversals) == (7, 3)


def test_a_typing_error_is_found_before_the_demo_world_is_made(tmp_path, monkeypatch):
    """Nothing was written."""
    monkeypatch.setattr("tasks.standalone.request.DEMO_PRESET", None)
    with pytest.raises(SettingsError, match="num_walk"):
        Request("", "", ["walk.num_walk=7"]).settings(tmp_path)
    assert list(tmp_path.iterdir()) == []
