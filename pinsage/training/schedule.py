"""The learning rate of a step (PinSage §3.3)."""

from pinsage.settings import TrainSettings


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """The rate at a step: a linear rise over the warm-up share, then exponential decay to the final share of the peak.

    Source: PinSage §3.3, gradual warm-up and exponential decay; counted in steps, not epochs.
    """
    warmup, peak = round(settings.warmup_share * settings.steps), peak_rate(settings)
    if step < warmup:
        return peak * ((step + 1) / warmup)
    progress = (step - warmup) / max(1, settings.steps - 1 - warmup)
    return float(peak * settings.final_rate_share**progress)


def peak_rate(settings: TrainSettings) -> float:
    """The highest rate, in proportion to the batch size where the settings say which size the rate is meant for.

    Source: PinSage §3.3, linear scaling rule; Goyal et al., 2017.
    """
    meant_for = settings.rate_batch_size or settings.batch_size
    return settings.learning_rate * (settings.batch_size / meant_for)
