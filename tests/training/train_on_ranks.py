"""One of the processes of test_distributed: trains every case with the others and writes down what came out."""

import json
import sys
from pathlib import Path

from planted_world import planted

from pinsage.training.distributed import join_ranks
from pinsage.training.loop import fit

CASES = {
    "max margin": {},
    "sampled softmax": {"loss": "sampled_softmax"},
    "negatives that two cannot share evenly": {"num_negatives": 41},
    "hard negatives from the first step": {"curriculum": False},
    "no hard negatives": {"max_hard_negatives": 0, "loss": "sampled_softmax"},
    "pairs drawn from boards": {"are_pairs_drawn": True, "loss": "sampled_softmax"},
}


def outcome(case, device="cpu"):
    """The losses, the validation and the final weights of a case, as plain numbers."""
    world = planted(**CASES[case], device=device)
    result = fit(world.data, world.model, world.train)
    return {
        "losses": [point.loss for point in result.curve],
        "hit_rates": [point.hit_rate_at_10 for point in result.validation],
        "popularity": [*(point.popularity for point in result.validation), result.popularity],
        "weights": result.network.head_output.weight.flatten().tolist(),
    }


if __name__ == "__main__":
    with join_ranks(Path(sys.argv[1]) / "meeting") as ranks:
        found = {case: outcome(case, *sys.argv[2:]) for case in CASES}
        (Path(sys.argv[1]) / f"{ranks.rank}.json").write_text(json.dumps(found))
