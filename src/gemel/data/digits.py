"""The 1,797 handwritten digits that come with scikit-learn: real handwriting without a download."""

import numpy as np

from gemel.items import Items


def digits() -> Items:
    """scikit-learn's digits: values uint8 [1797, 8, 8], ink bright on 0, labels "0" to "9".

    They are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak,
    UCI repository, 1998): each pixel counts 0 to 16 dark points; here scaled to 0 to 255, rounded.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Items(
        values=np.rint(bunch.images * (255 / 16)).astype(np.uint8),
        labels=bunch.target.astype(np.str_),
        name="digits",
    )
