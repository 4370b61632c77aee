"""The methods that PinSage is compared with, a file for each kind.

In: content, the training graph and training pairs. Out: scorers of all pins for a query. Begin at `methods`.
"""
