"""The learning rate of a step (PinSage §3.3)."""

from pinsage.settings import TrainSettings


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """The rate at a step: a linear rise over the warm-up share, then exponential decay to the final share of the peak.

    Source: PinSage §3.3, gradual warm-up and exponential decay; counted in steps, not epochs.
    """
    warmup = round(settings.warmup_share * settings.steps)
    if step < warmup:
        return settings.learning_rate * ((step + 1) / warmup)
    progress = (step - warmup) / max(1, settings.steps - 1 - warmup)
    return float(settings.learning_rate * settings.final_rate_share**progress)
