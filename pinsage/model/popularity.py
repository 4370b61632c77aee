"""The popularity term of a score: vectors of unit length cannot say how popular a pin is.

P pins. Differs from the paper: there the cosine alone ranks.
"""

import numpy as np
from numpy.typing import NDArray


def popularity_term(strength: float, pin_degrees: NDArray[np.int64]) -> NDArray[np.float32]:
    """β · log(1 + degree) of each pin: float32 [P].

    Args:
        strength: β, chosen on validation pairs; 0 adds nothing.
        pin_degrees: int64 [P], saves of each pin in the training graph.
    """
    term: NDArray[np.float32] = np.float32(strength) * np.log1p(pin_degrees).astype(np.float32)
    return term
