"""Parts that compiled loops share: hashes, tables by open addressing, a selection and a memory prefetch.

Functions of numba go in, called from the kernels of `walks`, `batches` and `pairs`; nothing here knows what a pin is.
numba's cache on disk notices an edit of the file that a function is in, not of the files it calls into: after an edit
here, touch the kernels. Begin reading in `hash.py`.
"""
