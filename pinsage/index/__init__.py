"""The index that answers "which pins go with this one": an Annoy file, chosen by measuring it against an exact scan.

Embeddings and popularity come in; `index.ann` with its header and the measured curve go out, and answers for a pin or a
vector. Begin with `pin_index.py`; `choose.py` decides on trees and nodes, `exact.py` is what small catalogs use.
"""
