"""Compiling ahead: once for a state of the code, and never the reason that a run does not begin."""

import pytest

from tasks.standalone import warm_up


@pytest.fixture
def worlds(monkeypatch) -> list:
    """The tiny worlds that were run; none really is."""
    found: list = []
    monkeypatch.setattr(warm_up, "_run_tiny_world", found.append)
    monkeypatch.setattr("os.nice", lambda by: by)
    return found


def test_the_same_code_is_compiled_once(worlds, tmp_path, monkeypatch):
    """And again after an edit."""
    for _ in range(2):
        assert warm_up.main(tmp_path) == 0
    assert len(worlds) == 1
    monkeypatch.setattr(warm_up, "fingerprint", lambda: "edited")
    warm_up.main(tmp_path)
    assert len(worlds) == 2


def test_a_failure_is_no_obstacle(tmp_path, monkeypatch, caplog, worlds):
    """It is written down, and tried again the next time."""
    monkeypatch.setattr(warm_up, "_run_tiny_world", lambda home: 1 / 0)
    assert warm_up.main(tmp_path) == 0
    assert "the stages will do it" in caplog.text
    assert not (tmp_path / "cache/compiled").exists()


def test_every_stage_with_an_artifact_goes_through_the_tiny_world(tmp_path):
    """Its settings are such that each stage can be done."""
    warm_up._run_tiny_world(tmp_path)
    made = {path.name for path in (tmp_path / "artifacts").iterdir() if not path.name.startswith(".")}
    assert {"ingest", "walk", "train", "embed", "evaluate", "report"} <= made
