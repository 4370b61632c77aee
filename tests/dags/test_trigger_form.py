"""The trigger form says of every setting what the settings tree says."""

import json

import pytest
from airflow.sdk import Param, ParamsDict
from airflow.sdk.exceptions import ParamValidationError
from trigger_form import WANTED, chosen, trigger_form

from pinsage.settings.loading import flat, load_settings


@pytest.fixture
def form() -> dict[str, Param]:
    """The form of a deployment without a preset."""
    return trigger_form(load_settings())


def test_every_setting_is_in_the_form_with_its_help_and_section(form):
    """Nothing can be set elsewhere only; those in demand have no section, which leaves them open at the top."""
    assert set(form) == set(flat(load_settings()))
    assert tuple(form)[: len(WANTED)] == WANTED
    for name, param in form.items():
        assert param.schema["title"]
        assert param.description, name
        assert (
            ("section" not in param.schema)
            if name in WANTED
            else param.schema["section"].startswith(name.split(".")[0])
        )


def test_the_bounds_of_a_number_are_said_in_words(form):
    """Airflow shows them only after they were broken."""
    assert form["walk.restart"].description.endswith("(at least 0.0, below 1.0)")
    assert form["train.steps"].description.endswith("(at least 0, at most 10,000,000)")


def test_the_form_sent_as_it_stands_gives_the_deployments_settings():
    """Defaults survive the way through Params and back, presets included."""
    deployed = load_settings(overrides={"walk.num_walks": 77, "data.as_of": "2026-01-02T00:00:00Z"})
    params = ParamsDict(trigger_form(deployed)).validate()
    assert load_settings(overrides=chosen(json.loads(json.dumps(params)))) == deployed


@pytest.mark.parametrize("value", ["auto", 0.05, 0])
def test_a_choice_or_a_number_can_be_given(form, value):
    """A setting of two types takes either."""
    params = ParamsDict(form)
    params["model.popularity"] = value
    assert load_settings(overrides=chosen(params.validate())).model.popularity == value


def test_an_emptied_text_field_means_the_default(form):
    """Airflow's form sends null for it."""
    params = ParamsDict(form)
    params["tracking.uri"] = None
    params["data.as_of"] = None
    assert load_settings(overrides=chosen(params.validate())) == load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("walk.num_walks", 0),
        ("walk.num_walks", "many"),
        ("walk.num_walks", None),
        ("train.loss", "hinge"),
        ("walk.restart", 1.0),
        ("model.popularity", -1),
        ("evaluate.ranks", []),
        ("evaluate.ranks", [0]),
    ],
)
def test_a_value_out_of_bounds_is_refused_before_anything_runs(form, name, value):
    """By Airflow itself, with the setting's name in the message."""
    params = ParamsDict(form)
    with pytest.raises(ParamValidationError, match=name):
        params[name] = value
