"""Losses: what training lowers. Each formula is a plain function, each class holds its settings.

Three kinds, told apart by what they take; all return a scalar:

- `PairLoss`: `(distance [B], same [B])`;
- `TripletLoss`: `(d_ap [B], d_an [B])`, anchor to positive and anchor to negative;
- `LabelLoss`: `(embeddings [B, D], labels [B])`. Any other callable counts as one of these, such
  as the losses of pytorch-metric-learning.

`same` is True where two items show the same thing. The papers write it as a number, and not all
alike: Chopra's and Hadsell's Y is 0 for a same pair and 1 for a different one; Koch's y is 1 for a
same pair and 0 for a different one; Zagoruyko's y and Bromley's target are 1 for a same pair and -1
for a different one. So a number is refused here.

Lower distance is more alike: a similarity in a paper is turned round, each loss says how. Half
precision is widened to float32 first. `check_reach` refuses a margin that distances up
to `greatest` can never meet. `collapsed_value`, where a loss has one, is its value when the network
maps everything to one point. docs/losses.md has a table of them all.
"""

from gemel.losses.all_pairs import AllPairsHinge, all_pairs_hinge
from gemel.losses.base import About, LabelLoss, PairLoss, TripletLoss
from gemel.losses.decay import LayerDecay
from gemel.losses.enrolment import Enrolment, relative_log_distance
from gemel.losses.hamming import HammingTriplet, hamming_triplet
from gemel.losses.label import (
    MultiSimilarity,
    NPair,
    SupervisedContrastive,
    multi_similarity,
    n_pair,
    supervised_contrastive,
)
from gemel.losses.pair import (
    Contrastive,
    CosineTarget,
    Energy,
    PairCrossEntropy,
    PairHinge,
    contrastive,
    cosine_target,
    energy,
    pair_cross_entropy,
    pair_hinge,
)
from gemel.losses.proxy import ArcFace, CosFace, ProxyLoss
from gemel.losses.triplet import Triplet, TripletHinge, TripletSoft, triplet_hinge, triplet_soft

__all__ = [
    "About",
    "AllPairsHinge",
    "ArcFace",
    "Contrastive",
    "CosFace",
    "CosineTarget",
    "Energy",
    "Enrolment",
    "HammingTriplet",
    "LabelLoss",
    "LayerDecay",
    "MultiSimilarity",
    "NPair",
    "PairCrossEntropy",
    "PairHinge",
    "PairLoss",
    "ProxyLoss",
    "SupervisedContrastive",
    "Triplet",
    "TripletHinge",
    "TripletLoss",
    "TripletSoft",
    "all_pairs_hinge",
    "contrastive",
    "cosine_target",
    "energy",
    "hamming_triplet",
    "multi_similarity",
    "n_pair",
    "pair_cross_entropy",
    "pair_hinge",
    "relative_log_distance",
    "supervised_contrastive",
    "triplet_hinge",
    "triplet_soft",
]
