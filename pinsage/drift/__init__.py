"""Drift: the change of the data and of the model from one day's run to the next.

The artifacts of a run and the profiles of earlier runs come in; a table of measures goes out, each with its limits, a
verdict and a sentence. Begin with `measures.py`, then read `profile.py`.
"""
