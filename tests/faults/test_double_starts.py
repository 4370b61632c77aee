"""The same stage of the same run started twice at once, on one host or on two that share a store: done once.

`PINSAGE_FAULT_ROUNDS=50 python -m pytest -s tests/faults/test_double_starts.py` is the long form: so many starts, of
all stages in turn.
"""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from fault_processes import CONTEXT, end, start
from published_things import other_host
from small_pipeline import mlflow_run, run_stage

from pinsage.promotion.decisions import DECISIONS, Decisions
from pinsage.release.releases import Releases
from pinsage.store.drafts import STAGING
from pinsage.tracking.names import registered_model
from pinsage.tracking.registry import Registry
from pinsage.tracking.server import Server
from tasks.stages import STAGES

ROUNDS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "0"))
PASSES, LAST = (-(-ROUNDS // (2 * len(STAGES))), "release") if ROUNDS else (1, "pair")
TOLD = (1, 2)
# Facts that only one of the two can have: it made the release, or found it.
OWN_FACTS = {"is_new", "reason"}


@pytest.mark.parametrize("number", range(PASSES))
def test_a_stage_that_is_started_twice_is_done_once(number, store, dataset, tmp_path, monkeypatch):
    """Both end well with the same answer, or one says in a sentence why not; MLflow has one run."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    homes = [store.home, other_host(store, "second")]
    codes = Counter()
    for stage in list(STAGES)[: list(STAGES).index(LAST) + 1]:
        reports = start_twice(homes, dataset, stage, tmp_path)
        codes.update(code for code, _ in reports)
        answers = [answer(report) for code, report in reports if code == 0]
        assert answers, (stage, reports)
        assert answers.count(answers[0]) == len(answers), (stage, answers)
        assert all("error" in report for code, report in reports if code in TOLD)
    check_done_once(store, homes, dataset)
    print(f"{'S3' if store.is_remote else 'folder'}: {codes.total() // 2} starts, exit codes {dict(codes)}")  # noqa: T201
    assert set(codes) <= {0, *TOLD}


def start_twice(homes: list[Path], dataset: Path, stage: str, folder: Path) -> list[tuple[int, dict]]:
    """The exit code and the report of two processes that begin at the same moment."""
    begins, said = CONTEXT.Barrier(2), [folder / f"{stage}{number}.txt" for number in range(2)]
    both = [start(run_stage, home, dataset, "r1", stage, begins, file) for home, file in zip(homes, said, strict=True)]
    codes = [end(process) for process in both]
    return [(code, json.loads(file.read_text().splitlines()[-1])) for code, file in zip(codes, said, strict=True)]


def answer(report: dict) -> tuple:
    """The part of a report that both must have."""
    return report["key"], {name: value for name, value in report["facts"].items() if name not in OWN_FACTS}


def check_done_once(store, homes: list[Path], dataset: Path) -> None:
    """Return if each stage has published once, and MLflow, the decisions and the releases have one of each."""
    artifacts = [name.split("/")[:2] for name in store.bucket("artifacts").names() if name.endswith("/manifest.json")]
    assert len({stage for stage, _ in artifacts}) == len(artifacts)
    assert [path for home in homes for path in home.rglob(f"{STAGING}*")] == []
    run = mlflow_run(store.home, dataset, "r1")
    assert run.info.status == ("FINISHED" if LAST == "release" else "RUNNING")
    if LAST == "release":
        settings = store.runs.open("r1").settings
        model = registered_model(settings)
        assert Registry(Server(settings.tracking, store.home), model).champion().number == 1
        assert len(Decisions(store.bucket(DECISIONS)).history(model)) == 1
        assert Releases(store).versions() == [Releases(store).current().version]
