"""`python benchmarks/reliability.py`: the seventeen trials of reliability with their figures and verdicts.

`--run T9 T10` does the long form of some trials first and keeps their results in results/reliability.json; `--page`
writes the table into docs/reliability.md. A trial without rounds has one form, which `make test` runs.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- trials: begin -->\n", "<!-- trials: end -->"


@dataclass(frozen=True)
class Trial:
    """A trial: `asked` is the figure to reach, if it is one, `rounds` PINSAGE_FAULT_ROUNDS of its long form, if any."""

    name: str
    does: str
    asked: int
    unit: str
    tests: tuple[str, ...]
    rounds: int = 0


@dataclass(frozen=True)
class Result:
    """The result of a trial's last long form: how much of the figure was reached, when, with which code."""

    reached: int
    date: str
    commit: str


TRIALS = (
    Trial("T1", "kill each of 16 stages at random points, run it again, compare all it leaves", 225, "kills",
          ("faults/test_killed_stages.py",), 225),
    Trial("T2", "fail at every write, sync, rename and call of the store and of MLflow, each three times", 10_000,
          "reads beside it", ("faults/test_fail_points.py", "faults/test_mlflow_faults.py"), 10_000),
    Trial("T3", "an attempt wakes up after the next one has published", 20, "orphans", ("faults/test_orphans.py",), 20),
    Trial("T4", "start the same stage twice at once", 50, "starts", ("faults/test_double_starts.py",), 50),
    Trial("T5", "run each stage again", 0, "all stages", ("tasks/", "test_tracking.py", "dags/test_dag_run.py")),
    Trial("T6", "kill and resume a training", 20, "kills", ("faults/test_killed_trainings.py",), 20),
    Trial("T7", "the status of an MLflow run after kill, TERM, INT, exception", 20, "ends",
          ("faults/test_mlflow_status.py",), 20),
    Trial("T8", "kill Dask's workers, poison a partition, end the scheduler", 40, "faults",
          ("faults/test_killed_workers.py", "faults/test_broken_places.py"), 40),
    Trial("T9", "bad tables, pictures, paths, settings and imports of 61 kinds", 2000, "inputs",
          ("faults/test_bad_inputs.py",), 2000),
    Trial("T10", "flip a bit in a file of each of 11 kinds", 600, "flips", ("faults/test_flipped_bits.py",), 600),
    Trial("T11", "damage a release", 300, "releases", ("release/test_damaged_releases.py",)),
    Trial("T12", "move CURRENT under the queries of other processes", 50, "swaps",
          ("faults/test_release_swaps.py",)),
    Trial("T13", "fill the disk under each stage and take its memory, both at random amounts", 16, "stages",
          ("faults/test_starved_stages.py", "faults/test_full_disks.py", "faults/test_release_disks.py",
           "store/test_machine.py"), 96),
    Trial("T14", "retention over 40 days; runs in a row with flat memory", 50, "runs in a row",
          ("store/test_retention.py", "store/test_pruning.py")),
    Trial("T15", "kill a task, its supervisor, the scheduler of a real Airflow", 30, "kills",
          ("docker/faults.py", "standalone/kill_airflow.py")),
    Trial("T16", "the size of an XCom", 0, "at most 4 KiB", ("tasks/test_launch.py", "dags/test_stage_task.py")),
    Trial("T17", "DAG files import nothing heavy and have no errors", 0, "every DAG", ("dags/",)),
)  # fmt: skip


def read_results() -> dict[str, Result]:
    """The kept results, by the name of the trial."""
    return {name: Result(**each) for name, each in json.loads(RESULTS.read_text(encoding="utf-8")).items()}


def run_long_form(trial: Trial) -> Result | None:
    """Run the long form of a trial; None where one of its tests failed."""
    if not trial.rounds:
        sys.exit(f"{trial.name} has no long form. Its tests are in `make test`.")
    environment = {**os.environ, "PINSAGE_FAULT_ROUNDS": str(trial.rounds)}
    paths = [str(ROOT / "tests" / path) for path in trial.tests]
    command = [sys.executable, "-m", "pytest", "-s", "--override-ini=timeout=14400", *paths]
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        return None
    return Result(min(trial.rounds, trial.asked), f"{datetime.now(UTC):%Y-%m-%d}", _commit())


def table(results: Mapping[str, Result]) -> str:
    """The trials as a Markdown table."""
    lines = ["| | trial | asked | reached | when, commit | verdict | tests |", "|---|---|---|---|---|---|---|"]
    for trial in TRIALS:
        found = results.get(trial.name)
        tests = ", ".join(f"`{path}`" for path in trial.tests)
        cells = (
            trial.name, trial.does, f"{trial.asked or ''} {trial.unit}".strip(), f"{found.reached}" if found else "",
            f"{found.date}, {found.commit}" if found else "", verdict(trial, found), tests,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def verdict(trial: Trial, found: Result | None) -> str:
    """The verdict on a trial. What a figure that was not reached leaves open stands below the table."""
    if found:
        return "holds" if found.reached >= trial.asked else "in part"
    return "the short form alone, in `make test`" if trial.rounds else "holds, in `make test`"


def _commit() -> str:
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"


def _write_page(text: str) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + text + END + rest.partition(END)[2], encoding="utf-8")


def main() -> int:
    """The exit code: 1 if a long form failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs="+", default=[], choices=[trial.name for trial in TRIALS])
    parser.add_argument("--page", action="store_true", help="write the table into docs/reliability.md")
    options = parser.parse_args()
    results, failed = read_results(), []
    for trial in (trial for trial in TRIALS if trial.name in options.run):
        found = run_long_form(trial)
        results = {name: each for name, each in results.items() if name != trial.name}
        results |= {trial.name: found} if found else {}
        failed += [] if found else [trial.name]
        kept = {name: asdict(results[name]) for name in sorted(results, key=lambda name: int(name[1:]))}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if options.page:
        _write_page(table(results))
    print(table(results))
    if failed:
        print(f"{', '.join(failed)} failed: read the lines above the table.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
