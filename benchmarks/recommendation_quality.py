"""PinSage beside every other method on all data sets at hand, over seeds, and what each lever brings.

    python benchmarks/recommendation_quality.py --home var/quality [--sets demo gowalla] [--seeds 0 1 2]
        [--variants full "no ids"] [--set train.steps=5] [--page docs/quality.md] [--only-tables]

Runs the pipeline up to `evaluate` for every data set, variant of the settings (benchmarks/quality_runs.py) and seed of
training and walks, one after the other as `pinsage run` does; artifacts in the home folder are reused. The set
`gowalla-published` is Gowalla's published split, measured board to pin (benchmarks/published_split.py). All of it takes
hours on two cores, and goes on where it was when it is started again. Keeps the raw numbers as JSON after every run,
and prints Markdown tables of the test pairs; --page writes them into a document, --only-tables makes them of the raw
numbers that are there.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import hardware
from published_split import GOWALLA, PUBLISHED_SPLIT, published_figures
from quality_runs import DEMO, VARIANTS, Workplace, quality_records
from quality_tables import page_of, write_between_marks

from pinsage.settings.loading import parse_override
from tasks.command_line.terminal import stdout_console

SETS = ("ml-latest-small-posters", "mtg-duel-commander", GOWALLA, DEMO, PUBLISHED_SPLIT)
RESULTS = Path(__file__).parent / "results/recommendation_quality.json"


def main() -> None:
    """Measure, keep the raw numbers, print the tables."""
    chosen = options()
    found = json.loads(chosen.json.read_text()) if chosen.only_tables else measured(chosen)
    tables = page_of(found)
    print(tables)
    if chosen.page:
        write_between_marks(chosen.page, tables)


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("var/quality"), help="data folder, which is kept")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where the real data sets are")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting of every run")
    parser.add_argument("--demo-pins", type=int, default=20_000)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, help="a document with the marks of quality_tables.py")
    parser.add_argument("--only-tables", action="store_true")
    return parser.parse_args()


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    """The raw numbers of all runs; a set that is not at hand is left out with a line."""
    place = Workplace(chosen.home.resolve(), dict(map(parse_override, chosen.set)), stdout_console())
    found: dict[str, Any] = {
        "hardware": hardware.described("torch", "numba", "numpy"),
        "arguments": {name: getattr(chosen, name) for name in ("seeds", "variants", "set", "demo_pins")},
        "runs": [],
    }
    for name in chosen.sets:
        source = GOWALLA if name == PUBLISHED_SPLIT else name
        folder = place.dataset(source, chosen.data, chosen.demo_pins)
        if not folder.is_dir():
            place.console.print(f"{name} left out: there is no folder {folder}")
        elif name == PUBLISHED_SPLIT:
            found["published"] = published_figures(place, chosen.data, chosen.seeds)
            keep(found, chosen.json)
        else:
            for record in quality_records(place, name, folder, chosen.variants, chosen.seeds):
                found["runs"].append(record)
                keep(found, chosen.json)
    return found


def keep(found: dict[str, Any], path: Path) -> None:
    """Write the raw numbers, a run per line."""
    runs = ",\n".join(json.dumps(run) for run in found["runs"])
    rest = {name: value for name, value in found.items() if name != "runs"}
    path.write_text(f'{json.dumps(rest)[:-1]}, "runs": [\n{runs}\n]}}\n')


if __name__ == "__main__":
    main()
