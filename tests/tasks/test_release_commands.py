"""`pinsage release`: lists, checks, compares and goes back, in words for a person."""

import pytest
from release_world import ReleaseWorld
from typer.testing import CliRunner

from tasks.command_line.cli import app


@pytest.fixture
def world(tmp_path) -> ReleaseWorld:
    """A store with two releases."""
    world = ReleaseWorld(tmp_path)
    world.versions = [world.release(1), world.release(2, num_pins=58)]
    return world


def release(world, *arguments):
    """The answer of `pinsage release ARGUMENTS`."""
    command = ["release", *arguments, "--home", str(world.store.home)]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200"})


def test_the_list_marks_the_current_one(world):
    """The newest first, with the reason of its release."""
    lines = [line for line in release(world, "list").stdout.splitlines() if "-v" in line]
    assert [world.versions[1] in lines[0], world.versions[0] in lines[1]] == [True, True]
    assert ["current" in line for line in lines] == [True, False]
    assert "there was no champion" in lines[0]


def test_a_damaged_release_is_listed_as_such(world):
    """And keeps no other from being listed."""
    (world.releases.folder(world.versions[0]) / "manifest.json").write_text("{")
    lines = [line for line in release(world, "list").stdout.splitlines() if "-v" in line]
    assert ["damaged" in line for line in lines] == [False, True]


def test_a_sound_release_is_said_to_be_sound(world):
    """With what it holds and a pin that it finds."""
    answer = release(world, "verify")
    assert answer.exit_code == 0
    assert f"{world.versions[1]} is sound: 16 files" in answer.stdout
    assert "58 pins of size 8; pin pin-00000 goes with pin-000" in answer.stdout


def test_a_damaged_release_is_one_sentence(world):
    """With an exit code that says that a retry cannot help."""
    (world.releases.folder(world.versions[0]) / "words.npy").unlink()
    answer = release(world, "verify", world.versions[0])
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "words.npy holds nothing" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_the_difference_names_pins_figures_and_neighbors(world):
    """Two pins went, the hit rate doubled, and neighbors of random directions have little in common."""
    shown = release(world, "diff", world.versions[0]).stdout
    assert "pins added: 0" in shown
    assert "pins removed: 2 (pin-00058, pin-00059)" in shown
    assert "of the first ten related pins of a pin" in shown
    assert "hit_rate@10" in shown
    assert "0.2" in shown


def test_a_release_does_not_differ_from_itself(world):
    """All neighbors stay, and no table is shown."""
    shown = release(world, "diff", world.versions[1]).stdout
    assert "100% stayed the same" in shown
    assert "figure" not in shown


def test_a_rollback_says_what_serves_now(world):
    """And what was withdrawn."""
    answer = release(world, "rollback")
    assert answer.exit_code == 0
    assert f"CURRENT names {world.versions[0]} since" in answer.stdout
    assert f"Withdrawn: {world.versions[1]}" in answer.stdout
    assert world.releases.current().version == world.versions[0]
    answer = release(world, "rollback")
    assert (answer.exit_code, "No release served before" in answer.stderr) == (1, True)
