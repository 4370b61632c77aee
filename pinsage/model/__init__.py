"""The network of PinSage: convolutions, the dense head and the losses (Algorithms 1 and 2 of the paper).

Features and neighborhoods of a sub-graph or of all pins come in as tensors; embeddings of unit length go out. Begin
with `network.py`, then `convolve.py`; `layerwise.py` embeds a whole catalog.
"""
