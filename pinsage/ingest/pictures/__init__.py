"""Pictures of pins: found in a column or as files, checked for size and place, written in the order of the pins.

The tables of a data set and the files beside them come in; `pictures.parquet` goes out. Nothing is decoded here. Begin
with `pictures.py`.
"""
