"""Features of pins: pictures, words, and the saves themselves as spectral vectors.

The catalog and the graph come in; an array per kind of feature goes out, and `matrix.py` reads them as one matrix.
Begin there; the kinds begin in `picture_features.py`, `text.py` and `spectral.py`.
"""
