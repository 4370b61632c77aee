"""The popularity term of a score: vectors of unit length cannot say how popular a pin is.

P pins. Differs from the paper: there the cosine alone ranks.
"""

import numpy as np
from numpy.typing import NDArray


def popularity_term(strength: float, log_degree: NDArray[np.float32]) -> NDArray[np.float32]:
    """β · log(1 + degree) of each pin: float32 [P].

    Args:
        strength: β, chosen on validation pairs; 0 adds nothing.
        log_degree: float32 [P], log(1 + saves in the training graph), a block of the features.
    """
    term: NDArray[np.float32] = np.float32(strength) * log_degree
    return term
