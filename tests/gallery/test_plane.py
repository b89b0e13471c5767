"""Embeddings in the plane, against principal components by the covariance matrix."""

from pathlib import Path

import numpy as np
import pytest
from small_galleries import drawn_rows, numbers_model, open_numbers

from gemel import Gallery, Siamese, encoders, inputs, metrics
from gemel.errors import SettingsError


def slowly(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N, 2] coordinates up to sign and scale, and the share of variance of each."""
    centred = rows.astype(np.float64) - rows.astype(np.float64).mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return centred @ vectors[:, ::-1][:, :2], values[::-1][:2] / values.sum()


def test_principal_components(path: Path, model: Siamese) -> None:
    rows = drawn_rows(30, 0)
    with open_numbers(path, model, rows, [str(place) for place in range(30)]) as gallery:
        found = gallery.plane()
    wanted, shares = slowly(rows)
    places = np.array([(one.x, one.y) for one in found.points])
    wanted = wanted / np.abs(wanted).max()
    for axis in range(2):
        sign = np.sign(places[:, axis] @ wanted[:, axis])
        np.testing.assert_allclose(places[:, axis], sign * wanted[:, axis], atol=1e-6)
        assert places[np.abs(places[:, axis]).argmax(), axis] > 0
    assert found.explained == pytest.approx(tuple(shares))
    assert [(one.reference, one.identity) for one in found.points] == [
        (place + 1, str(place)) for place in range(30)
    ]


def test_what_the_metric_does_not_see(path: Path) -> None:
    rows = np.array([[1, 0, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0]], np.float32)
    with open_numbers(path, numbers_model(metrics.Cosine()), rows, ["a", "b", "c"]) as gallery:
        first, second, third = gallery.plane().points
    assert (first.x, first.y) == pytest.approx((second.x, second.y))
    assert abs(third.x - first.x) > 1


def test_some_of_many(path: Path, model: Siamese) -> None:
    with open_numbers(path, model, drawn_rows(10, 0), ["a"] * 10) as gallery:
        found = gallery.plane(4)
        assert [one.reference for one in found.points] == [1, 4, 7, 10]
        assert found.of == 10
        with pytest.raises(SettingsError, match="`most` must be 1 or more"):
            gallery.plane(0)


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing(path: Path, model: Siamese, count: int) -> None:
    rows = drawn_rows(count, 0)
    with Gallery.open(path, model) as gallery:
        for row in rows:
            gallery.enrol("a", row)
        found = gallery.plane()
    assert [(one.x, one.y) for one in found.points] == [(0.0, 0.0)] * count
    assert found.explained == (0.0, 0.0)


def test_no_embeddings(path: Path) -> None:
    joint = Siamese(inputs.Images(8, channels=1), encoders.Joint(encoders.Conv((4,), 1)))
    with (
        Gallery.open(path, joint, keep_originals=True, one_by_one=True) as gallery,
        pytest.raises(SettingsError, match="no map"),
    ):
        gallery.plane()
