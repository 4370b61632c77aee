"""A challenger beside the champion: what is measured of both, and what was decided, by checks or by a person.

The artifacts of a run and the champion's version come in, or the answer of a person; recorded decisions go out, which
the alias `champion` follows. Begin with `evidence.py`, then read `rescoring.py`, `decision.py` and `approval.py`.
"""
