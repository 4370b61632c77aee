"""Positive pairs (query, positive) and their split into train, validation and test.

The catalog's saves or engagements come in, some whole boards at a time; pairs, training saves and sessions go out as
Parquet files. Begin with `split.py`, then read `timeline.py`.
"""
