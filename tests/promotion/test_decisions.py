"""The table of decisions only grows, whoever writes, in a folder and in an object store."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from pinsage.errors import ArtifactDamagedError, DecisionMovedError
from pinsage.promotion.checks import Check
from pinsage.promotion.decisions import DECISIONS, Decision, Decisions, withdrawals
from pinsage.store.bucket import FolderBucket

MODEL = "pinsage-demo-1a2b"
CHECKS = (Check("churn", False, "Too much.", 0.99, 0.95), Check("spread", True, "Fine."))
REFUSED = Decision("refused", MODEL, 2, 1, "Not promoted.", "run r2", CHECKS)


@pytest.fixture
def decisions(store) -> Decisions:
    """An empty table, in a store of each kind."""
    return Decisions(store.bucket(DECISIONS))


def record(decisions, decision):
    """Record a decision on the history that there is."""
    return decisions.record(decision, decisions.history(decision.model))


def test_a_decision_is_read_as_it_was_written(decisions):
    """With every value and the time."""
    written = decisions.record(REFUSED, [])
    assert decisions.history(MODEL) == [REFUSED] == [written]
    assert decisions.history(MODEL)[0].at == written.at != ""
    assert decisions.history("another") == []


def test_the_table_grows_in_order(decisions):
    """Also by the same decision again, once another one came between."""
    other = replace(REFUSED, kind="promoted", checks=())
    for decision in (REFUSED, other, REFUSED):
        record(decisions, decision)
    assert [decision.kind for decision in decisions.history(MODEL)] == ["refused", "promoted", "refused"]


def test_a_stage_that_runs_again_adds_no_row(decisions):
    """It decides the same on the same figures."""
    assert record(decisions, REFUSED).at == record(decisions, REFUSED).at
    assert len(decisions.history(MODEL)) == 1
    record(decisions, replace(REFUSED, by="run r3"))
    assert len(decisions.history(MODEL)) == 2


def test_many_writers_at_once_lose_nothing(decisions):
    """Where no lock is between them, each number is one's, and the others try the next."""

    def record_patiently(number):
        while True:
            with suppress(DecisionMovedError):
                return record(decisions, replace(REFUSED, version=number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record_patiently, range(40)))
    assert sorted(decision.version for decision in decisions.history(MODEL)) == list(range(40))


def test_who_decided_on_an_older_history_is_told(decisions):
    """It slept for longer than its lease, and another host decided."""
    old = decisions.history(MODEL)
    record(decisions, REFUSED)
    with pytest.raises(DecisionMovedError, match=r"Something else was decided on pinsage-demo-1a2b .* Run this again"):
        decisions.record(replace(REFUSED, kind="promoted"), old)
    assert decisions.history(MODEL) == [REFUSED]


def test_decisions_of_earlier_code_come_first(tmp_path):
    """Their names began with the time. A file that was moved out leaves a number that nobody takes again."""
    table = Decisions(FolderBucket(tmp_path))
    record(table, REFUSED)
    (tmp_path / MODEL / "000001.json").rename(tmp_path / MODEL / "20260101T000000.000000Z-00000000.json")
    for version in (3, 4, 5):
        record(table, replace(REFUSED, version=version))
    (tmp_path / MODEL / "000002.json").unlink()
    record(table, replace(REFUSED, version=6))
    found = [(decision.version, decision.number) for decision in table.history(MODEL)]
    assert found == [(2, 0), (3, 1), (5, 3), (6, 4)]


def test_models_are_listed_the_one_decided_last_first(decisions):
    """Each data set has its own history."""
    for model in ("pinsage-a-0000", "pinsage-b-0000", "pinsage-a-0000"):
        record(decisions, replace(REFUSED, model=model, by=f"run {len(decisions.models())} {model}"))
    record(decisions, replace(REFUSED, model="pinsage-b-0000"))
    assert decisions.models() == ["pinsage-b-0000", "pinsage-a-0000"]


def test_a_damaged_file_is_named(tmp_path):
    """With what to do."""
    FolderBucket(tmp_path).create(f"{MODEL}/20260101T000000.000000Z-00000000.json", b"{")
    with pytest.raises(ArtifactDamagedError, match=r"decisions/pinsage-demo-1a2b/2026.* is no decision .* Move it"):
        Decisions(FolderBucket(tmp_path)).history(MODEL)


def test_what_a_rollback_took_back_stays_so_until_somebody_decides_otherwise():
    """A run over the same data would promote it again."""
    history = [Decision(kind, MODEL, version, champion, "") for kind, version, champion in (
        ("promoted", 1, None), ("promoted", 2, 1), ("rollback", 1, 2), ("refused", 2, 1),
    )]  # fmt: skip
    assert withdrawals(history) == {2: history[2]}
    assert withdrawals([*history, Decision("override", MODEL, 2, 1, "")]) == {}
