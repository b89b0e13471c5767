"""Measuring a model honestly: verification, one-shot episodes, retrieval, and their intervals.

Arrays in, frozen dataclasses out: nothing here knows a model, a file or torch. Distances are
lower for what is more alike. Every figure carries its split, count, 95 % interval and seed.
"""

from gemel.evaluation.curves import Roc, auc, equal_error_rate, roc
from gemel.evaluation.episodes import Episodes, draw_episodes
from gemel.evaluation.intervals import Figure, Interval, bootstrap, wilson
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
from gemel.evaluation.retrieval import Retrieval, distances_to_all, retrieval
from gemel.evaluation.verification import (
    Verification,
    accuracy_at,
    best_threshold,
    verification,
)

__all__ = [
    "Compare",
    "Episodes",
    "Figure",
    "FixedTrials",
    "Interval",
    "Retrieval",
    "Roc",
    "Verification",
    "accuracy",
    "accuracy_at",
    "auc",
    "best_threshold",
    "bootstrap",
    "distances_to_all",
    "draw_episodes",
    "equal_error_rate",
    "fixed_trials",
    "nearest_support",
    "one_shot_credit",
    "prototypes",
    "retrieval",
    "roc",
    "score_trials",
    "verification",
    "wilson",
]
