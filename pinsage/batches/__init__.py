"""Minibatches: pairs, negatives, and the sub-graph that a step of training needs, built in threads.

Training pairs, neighborhoods and features come in; a `Minibatch` of plain arrays goes out for each step, a function of
the seed and the step alone. Begin with `builder.py`, then read `minibatch.py` and its compiled `kernels.py`.
"""
