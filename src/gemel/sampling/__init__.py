"""Which items meet in a batch.

A sampler keeps no state between batches: `batch(step)` follows from the data, the settings, the
seed and the step alone, so a resumed run needs only the number of its step. What is kept is the
plan of the current epoch, which can be made again at any time.
"""

from gemel.sampling.balanced_pairs import BalancedPairs
from gemel.sampling.batches import Batch, LabelBatch, PairBatch, Sampler, TripletBatch
from gemel.sampling.classes_by_items import ClassesByItems
from gemel.sampling.enrolment_pairs import EnrolmentPairs
from gemel.sampling.forgery_pairs import ForgeryPairs
from gemel.sampling.graph_pairs import GraphPairs
from gemel.sampling.group_pairs import GroupPairs
from gemel.sampling.triplets import Triplets

__all__ = [
    "BalancedPairs",
    "Batch",
    "ClassesByItems",
    "EnrolmentPairs",
    "ForgeryPairs",
    "GraphPairs",
    "GroupPairs",
    "LabelBatch",
    "PairBatch",
    "Sampler",
    "TripletBatch",
    "Triplets",
]
