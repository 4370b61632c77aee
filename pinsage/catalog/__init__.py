"""The published catalog: what ingest made of a data set, as every other room reads it.

A folder of Parquet files comes in; tables, pictures and the way between an owner's `pin_id` and our row number `pin` go
out. Begin with `catalog.py`; `schema.py` has the columns.
"""
