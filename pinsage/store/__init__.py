"""Everything that is kept on disk: artifacts with manifests, runs, Parquet files, arrays, atomic writes and locks.

Drafts and tables come in; files go out that are whole or not there, whoever is killed in between. Begin with
`artifact.py` and `manifest.py`; `run.py` has the record of a pipeline run.
"""
