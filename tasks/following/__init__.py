"""Runs of the DAG through Airflow's REST API: started, watched to their end, their result in words.

An address of an Airflow, with a user or without, comes in; a run's states and a table on the terminal go out.
Begin with `airflow_api.py`; `remote_run.py` is the whole of `pinsage trigger`.
"""
