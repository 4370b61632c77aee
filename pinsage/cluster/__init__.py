"""The one door to Dask: parts of a job on worker processes, and the files and rows that travel between us and them.

A function and its parts come in; results go out in the order of the parts, and rows arrive checked in arrays on disk.
Begin with `workers.py`; `work.py` says what happens when a worker dies, `exchange.py` and `through_store.py` how files
and rows travel.
"""
