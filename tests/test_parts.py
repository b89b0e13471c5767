"""Names on the command line and in files become the parts they name."""

import pytest

from gemel import encoders, losses, metrics
from gemel.cli.app import Loss, Metric
from gemel.errors import SettingsError
from gemel.parts import ENCODERS, METRICS, SIMPLE_ENCODERS, named_encoder, named_loss, named_metric


@pytest.mark.parametrize("name", list(SIMPLE_ENCODERS))
def test_every_encoder_has_a_name(name: str) -> None:
    assert type(named_encoder(name.lower(), 12)).__name__ == name
    assert named_encoder(name.lower(), 12).settings()["dim"] == 12
    assert named_encoder(name.lower(), None).settings()["dim"] == SIMPLE_ENCODERS[name]().dim


def test_every_metric_has_a_name() -> None:
    made = {type(named_metric(word.value)).__name__ for word in Metric}
    # a joint comparer has NoMetric without asking; how many channels DTW has, the encoder says
    assert made == set(METRICS) - {"DTW", "NoMetric"}


def test_losses() -> None:
    metric = metrics.Euclidean()
    triplet = named_loss("triplet", 0.4, metric)
    assert isinstance(triplet, losses.Triplet)
    assert (triplet.margin, triplet.metric) == (0.4, metric)
    assert named_loss("contrastive", 0.7, metric).margin == 0.7
    assert isinstance(named_loss("cross-entropy", None, metric), losses.PairCrossEntropy)
    assert isinstance(
        named_loss("supervised-contrastive", None, metric), losses.SupervisedContrastive
    )
    with pytest.raises(SettingsError, match="supervised-contrastive has no margin"):
        named_loss("supervised-contrastive", 0.1, metric)


def test_every_loss_word_makes_its_loss() -> None:
    made = {
        "arcface": losses.ArcFace,
        "cosface": losses.CosFace,
        "cosine-target": losses.CosineTarget,
        "energy": losses.Energy,
        "hamming": losses.HammingTriplet,
        "hinge": losses.PairHinge,
        "multi-similarity": losses.MultiSimilarity,
        "n-pair": losses.NPair,
        "soft-triplet": losses.Triplet,
    }
    for word, kind in made.items():
        assert type(named_loss(word, None, metrics.Cosine())) is kind
    assert named_loss("soft-triplet", None, metrics.Cosine()).margin is None
    assert named_loss("hinge", 0.3, metrics.Cosine()).margin == 0.3
    assert named_loss("hamming", 2.0, metrics.Cosine()).margin == 2
    with pytest.raises(SettingsError, match="take --metric cosine"):
        named_loss("cosine-target", None, metrics.Euclidean())
    assert {*made, "supervised-contrastive", "triplet", "contrastive", "cross-entropy"} == set(Loss)


def test_encoders_of_the_table_are_all_there_are() -> None:
    made = {name for name in encoders.__all__ if isinstance(getattr(encoders, name), type)}
    assert made == set(ENCODERS)
    # others are made of settings that a word does not give; pens get theirs by the recipe
    others = {"AlignedTDNN", "DilatedTDNN", "Joint", "LeNet", "Sides", "TDNN", "Zagoruyko"}
    assert made - others == set(SIMPLE_ENCODERS)
