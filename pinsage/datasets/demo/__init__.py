"""The demo's world: hidden interests, and the pins, boards, saves and sessions that they lead to.

A number of pins and a seed come in; the Parquet tables of a data set go out, pictures included. Begin with `world.py`,
then read `interests.py`.
"""
