"""The number of hard negatives of a step (PinSage §3.3, curriculum)."""

from pinsage.settings import TrainSettings


def hard_negatives_at(step: int, settings: TrainSettings) -> int:
    """Hard negatives per query at a step: none in the first of n + 1 equal stages, one more in each next one.

    n is `max_hard_negatives`. Without the curriculum every step draws n.

    Differs from the paper: stages are shares of the steps, not epochs; on a large set training ends within one epoch.

    Source: PinSage §3.3.
    """
    most = settings.max_hard_negatives
    return min(most, step * (most + 1) // settings.steps) if settings.curriculum else most
