"""The gate before a model goes live: checks of a challenger against the champion, and every decision that was taken.

Measurements of both models come in; checks with value, limit and verdict, and a table of decisions in the store that
only grows, go out. Begin with `checks.py`, then read `decisions.py`.
"""
