"""Pictures of binary codes: what can be read off their scales."""

import pytest

from gemel.reports.binary_codes import marks_between


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0.17, 41.0, [0.2, 0.5, 1, 2, 5, 10, 20]),
        (0.4, 5.0, [0.5, 1, 2, 5]),
        (53.0, 77.0, [60, 70]),
        (21.0, 29.0, [22, 24, 26, 28]),
        (0.1, 0.19, [0.1, 0.15]),
    ],
)
def test_a_scale_of_errors_has_two_marks_or_more(
    low: float, high: float, marks: list[float]
) -> None:
    assert marks_between(low, high) == marks
