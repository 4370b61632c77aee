"""From a data set as its owner stores it to the published catalog: checked, numbered, joined, each row accounted for.

Tables of any health come in (`source/` reads them, `pictures/` finds the pictures); the catalog's Parquet files and a
quarantine of what cannot be used go out. Begin with `ingest.py`, then read the SQL in `nodes.py` and `edges.py`.
"""
