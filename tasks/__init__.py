"""The stages of the pipeline, one module each.

A run's settings and the artifacts of earlier stages come in; each stage publishes an artifact and facts. Begin with the
table in `stages.py`, then read one stage, such as `walk.py`; `running/` runs it.
"""
