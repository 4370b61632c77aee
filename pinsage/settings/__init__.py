"""Settings of a run: each value with its meaning and bounds, from the defaults, a preset and single overrides.

YAML and `section.name=value` texts come in; one validated, frozen tree goes out, or a sentence that says what is wrong.
Begin with `schema.py` (all sections; `live.py` has those of what goes live) and `loading.py` (how the tree is made).
"""
