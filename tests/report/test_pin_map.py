"""The map of the embeddings."""

import numpy as np

from pinsage.report.explorer.pin_map import GRID, pin_map, principal_plane


def planted(num_pins=200, dim=16):
    """Vectors that vary most along axis 3, then along axis 8, and little elsewhere."""
    vectors = np.random.default_rng(0).normal(size=(num_pins, dim)).astype(np.float32)
    vectors[:, 3] *= 20
    vectors[:, 8] *= 7
    return vectors


def test_the_plane_is_that_of_the_planted_directions():
    """The first coordinate is nearly axis 3, the second nearly axis 8, both with their own sign."""
    vectors, plane = planted(), principal_plane(planted())
    assert np.corrcoef(plane[:, 0], vectors[:, 3])[0, 1] > 0.99
    assert np.corrcoef(plane[:, 1], vectors[:, 8])[0, 1] > 0.99


def test_the_axes_have_one_scale_and_fill_the_grid():
    """The wider axis from end to end, the other one in the middle."""
    pins = np.arange(0, 200, 2, dtype=np.int32)
    found = pin_map(planted(), pins, np.arange(200), np.zeros(200, np.uint8))
    assert (found.x.min(), found.x.max()) == (0, GRID)
    assert abs(int(found.y.min()) - (GRID - int(found.y.max()))) <= 1
    assert found.degrees.tolist() == pins.tolist()


def test_equal_vectors_and_flat_ones_have_a_place():
    """A collapsed model, and one of a single dimension."""
    pins, nothing = np.arange(5, dtype=np.int32), np.zeros(5, np.int64)
    for vectors in (np.ones((5, 4), np.float32), np.arange(5, dtype=np.float32)[:, None]):
        found = pin_map(vectors, pins, nothing, nothing.astype(np.uint8))
        assert len(found.x) == len(found.y) == 5
