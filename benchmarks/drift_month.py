"""A simulated month of the demo world: is each thing that happens found on its day, and nothing on other days?

    python benchmarks/drift_month.py [--pins 2000] [--days 30] [--steps 60] [--json PATH]

Every day is a run of the whole pipeline in this process, with a short training, over tables that replace those of the
day before. Two fifths of the boards come in the course of the month, those of some categories early and of others late,
so that what people save changes slowly. A category is closed on day 12: its pins and boards are gone from then on. On
day 20 four of five pictures are cut short, and on day 21 they are whole again. Printed are the day, its verdict, some
changes since the day before, and the measures beyond a limit; what stops is the error of promote.
"""

import argparse
import json
import logging
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hardware import described

from pinsage.datasets.demo.world import write_demo
from pinsage.drift.table import read_measures
from pinsage.errors import InputError
from pinsage.settings.loading import load_settings
from pinsage.settings.schema import Settings
from pinsage.store.deployment import open_store
from tasks.running.stage_process import perform
from tasks.stages import STAGES

CLOSED_ON, BROKEN_ON = 12, 20
EXPECTED = {CLOSED_ON: "a category is closed", BROKEN_ON: "pictures are broken"}
BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
SHOWN = ("pins", "saves", "pictures", "degrees", "word_use", "looks", "embeddings", "churn")
FAST = {
    "text.dim": 32, "spectral.dim": 32, "walk.num_neighbors": 10, "model.hidden_dim": 64, "model.embedding_dim": 32,
    "train.learning_rate": 3e-3, "train.batch_size": 256, "train.num_negatives": 200, "train.num_threads": 1,
    "evaluate.methods": ["popularity"], "evaluate.max_boards": 100, "report.num_queries": 2, "release.keep": 2,
    "pairs.source": "saves", "index.target_recall": 0.8,
}  # fmt: skip


@dataclass(frozen=True)
class Month:
    """The tables of a whole month, of which every day has a part.

    Attributes:
        pins, boards, saves: as `write_demo` writes them.
        entry: day on which each board appears, by board_id; 0 for those that are there from the beginning.
        closed: the category that is closed.
    """

    pins: pa.Table
    boards: pa.Table
    saves: pa.Table
    entry: dict[str, int]
    closed: str

    def write(self, day: int, folder: Path) -> None:
        """Write the tables of a day in place of those that are there."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pins, boards = self.pins, self._boards(day)
        if day >= CLOSED_ON:
            pins = pins.filter(pc.invert(pc.is_in(pins["pin_id"], pa.array(sorted(self._pins_of_closed())))))
        if day == BROKEN_ON:
            pins = pins.set_column(pins.column_names.index("image"), "image", _cut(pins["image"]))
        saves = self.saves.filter(pc.is_in(self.saves["board_id"], boards["board_id"]))
        saves = saves.filter(pc.is_in(saves["pin_id"], pins["pin_id"]))
        for name, table in (("pins", pins), ("boards", boards), ("saves", self._dated(saves))):
            pq.write_table(table, folder / f"{name}.parquet")

    def _boards(self, day: int) -> pa.Table:
        there = pa.array([self.entry[board] <= day for board in self.boards["board_id"].to_pylist()])
        boards = self.boards.filter(there)
        return boards.filter(pc.not_equal(boards["category"], self.closed)) if day >= CLOSED_ON else boards

    def _pins_of_closed(self) -> set[str]:
        """The pins that are saved to boards of the closed category more than to others."""
        categories = dict(zip(self.boards["board_id"].to_pylist(), self.boards["category"].to_pylist(), strict=True))
        votes: dict[str, int] = {}
        pairs = zip(self.saves["pin_id"].to_pylist(), self.saves["board_id"].to_pylist(), strict=True)
        for pin, board in pairs:
            votes[pin] = votes.get(pin, 0) + (1 if categories[board] == self.closed else -1)
        return {pin for pin, vote in votes.items() if vote > 0}

    def _dated(self, saves: pa.Table) -> pa.Table:
        """The saves, those of a new board on the day of its entry."""
        rng = np.random.default_rng(0)
        days = np.array([self.entry[board] for board in saves["board_id"].to_pylist()])
        before = np.where(days == 0, 90 * rng.random(len(days)), rng.random(len(days)))
        times = [BEGIN + timedelta(days=float(day) - float(ago)) for day, ago in zip(days, before, strict=True)]
        return saves.set_column(2, "saved_at", pa.array(times, pa.timestamp("us", "UTC")))


def draw_month(folder: Path, num_pins: int, num_days: int) -> Month:
    """The tables of a month, of a demo world of so many pins."""
    write_demo(folder, num_pins=num_pins)
    pins, boards, saves = (pq.read_table(folder / f"{name}.parquet") for name in ("pins", "boards", "saves"))
    rng, ids = np.random.default_rng(1), boards["board_id"].to_pylist()
    known = pc.and_(pc.is_in(saves["pin_id"], pins["pin_id"]), pc.is_in(saves["board_id"], boards["board_id"]))
    categories = sorted(set(boards["category"].to_pylist()))
    # Interests drift: boards of the first categories come early in the month, of the last ones late.
    place = np.array([categories.index(name) for name in boards["category"].to_pylist()]) / len(categories)
    late = np.clip(np.ceil(num_days * np.clip(place + 0.5 * rng.normal(size=len(ids)), 0.02, 1)), 1, num_days)
    days = np.where(rng.random(len(ids)) < 0.4, late, 0).astype(int)
    return Month(pins, boards, saves.filter(known), dict(zip(ids, days.tolist(), strict=True)), categories[-2])


def run_day(day: int, settings: Settings, home: Path) -> dict:
    """The verdict, the measures and the gate's word on one day."""
    run_id, error = f"day-{day:02d}", ""
    try:
        for stage in STAGES:
            perform(stage, run_id, settings, home, {})
    except InputError as found:
        error = str(found)
    run = open_store(home).runs.open(run_id)
    folder = open_store(home).artifacts.folder("compare_days", run.result("compare_days").key)
    measures = read_measures(folder)
    results = run.results()
    return {
        "day": day,
        "verdict": run.result("compare_days").facts["verdict"],
        "unusual": [each.name for each in measures if each.verdict in ("warning", "stop")],
        "changes": {each.name: each.change for each in measures},
        "since_champion": {each.name: each.champion_change for each in measures},
        "gate": results["promote"].facts["reason"] if "promote" in results else error,
        "is_champion": "promote" in results and results["promote"].facts["is_champion"],
        "decay": results["promote"].facts["champion_decay"] if "promote" in results else "",
    }


def table(days: list[dict]) -> str:
    """The days as a Markdown table."""
    lines = [f"| day | verdict | {' | '.join(SHOWN)} | beyond a limit |", f"|---|---|{'---|' * len(SHOWN)}---|"]
    for row in days:
        figures = ["–" if row["changes"][name] is None else f"{row['changes'][name]:+.3f}" for name in SHOWN]
        lines.append(f"| {row['day']} | {row['verdict']} | {' | '.join(figures)} | {', '.join(row['unusual'])} |")
    return "\n".join(lines)


def main() -> None:
    """Run the month and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pins", type=int, default=2000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        month, data = draw_month(root / "world", asked.pins, asked.days), root / "data"
        steps = {"train.steps": asked.steps, "train.validate_every": asked.steps // 2}
        settings = load_settings(overrides={**FAST, **steps, "data.dataset": str(data)})
        days = []
        for day in range(1, asked.days + 1):
            month.write(day, data)
            days.append(run_day(day, settings, root / "home"))
            print(table(days[-1:]).splitlines()[-1], days[-1]["gate"][:300], days[-1]["decay"], flush=True)
            if asked.json:
                result = {
                    "hardware": described("torch", "scipy"),
                    "arguments": vars(asked) | {"json": None},
                    "days": days,
                }
                asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    alarms = {row["day"] for row in days if row["unusual"]}
    print(f"\n{table(days)}\n\nfound: {sorted(alarms)}, to be found: {sorted(EXPECTED)}")


def _cut(pictures: pa.ChunkedArray) -> pa.Array:
    """Four of five pictures cut short."""
    cut = [picture and (picture[:60] if row % 5 else picture) for row, picture in enumerate(pictures.to_pylist())]
    return pa.array(cut, pa.binary())


if __name__ == "__main__":
    main()
