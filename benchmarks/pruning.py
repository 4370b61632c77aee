"""Does pruning find what it should? Planted boards of random pins, and saves that do not fit their board.

    python benchmarks/pruning.py [--pins 20000] [--dataset FOLDER]

Without a data set the demo world is drawn, whose pins and boards have a true interest. To the graph of all saves, one
board in ten of random saved pins is added, as large as boards are: reported is how often such a board has a higher
entropy than a board of the data (AUC; 0.5 is chance), and how many of the most diverse tenth are planted. Then the
graph of the training saves is pruned: which share of its saves goes to a board of the pin's own interest (demo world
only), and how many test pairs are in the neighborhoods of walks (500 a pin, up to 5,000 queries)?
"""

import argparse
import tempfile
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
from pinsage.pairs.pairs import Pairs
from pinsage.settings import GraphSettings, WalkSettings
from pinsage.walks.neighborhood import top_neighbors
from tasks.connect import connect
from tasks.ingest import ingest
from tasks.pair import pair
from tasks.work import StageWork

PLANTED_SHARE = 0.1
MOST_QUERIES = 5000
STAGES = {"ingest": ingest, "pair": pair, "connect": connect}
CHOICES = ((0.0, 1.0), (0.1, 1.0), (0.0, 0.91), (0.1, 0.91), (0.0, 0.8))


def made(dataset: Path, home: Path) -> dict[str, Path]:
    """The folders of the catalog, the pairs and the graph of a data set."""
    settings = load_settings(overrides={"data.dataset": str(dataset), "data.max_bad_share": 0.5})
    folders = {name: home / name for name in STAGES}
    for name, stage in STAGES.items():
        folders[name].mkdir()
        stage(StageWork(settings, folders, folders[name], home, home))
    return folders


def hit_rates(graph: BipartiteGraph, pairs: Pairs) -> str:
    """How many pairs are among the first 10 and the first 50 neighbors of their query."""
    queries = np.unique(pairs.query)[:MOST_QUERIES]
    chosen = pairs.where(np.isin(pairs.query, queries))
    neighbors = top_neighbors(graph, queries, WalkSettings(num_neighbors=50, num_walks=500)).neighbors
    is_hit = neighbors[np.searchsorted(queries, chosen.query)] == chosen.positive[:, None]  # [N, 50]
    return f"hit@10 {is_hit[:, :10].any(axis=1).mean():.4f}, hit@50 {is_hit.any(axis=1).mean():.4f}"


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
        folders = made(chosen.dataset or folder / "demo", folder)
        catalog, everything = Catalog.open(folders["ingest"]), graph_of(Catalog.open(folders["ingest"]))
        auc, share = planted_scores(everything, pin_topics(catalog, everything))
        print(f"{everything.num_saves:,} saves; planted boards: AUC {auc:.3f}, {share:.0%} of the most diverse tenth")
        world = None if chosen.dataset else drawn_world(chosen.pins, None, Recipe(), np.random.default_rng(0))
        graph, pairs = BipartiteGraph.open(folders["connect"]), Pairs.read(folders["pair"] / "test.parquet")
        for board_share, delta in CHOICES:
            settings = GraphSettings(prune_board_share=board_share, prune_delta=delta)
            kept, figures = pruned(graph, catalog, settings)
            fits = f"{fitting_share(kept, catalog, world):.1%} of them fit, " if world else ""
            share = kept.num_saves / graph.num_saves
            print(
                f"board share {board_share:4g}, delta {delta:4g}: {share:6.1%} of the saves, {fits}"
                f"mean entropy {figures.mean_board_entropy:.3f}, {hit_rates(kept, pairs)}"
            )


if __name__ == "__main__":
    main()
