"""MLflow: one experiment run per pipeline run, and the registered model with its champion.

Metrics, facts and model folders come in; runs, curves and versions on the server go out. Begin with `tracker.py`, then
read `registry.py`.
"""
