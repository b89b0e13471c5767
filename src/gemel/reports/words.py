"""What a model is and what was found, in plain words: shared by the report and the model card."""

import json
from typing import Any

from gemel.encoders import Sides
from gemel.evaluation import Figure
from gemel.measure import Evaluation
from gemel.model import Siamese


def headlines(evaluation: Evaluation) -> list[tuple[Figure, str]]:
    """The figures that matter most, each with a sentence that says what it means."""
    verified, found = evaluation.verification, []
    if evaluation.episodes is not None:
        found.append(
            (
                evaluation.episodes,
                "of the episodes the model picks the right class, from one or a few references "
                "of each.",
            )
        )
    if verified.accuracy is not None:
        found.append((verified.accuracy, f"of the pairs are judged right. {_mix(evaluation)}"))
    found.append(
        (verified.auc, "is the chance that a same pair is nearer than a different one: 1 is best.")
    )
    found.append(
        (
            verified.eer,
            "of both kinds are judged wrong where the threshold is set so that both errors are "
            "equal: 0 is best.",
        )
    )
    if evaluation.identification is not None:
        told = evaluation.identification
        found.append(
            (
                told.rank[0],
                f"of the known items are identified among {told.labels:,} enrolled classes, from "
                "one reference each.",
            )
        )
    if evaluation.retrieval is not None:
        found.append(
            (evaluation.retrieval.recall[0], "of the items have one of their class as nearest.")
        )
    return found


def _mix(evaluation: Evaluation) -> str:
    judged = evaluation.verification
    same, different = judged.same_count, judged.different_count
    if judged.accuracy is not None and judged.accuracy.count < same + different:
        return (
            f"It is of as many different pairs as same ones, {judged.accuracy.count // 2:,} each."
        )
    return f"{100 * same / (same + different):.0f} % of them are the same."


def model_facts(model: Siamese) -> list[tuple[str, str]]:
    """What the model is."""
    weights = sum(weight.numel() for weight in model.parameters())
    found = [
        ("form", model.form.name),
        ("input", repr(model.input)),
        ("encoder", encoder_name(model)),
        ("weights", f"{weights:,}"),
    ]
    if not model.is_joint:
        found += [("embedding", f"{model.dim} numbers"), ("metric", repr(model.metric))]
    found += [
        ("threshold", "none" if model.threshold is None else f"{model.threshold:.4f}"),
        ("calibration", calibration_said(model)),
        ("fingerprint", model.fingerprint),
    ]
    return found


def encoder_name(model: Siamese) -> str:
    """The encoder's kind, or those of both sides."""
    if isinstance(model.encoder, Sides):
        return " and ".join(type(model.side_encoder(s)).__name__ for s in ("left", "right"))
    return type(model.encoder).__name__


def calibration_said(model: Siamese) -> str:
    """How the model was calibrated, in a line."""
    known = model.calibration
    if known is None:
        return "none"
    return (
        f"{known.shape}, on split {known.split} ({known.same_count:,} same and "
        f"{known.different_count:,} different pairs, seed {known.seed}), for "
        f"{100 * known.false_accept_rate:.4g} % false accepts"
    )


def training_facts(model: Siamese) -> list[tuple[str, str]]:
    """What the model was trained on, as its file says; empty where it was not trained."""
    told = model.training_summary
    if not told:
        return []
    names = {
        "data": "data",
        "items": "items",
        "classes": "classes",
        "loss": "loss",
        "steps": "steps",
        "seconds": "seconds",
        "seed": "seed",
        "validation": "best validation figure",
    }
    found = [(names[key], _told(told[key])) for key in names if told.get(key) is not None]
    versions = told.get("versions", {})
    return found + [(f"{name} version then", str(versions[name])) for name in versions]


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def settings_said(model: Siamese) -> str:
    """All settings of the training as JSON; empty where the file does not have them."""
    settings = model.training_summary.get("settings")
    return "" if settings is None else json.dumps(settings, indent=2, ensure_ascii=False)


def versions_now() -> dict[str, str]:
    """What measured: the versions of Python and of the libraries that figures depend on."""
    import platform
    from importlib.metadata import version

    from gemel.storage import versions

    others = {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}
    return {**versions(), **others, "python": platform.python_version()}
