"""Measuring a model honestly: verification, identification, one-shot episodes, retrieval.

Arrays in, frozen dataclasses out: nothing here knows a model, a file or torch. Distances are
lower for what is more alike. Every figure carries its split, count, 95 % interval and seed;
one that the data do not support is refused, and says why.
"""

from gemel.evaluation.calibration import Calibration, fit_calibration
from gemel.evaluation.comparison import (
    PairedComparison,
    compare_paired,
    compare_paired_verification,
)
from gemel.evaluation.curves import Det, Roc, auc, det, equal_error_rate, roc
from gemel.evaluation.episodes import Episodes, draw_episodes
from gemel.evaluation.folds import FoldAccuracy, fold_accuracy
from gemel.evaluation.groups import GroupFigures, GroupVerification, verification_by_group
from gemel.evaluation.identification import Identification, identification
from gemel.evaluation.intervals import (
    Figure,
    Interval,
    Refused,
    bootstrap,
    figure,
    students_t,
    wilson,
)
from gemel.evaluation.matching_accuracy import (
    matching_accuracy,
    reprojection_errors,
    right_shares,
)
from gemel.evaluation.neighbour_vote import vote_credit
from gemel.evaluation.one_shot import (
    Compare,
    FixedTrials,
    accuracy,
    fixed_trials,
    nearest_support,
    one_shot_credit,
    prototypes,
    score_trials,
)
from gemel.evaluation.references import relative_distance
from gemel.evaluation.reliability import calibration_error, reliability
from gemel.evaluation.retrieval import Retrieval, distances_to_all, retrieval
from gemel.evaluation.verification import (
    Verification,
    accuracy_at,
    best_threshold,
    verification,
)

__all__ = [
    "Calibration",
    "Compare",
    "Det",
    "Episodes",
    "Figure",
    "FixedTrials",
    "FoldAccuracy",
    "GroupFigures",
    "GroupVerification",
    "Identification",
    "Interval",
    "PairedComparison",
    "Refused",
    "Retrieval",
    "Roc",
    "Verification",
    "accuracy",
    "accuracy_at",
    "auc",
    "best_threshold",
    "bootstrap",
    "calibration_error",
    "compare_paired",
    "compare_paired_verification",
    "det",
    "distances_to_all",
    "draw_episodes",
    "equal_error_rate",
    "figure",
    "fit_calibration",
    "fixed_trials",
    "fold_accuracy",
    "identification",
    "matching_accuracy",
    "nearest_support",
    "one_shot_credit",
    "prototypes",
    "relative_distance",
    "reliability",
    "reprojection_errors",
    "retrieval",
    "right_shares",
    "roc",
    "score_trials",
    "students_t",
    "verification",
    "verification_by_group",
    "vote_credit",
    "wilson",
]
