"""The table of runs, those whose records are damaged included."""

from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pinsage.errors import InputError
from pinsage.store.run import Run, RunStore
from tasks.stages import REFRESH_STAGES, STAGES


def list_runs(runs: RunStore, console: Console) -> None:
    """Show the runs, the newest first; of one that cannot be read the reason, below the others."""
    table = Table("run", "started", "data set", "stages", "hit rate@10")
    readable, unreadable = runs.all()
    for run in readable:
        try:
            table.add_row(*_row(run))
        except InputError as error:
            unreadable[run.run_id] = error
    # A damaged record hides no other run.
    for run_id in unreadable:
        table.add_row(Text(run_id), "–", "–", "–", Text("cannot be read", style="red"))
    console.print(table)
    for run_id, reason in unreadable.items():
        console.print(Text(f"{run_id}: {reason}"), soft_wrap=True)


def _row(run: Run) -> tuple[str | Text, ...]:
    results = run.results()
    rate = results["evaluate"].facts.get("pinsage_test_hit_rate_at_10") if "evaluate" in results else None
    num_stages = len(REFRESH_STAGES if run.model_run else STAGES)
    return (
        Text(run.run_id),
        f"{datetime.fromisoformat(run.started_at):%Y-%m-%d %H:%M:%S} UTC",
        Text(Path(run.settings.data.dataset).name),
        f"{len(results)} of {num_stages}",
        f"{rate:.4f}" if isinstance(rate, float) else "–",
    )
