"""Variants of the settings side by side, each trained from several seeds: what is run, and the summary of it.

A ladder or variants of one's own and seeds come in; runs without a champion, and their summary in MLflow, go out. Begin
with `plan.py`; `summary.py` is the end.
"""
