"""Scores PinSage and simple methods on held-out saves.

In: held-out pairs, the training graph, embeddings. Out: tables of metrics with intervals. Begin at `comparison`; the
questions that are asked are in `views`, exact ranks in `ranking`, the other methods in `baselines`.
"""
