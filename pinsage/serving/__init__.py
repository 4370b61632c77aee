"""The model as MLflow serves it: related pins for pins of the catalog, and for pins that no catalog holds yet.

Rows of a request and a run's artifacts come in; related pins and their scores go out, or a sentence per row that says
why not. Begin with `served_model.py`; `query_row.py` reads a request, `new_pins.py` embeds a new pin without torch.
"""
