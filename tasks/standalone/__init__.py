"""`make run`: the whole pipeline on one machine, with an Airflow and an MLflow of its own.

A request from the command line comes in; servers are started, a run is followed on the terminal, and its result shown.
Begin with `pipeline.py`.
"""
