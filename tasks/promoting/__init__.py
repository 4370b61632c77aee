"""A challenger beside the champion: what is measured of both, and the champion's network on the data of today.

The artifacts of a run and the champion's version come in; checks go out, which the stage promote decides by. Begin with
`evidence.py`, then read `rescoring.py`.
"""
