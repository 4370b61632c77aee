"""Run a stage: reuse its artifact or make and publish it, in a process of its own under Airflow or in this one.

A run's id and settings come in; the run's record, an artifact and points of the MLflow run go out. Begin with
`runner.py`, then `stage_process.py`.
"""
