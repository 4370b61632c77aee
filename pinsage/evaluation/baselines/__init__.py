"""The methods that PinSage is compared with, a file for each kind.

In: the evidence (content, training graph, training pairs). Out: scorers of all pins for a query. Begin at `methods`.
"""
