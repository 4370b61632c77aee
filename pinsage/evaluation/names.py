"""Names in the tables of an evaluation; those who only read the tables need neither numba nor torch for them."""

PINSAGE = "pinsage"  # the method under test
ALL, NEW, BOARD = "all", "new", "board"  # the views of a split
