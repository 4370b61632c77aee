"""Pictures of pins: found in a column or as files, judged by size and place, written in the order of the pins.

Nothing is decoded here. Begin with `pictures.py`.
"""
