"""The settings of what goes live: the checks of a new model, drift, releases, and the refreshes between trainings."""

from pinsage.settings.section import Section, execution, setting


class PromoteSettings(Section):
    """The checks that make a challenger the champion."""

    min_gain: float = setting(
        0.0,
        "Validation hit rate it must gain over the champion on the same pairs; at 0 or below it suffices that the 95 % "
        "interval of the gain reaches it.",
        ge=-1, le=1,
    )  # fmt: skip
    min_cold_gain: float = setting(0.0, "The same, on pairs that touch a pin without saves.", ge=-1, le=1)
    min_recall: float = setting(0.9, "Recall@10 of its index against exact search.", ge=0, le=1)
    max_churn: float = setting(
        0.8,
        "Share of the first ten related pins that may differ from the champion's, pins weighted by saves.",
        ge=0,
        le=1,
    )
    min_spread: float = setting(
        0.05, "1 less the mean cosine of random pairs of embeddings; 0 means that all point one way.", ge=0, le=1
    )
    min_catalog_share: float = setting(
        0.8, "Pins, saves, pictures and pins with words there must be, as a share of the champion's.", ge=0, le=1
    )
    canaries: str = execution(
        "",
        "Parquet or CSV file or URL with pin_id, neighbor_pin_id, within: neighbors that must be found; empty: none.",
    )
    override_reason: str = execution(
        "", "Why the model becomes champion although a check refuses it, which is recorded; empty: it does not."
    )
    require_approval: bool = execution(
        False, "Ask a person in Airflow before a model that passed its checks goes live; who did what is recorded."
    )
    approval_hours: float = execution(
        20.0, "Hours that the question waits, during which no other training starts; no answer is a rejection.",
        gt=0, le=720,
    )  # fmt: skip


class ReleaseSettings(Section):
    """The releases that a serving team takes."""

    keep: int = execution(
        10, "Newest releases kept; the current one and the one before it always are.", ge=1, le=10_000
    )


class RefreshSettings(Section):
    """A refresh: newer data with the model that serves."""

    max_churn: float = setting(
        0.3, "Share of the first ten related pins that may change, on average; more of it is not released.", ge=0, le=1
    )
    held_out_saves: bool = setting(
        False, "Saves that a training would hold out, the last ones of every board, reach the graph, too."
    )


class DriftSettings(Section):
    """Limits of the change since the run before and since the champion's run; 0 stands for none."""

    warn_fall: float = setting(0.05, "Pins, boards or saves lost, as a share: more is a warning.", ge=0, le=1)
    stop_fall: float = setting(0.5, "Pins, boards or saves lost, as a share: more stops the run.", ge=0, le=1)
    warn_growth: float = setting(0.5, "Pins, boards or saves gained, as a share: more is a warning.", ge=0)
    warn_coverage: float = setting(
        0.05, "Share of pins that lost their picture or their words: more is a warning.", ge=0, le=1
    )
    stop_coverage: float = setting(0.5, "The same: more stops the run.", ge=0, le=1)
    warn_unknown_words: float = setting(
        0.1, "Share of the words in use that the earlier run did not know: more is a warning.", ge=0, le=1
    )
    warn_quarantine: float = setting(
        0.01, "Rise in the share of a table's rows refused for one reason: more is a warning.", ge=0, le=1
    )
    stop_quarantine: float = setting(
        0.0, "The same: more stops the run; data.max_bad_share stops on all reasons together.", ge=0, le=1
    )
    warn_psi: float = setting(
        0.2, "Population stability index of saves per pin, of words and of pictures: more is a warning.", ge=0
    )
    stop_psi: float = setting(0.0, "The same: more stops the run.", ge=0)
    warn_embeddings: float = setting(
        0.2, "Shift of the embeddings' groups after alignment, 1 less a cosine: more is a warning.", ge=0, le=2
    )
    stop_embeddings: float = setting(0.0, "The same: more stops the run.", ge=0, le=2)
    warn_churn: float = setting(0.8, "Share of the first ten related pins that changed: more is a warning.", ge=0, le=1)
    stop_churn: float = setting(0.0, "The same: more stops the run.", ge=0, le=1)
    warn_decay: float = setting(
        0.3, "Share of its hit rate that the champion has lost, on the pairs of today: more is a warning.", ge=0, le=1
    )
