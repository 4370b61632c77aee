"""Neighborhoods: the pins that random walks from a pin visit most, and the hard-negative candidates.

The graph comes in; neighbors, importance weights and candidates of every pin go out as arrays. Begin with
`neighborhood.py`; walks are counted in `random_walk.py` or computed by forward push in `expected.py`, and the files
named `*_kernel.py` are compiled.
"""
