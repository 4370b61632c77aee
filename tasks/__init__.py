"""The stages of the pipeline and what runs them: as processes under Airflow, or one after the other in this process.

A run's settings and the artifacts of earlier stages come in; each stage publishes an artifact and facts. Begin with the
table in `stages.py`, then read one stage, such as `walk.py`, and `runner.py`, which runs it.
"""
