"""PinSage: a graph of pins and boards becomes recommendations."""

__version__ = "0.1.0"
