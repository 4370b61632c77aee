"""The question that a person is asked before a version goes live, as Markdown."""

from pinsage.promotion.checks import Check
from pinsage.promotion.decisions import Decision

MOST_WORDS = 260  # characters of a sentence, that on the hit rate among them: the question has to fit into an XCom


def question(waiting: Decision, pages: str) -> str:
    """The checks of a version with value, limit and verdict, and where its pages are.

    Args:
        waiting: the decision that asks.
        pages: the sentence that says where report and explorer are.
    """
    before = "no champion yet" if waiting.champion is None else f"champion {waiting.champion}"
    rows = "\n".join(map(_row, waiting.checks))
    return (
        f"**Version {waiting.version} of {waiting.model}**, before it: {before}. {pages}\n\n"
        f"| check | verdict | value | limit | in words |\n|---|---|---|---|---|\n{rows}\n"
    )


def _row(check: Check) -> str:
    figures = ("–" if value is None else f"{value:.4g}" for value in (check.value, check.limit))
    words = check.sentence if len(check.sentence) <= MOST_WORDS else f"{check.sentence[: MOST_WORDS - 1]}…"
    # A sentence may quote what the owner of the data wrote: no cell of the table, no line of it ends early.
    cell = " ".join(words.replace("|", "\\|").split())
    return f"| {check.name} | {'passed' if check.passed else '**failed**'} | {' | '.join(figures)} | {cell} |"
