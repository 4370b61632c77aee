"""Everything that is kept: artifacts with manifests, runs, Parquet files, arrays, atomic writes and locks.

Drafts and tables come in; files go out that are whole or not there, whoever is killed in between, in a folder or behind
a URL. Begin with `deployment.py`, then `artifact.py` and `manifest.py`; `run.py` has the record of a pipeline run.
"""
