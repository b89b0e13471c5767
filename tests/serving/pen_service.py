"""Signatures made by code, a small model of them, and their files; not a test itself."""

import json
from collections.abc import Sequence

import numpy as np

import gemel
from gemel import Siamese, encoders, inputs, metrics
from gemel.items import Items

Strokes = list[list[list[float]]]
"""Of each stroke its points: x, y, milliseconds, pressure."""


def signature(hand: int, sample: int = 0) -> Strokes:
    """One of many signatures of a hand: three strokes of 25 points, a point each 10 ms."""
    draw = np.random.default_rng(hand)
    slow = np.random.default_rng([hand, sample]).uniform(0.9, 1.1)
    shake = np.random.default_rng([sample, hand]).normal(0, 0.004, (3, 25, 2))
    turn = np.linspace(0, 6, 25)
    strokes = []
    for at in range(3):
        wide, high, quick, phase = draw.uniform((0.05, 0.1, 0.5, 0), (0.15, 0.4, 2.5, 6))
        x = 0.2 + 0.25 * at + wide * turn / 6 + wide * np.cos(quick * turn + phase)
        y = 0.5 + high * np.sin(quick * turn + phase)
        t = 400 * at + 10 * np.arange(25) * slow
        pressure = 0.5 + 0.3 * np.sin(turn)
        points = np.stack([x + shake[at, :, 0], y + shake[at, :, 1], t, pressure], axis=1)
        strokes.append(points.round(5).tolist())
    return strokes


def pens_model() -> Siamese:
    """An untrained network, calibrated on signatures of other hands."""
    model = Siamese(inputs.Pens(32), encoders.AlignedTDNN(), metrics.DTW(10), seed=0)
    hands = np.repeat(np.arange(100, 112), 4)
    samples = [signature(hand, place % 4) for place, hand in enumerate(hands.tolist())]
    gemel.calibrate(model, Items(samples, hands.astype(str), kind="pens"), false_accepts=0.05)
    return model


def files_of(strokes: Strokes) -> dict[str, bytes]:
    """The same recording as the files of all formats, but for how the pen moves when it is up."""
    named = [
        [dict(zip(("x", "y", "t", "pressure"), point, strict=True)) for point in stroke]
        for stroke in strokes
    ]
    rows = [[*point, at] for at, stroke in enumerate(strokes) for point in stroke]
    return {
        "csv": _lines("x,y,t,pressure,stroke", rows, ","),
        "inkml": _inkml(strokes),
        "json": json.dumps({"strokes": named}).encode(),
        "txt": _lines(
            str(len(rows)), [[x, -y, t, 1, 0, 0, pressure] for x, y, t, pressure, _ in rows], " "
        ),
    }


def _lines(first: str, rows: Sequence[Sequence[float]], between: str) -> bytes:
    return "\n".join([first, *(between.join(f"{cell}" for cell in row) for row in rows)]).encode()


def _inkml(strokes: Strokes) -> bytes:
    points = [", ".join(" ".join(map(str, point)) for point in stroke) for stroke in strokes]
    traces = "".join(f"<trace>{one}</trace>" for one in points)
    return f'<ink xmlns="http://www.w3.org/2003/InkML">{traces}</ink>'.encode()
