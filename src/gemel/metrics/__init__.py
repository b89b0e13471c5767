"""Metrics: from two embeddings to a distance. Lower is always more alike.

Each metric has two verbs that agree: `metric(u, v)` gives the distance of each row of u from the
same row of v, and `metric.matrix(u, v)` of each row of u from every row of v. Half precision is
widened to float32 first, float64 stays; no distance or gradient is NaN where two embeddings are
equal. The matrices of Euclidean, cosine and Mahalanobis distances are Gram products in float64:
distances below about 1e-7 of the embeddings' length read as exactly 0.

The four axioms of a metric: d >= 0 and d(x, x) = 0; d = 0 only where x = y; d(x, y) = d(y, x);
the triangle d(x, z) <= d(x, y) + d(y, z). Each docstring says which of them hold between
embeddings. Between *items* the second one never holds by itself: an encoder may map two items to
one embedding. With two encoders (`encoders.Sides`) only d >= 0 is left of them: f(x) and g(x) are
two points, and the distance from left to right is not that from right to left.

| metric | >= 0 and d(x, x) = 0 | 0 only where equal | symmetric | triangle | weights |
|---|---|---|---|---|---|
| Euclidean, Manhattan | yes | yes | yes | yes | none |
| SquaredEuclidean | yes | yes | yes | no | none |
| Cosine | yes (not at the zero vector) | no | yes | no | none |
| Mahalanobis | yes | only where L has full rank | yes | yes | L |
| Hamming | yes | no | yes | yes | none |
| AsymmetricHamming | only >= 0 | no | no | no | none |
| DTW | yes | no | yes | no | none |
| WeightedL1 | no | no | yes | no | alpha, bias |
| Learned | no | no | yes | no | a small network |
| Decision | no | no | with both orders | no | a small network |
"""

from gemel.metrics.base import (
    LogitMetric,
    Metric,
    NoMetric,
    squared_matrix,
    unit,
    wide,
    working_dtype,
)
from gemel.metrics.binary import AsymmetricHamming, CodeMetric, Hamming, codes, pack, unpack
from gemel.metrics.learned import Decision, Learned, Mahalanobis, WeightedL1
from gemel.metrics.plain import Cosine, Euclidean, Manhattan, SquaredEuclidean
from gemel.metrics.warping import DTW

__all__ = [
    "DTW",
    "AsymmetricHamming",
    "CodeMetric",
    "Cosine",
    "Decision",
    "Euclidean",
    "Hamming",
    "Learned",
    "LogitMetric",
    "Mahalanobis",
    "Manhattan",
    "Metric",
    "NoMetric",
    "SquaredEuclidean",
    "WeightedL1",
    "codes",
    "pack",
    "squared_matrix",
    "unit",
    "unpack",
    "wide",
    "working_dtype",
]
