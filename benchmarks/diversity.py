"""The cost of varied lists in hit rate: near-duplicate suppression and maximal marginal relevance on test pairs.

python benchmarks/diversity.py --home var --runs RUN_ID ... --name demo

For each run the test pairs (a sample of --pairs) are asked by an exact scan, whose best 5 k pins are thinned or ordered
anew by pinsage/release/diversity.py. Hit rate at 10, the mean cosine between two pins of a list, and the share of all
pins that are in any list. Raw numbers go to benchmarks/results/diversity_<name>.json.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pinsage.index.exact import ExactScan
from pinsage.release.diversity import Diversity, diverse

K = 10
OPTIONS = {
    "scores alone": Diversity(),
    "no cosine above .98": Diversity(max_cosine=0.98),
    "no cosine above .95": Diversity(max_cosine=0.95),
    "no cosine above .9": Diversity(max_cosine=0.9),
    "relevance .9": Diversity(relevance=0.9),
    "relevance .8": Diversity(relevance=0.8),
    "relevance .7": Diversity(relevance=0.7),
    "relevance .5": Diversity(relevance=0.5),
}


def main() -> None:
    """Measure every option on every run, print the means and keep the numbers."""
    arguments = parse()
    found = {run: measure(arguments.home, run, arguments.pairs) for run in arguments.runs}
    print(f"{'':<22}hit rate@10 by run, mean; mean cosine in a list; coverage@10")
    for option in OPTIONS:
        rows = [found[run][option] for run in arguments.runs]
        rates = [row["hit_rate_at_10"] for row in rows]
        cosine, coverage = (float(np.mean([row[name] for row in rows])) for name in ("mean_cosine", "coverage_at_10"))
        by_run = " ".join(f"{rate:.4f}" for rate in rates)
        print(f"{option:<22}{by_run}  {np.mean(rates):.4f}; {cosine:.3f}; {coverage:.3f}")
    path = Path(__file__).parent / "results" / f"diversity_{arguments.name}.json"
    path.write_text(json.dumps({"pairs": arguments.pairs, "runs": list(found.values())}, indent=1) + "\n")


def measure(home: Path, run: str, num_pairs: int) -> dict[str, dict[str, float]]:
    """The figures of every option in one run."""
    embedded, paired = folder(home, run, "embed"), folder(home, run, "pair")
    embeddings, popularity = (np.load(embedded / f"{name}.npy") for name in ("embeddings", "popularity"))
    pairs = pq.read_table(paired / "test.parquet")
    rows = np.random.default_rng(0).choice(len(pairs), min(num_pairs, len(pairs)), replace=False)
    queries, positives = (pairs[name].to_numpy()[rows] for name in ("query", "positive"))
    lists = {option: np.full((len(rows), K), -1) for option in OPTIONS}
    scan = ExactScan(embeddings, popularity)
    for row, query in enumerate(queries.tolist()):
        pins, scores = scan.related(query, 5 * K)
        for option, diversity in OPTIONS.items():
            chosen = pins[diverse(scores, embeddings[pins], embeddings[query], K, diversity)]
            lists[option][row, : len(chosen)] = chosen
    return {option: figures(found, positives, embeddings) for option, found in lists.items()}


def figures(lists: np.ndarray, positives: np.ndarray, embeddings: np.ndarray) -> dict[str, float]:
    """Hit rate, likeness within a list, and coverage of lists [Q, K]; -1 fills those that are shorter."""
    vectors = embeddings[lists] * (lists >= 0)[..., None]
    cosines, both = vectors @ vectors.transpose(0, 2, 1), (lists >= 0)[:, :, None] & (lists >= 0)[:, None, :]
    both &= ~np.eye(K, dtype=bool)
    return {
        "hit_rate_at_10": float(np.mean((lists == positives[:, None]).any(axis=1))),
        "mean_cosine": float(cosines[both].mean()),
        "coverage_at_10": float(len(np.unique(lists[lists >= 0])) / len(embeddings)),
        "mean_length": float((lists >= 0).sum(axis=1).mean()),
    }


def folder(home: Path, run: str, stage: str) -> Path:
    """The artifact of a stage of a run."""
    return home / "artifacts" / stage / json.loads((home / "runs" / run / f"{stage}.json").read_text())["key"]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="data folder of the pipeline")
    parser.add_argument("--runs", nargs="+", required=True, help="run ids")
    parser.add_argument("--pairs", type=int, default=3000, help="most test pairs of a run")
    parser.add_argument("--name", required=True, help="of the file in benchmarks/results/")
    return parser.parse_args()


if __name__ == "__main__":
    main()
