"""The owner's Parquet files, read into one form whatever wrote them, and what makes one data set differ from another.

A folder or URL comes in; checked tables in bounded batches, and the identity of the data set, go out. Begin with
`dataset.py`; `contract.py` says what a data set must hold.
"""
