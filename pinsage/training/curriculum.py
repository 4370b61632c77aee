"""How many hard negatives a step draws (PinSage §3.3, curriculum)."""


def hard_negatives_at(step: int, *, steps: int, most: int) -> int:
    """Hard negatives per query at a step: none in the first of `most` + 1 equal stages, one more in each next one.

    Differs from the paper: stages are shares of the steps, not epochs; on a large set training ends within one epoch.

    Source: PinSage §3.3.
    """
    return min(most, step * (most + 1) // steps)
