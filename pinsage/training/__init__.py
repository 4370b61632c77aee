"""Training of the network, on one device or on several processes, interrupted and resumed with the same result.

Features, neighborhoods and pairs come in as `TrainingData`; a trained network with its curves goes out. Begin with
`loop.py`, then read `steps.py` and `objective.py`.
"""
