"""Does pruning find what it should? Planted boards of random pins, and saves that do not fit their board.

    python benchmarks/pruning.py [--pins 20000] [--dataset FOLDER]

Without a data set the demo world is drawn, whose pins and boards have a true interest. To the graph of all saves, one
board in ten of random saved pins is added, as large as boards are: reported is how often such a board has a higher
entropy than a board of the data (AUC; 0.5 is chance), and how many of the most diverse tenth are planted. Then the
graph itself is pruned: which share of its saves goes to a board of the pin's own interest? (Demo world only.)
"""

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.demo.recipe import Recipe
from pinsage.catalog.demo.world import World, drawn_world, write_demo
from pinsage.config import load_settings
from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.pruning import board_entropy, pruned
from pinsage.graph.topics import Topics, pin_topics
from pinsage.settings import GraphSettings
from tasks.ingest import ingest
from tasks.work import StageWork

PLANTED_SHARE = 0.1
CHOICES = ((0.1, 1.0), (0.0, 0.91), (0.1, 0.91), (0.0, 0.8))


def ingested(dataset: Path, folder: Path) -> Catalog:
    """The catalog of a data set."""
    settings = load_settings(overrides={"data.dataset": str(dataset), "data.as_of": datetime.now(UTC).isoformat()})
    (folder / "catalog").mkdir()
    ingest(StageWork(settings, {}, folder / "catalog", folder, folder))
    return Catalog.open(folder / "catalog")


def graph_of(catalog: Catalog) -> BipartiteGraph:
    """The graph of all saves."""
    saves = catalog.saves()
    sizes = {"num_pins": catalog.num_pins, "num_boards": catalog.num_boards}
    return build_graph(saves["pin"].to_numpy(), saves["board"].to_numpy(), **sizes)


def planted_scores(graph: BipartiteGraph, topics: Topics) -> tuple[float, float]:
    """AUC of the entropy for planted boards, and the share of them among the most diverse boards."""
    rng, sizes = np.random.default_rng(0), graph.board_degrees
    count = max(1, int(PLANTED_SHARE * graph.num_boards))
    drawn = [np.unique(rng.choice(graph.board_pins, size)) for size in rng.choice(sizes, count)]
    boards = np.repeat(np.arange(graph.num_boards + count), [*sizes, *map(len, drawn)]).astype(np.int32)
    pins = np.concatenate([graph.board_pins, *drawn]).astype(np.int32)
    both = build_graph(pins, boards, num_pins=graph.num_pins, num_boards=graph.num_boards + count)
    entropy = board_entropy(both, topics)
    is_planted, order = np.arange(len(entropy)) >= graph.num_boards, np.argsort(np.nan_to_num(entropy))
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    auc = (ranks[is_planted].sum() - count * (count + 1) / 2) / (count * graph.num_boards)
    return float(auc), float(is_planted[order[-count:]].mean())


def fitting_share(graph: BipartiteGraph, catalog: Catalog, world: World) -> float:
    """The share of the saves that put a pin on a board of the pin's own interest."""
    pins = _numbers(catalog.pins(["pin_id"]).column(0).to_pylist())
    boards = _numbers(catalog.boards().column(0).to_pylist())
    board = np.repeat(np.arange(graph.num_boards), graph.board_degrees)
    fits = world.pins.interest[pins[graph.board_pins]] == world.boards.interest[boards[board]]
    return float(fits.mean())


def _numbers(ids: list[str]) -> NDArray[np.int64]:
    return np.array([int(text.split("-")[1]) for text in ids])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pins", type=int, default=20_000, help="of the demo world")
    parser.add_argument("--dataset", type=Path, help="a data set instead of the demo world")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not chosen.dataset:
            write_demo(folder / "demo", num_pins=chosen.pins)
        catalog = ingested(chosen.dataset or folder / "demo", folder)
        graph = graph_of(catalog)
        auc, share = planted_scores(graph, pin_topics(catalog, graph))
        print(f"{graph.num_saves:,} saves; planted boards: AUC {auc:.3f}, {share:.0%} of the most diverse tenth")
        world = None if chosen.dataset else drawn_world(chosen.pins, None, Recipe(), np.random.default_rng(0))
        if world:
            print(f"unpruned: {fitting_share(graph, catalog, world):.1%} of the saves fit")
        for board_share, delta in CHOICES:
            settings = GraphSettings(prune_board_share=board_share, prune_delta=delta)
            kept, figures = pruned(graph, catalog, settings)
            fits = f", {fitting_share(kept, catalog, world):.1%} of them fit" if world else ""
            entropy = f"{figures.mean_board_entropy_unpruned:.3f} -> {figures.mean_board_entropy:.3f}"
            print(
                f"board share {board_share:g}, delta {delta:g}: {kept.num_saves / graph.num_saves:.1%} of the saves "
                f"kept{fits}; mean entropy {entropy}"
            )


if __name__ == "__main__":
    main()
