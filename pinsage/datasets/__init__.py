"""Data sets to begin with: a drawn world (`demo/`) and MovieLens, both written as the tables that ingest reads.

A recipe or an unpacked archive comes in, Parquet tables go out. Begin with `demo/world.py`.
"""
