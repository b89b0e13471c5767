import numpy as np
from sklearn.datasets import load_digits

from gemel.data.digits import digits


def test_pixels_are_scikit_learns_scaled_to_bytes() -> None:
    items = digits()
    # 255 / 16 = 15.9375 for each of the 16 dark points, rounded by hand.
    scale = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert items.values.dtype == np.uint8
    assert items.values.shape == (1797, 8, 8)
    assert np.array_equal(items.values, np.array(scale)[load_digits().images.astype(int)])


def test_labels_are_scikit_learns_as_texts() -> None:
    items = digits()
    assert items.classes == tuple("0123456789")
    assert items.labels.astype(int).tolist() == load_digits().target.tolist()
    assert items.name == "digits"
    assert items.groups is None
    assert items.kind == "images"
