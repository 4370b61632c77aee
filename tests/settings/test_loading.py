"""Settings come from defaults, a file and overrides, and every mistake is named."""

from pathlib import Path

import pytest

from pinsage.errors import SettingsError
from pinsage.settings.loading import flat, load_recorded, load_settings, named_settings, parse_override, save_settings
from pinsage.settings.schema import Settings
from pinsage.settings.section import Section

PRESETS = sorted((Path(__file__).parents[2] / "conf").glob("*.yaml"))


def test_overrides_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    """The three layers are merged setting by setting."""
    path = tmp_path / "c.yaml"
    path.write_text("walk:\n  num_walks: 10\n  restart: 0.25\n")
    settings = load_settings(path, {"walk.num_walks": 20})
    assert (settings.walk.num_walks, settings.walk.restart, settings.walk.max_traversals) == (20, 0.25, 2)


def test_flat_names_lead_back_to_the_same_settings():
    """Flattening and loading are inverse, so that a form or a file loses nothing."""
    settings = load_settings(overrides={"evaluate.ranks": [5, 20], "data.as_of": "2026-01-02T03:04:05Z"})
    assert load_settings(overrides=flat(settings)) == settings


def test_named_settings_leave_out_what_nobody_named(tmp_path):
    """A run on a deployment keeps the deployment's values, and a default that is named again counts as named."""
    path = tmp_path / "c.yaml"
    path.write_text("walk:\n  restart: 0.5\n")
    assert Settings().walk.restart == 0.5
    assert named_settings(load_settings(path, {"text.dim": 8})) == {"walk.restart": 0.5, "text.dim": 8}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"walk.num_walks": 0}, ["walk.num_walks = 0", "greater than or equal to 1"]),
        ({"walk.num_walkz": 3}, ["walk.num_walkz", "not permitted (did you mean 'walk.num_walks'?)"]),
        ({"wolk.num_walks": 3}, ["'wolk.num_walks' is not a setting (did you mean 'walk.num_walks'?)"]),
        ({"num_walks": 3}, ["'num_walks' is not a setting"]),
        ({"model.pooling": "sum"}, ["model.pooling", "importance"]),
        ({"train.margin": float("nan")}, ["train.margin", "finite"]),
        ({"train.steps": "many"}, ["train.steps", "integer"]),
        ({"walk.num_walks": True}, ["walk.num_walks = True", "should not be true or false"]),
        ({"evaluate.ranks": True}, ["evaluate.ranks = True", "should not be true or false"]),
        ({"data.as_of": 5}, ["data.as_of = 5", "a time such as 2026-01-31T12:00:00Z"]),
        ({"data.as_of": "20260101"}, ["data.as_of = '20260101'", "a time such as"]),
        ({"walk.num_walks": 10**5000}, ["walk.num_walks = a number of thousands of digits"]),
        ({"walk.num_walks": "x" * 10**6}, ["walk.num_walks = 'xxx", "..."]),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(overrides, words):
    """Unknown names, wrong types and values out of bounds are all refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=overrides)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


def test_true_and_false_are_values_of_switches():
    """Of others they are not."""
    assert not load_settings(overrides={"model.linear_path": False}).model.linear_path


def test_overrides_are_read_as_yaml():
    """Numbers, lists and empty values get their types."""
    assert parse_override("evaluate.ranks=[5, 10]") == ("evaluate.ranks", [5, 10])
    assert parse_override("data.as_of=") == ("data.as_of", None)
    with pytest.raises(SettingsError, match="no '='"):
        parse_override("walk.num_walks")


@pytest.mark.parametrize("value", ["[", "[" * 5000, "9" * 5000, "{a: 1, a: 2}", "!!python/name:os.system", "\0"])
def test_a_value_that_cannot_be_read_is_one_sentence(value):
    """However deep it nests, and however long it is."""
    with pytest.raises(
        SettingsError, match=r"^The value of 'walk\.num_walks=.* cannot be read \(.*\)\. Quote it"
    ) as caught:
        parse_override(f"walk.num_walks={value}")
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_execution_settings_do_not_enter_the_content_of_a_section():
    """Where a stage runs does not change what it makes."""
    content = load_settings().train.content()
    assert "steps" in content
    assert not {"device", "num_threads", "checkpoint_every"} & set(content)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_loads(path):
    """The presets of conf/ are valid and differ from the defaults."""
    assert load_settings(path) != Settings()


def test_every_setting_has_a_help_text():
    """Forms and pages are generated from the tree, so each field must say what it is."""
    for name, field in Settings.model_fields.items():
        section = field.annotation
        assert issubclass(section, Section)
        for setting, info in section.model_fields.items():
            described = info.description or any(getattr(item, "description", None) for item in info.metadata)
            assert described, f"{name}.{setting} has no description"


def test_a_file_of_an_earlier_version_is_read_without_what_is_gone(tmp_path):
    """A release keeps the settings of its model, and later versions read it; a preset with such a name is refused."""
    file = tmp_path / "settings.yaml"
    save_settings(load_settings(overrides={"walk.num_walks": 7}), file)
    file.write_text(file.read_text() + "departed:\n  a: 2\n")
    assert load_recorded(file) == load_settings(overrides={"walk.num_walks": 7})
    with pytest.raises(SettingsError, match="departed"):
        load_settings(file)
