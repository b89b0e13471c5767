"""Pictures of binary codes: items beside their codes, errors by length, distances, the bits."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from gemel.evaluation import Figure
from gemel.reports.pictures import GREY, PALETTE

Grey = NDArray[np.generic]
Codes = UInt8[NDArray[np.uint8], "items bytes"]
NEAREST = 6
ASYMMETRIC = ", asymmetric"


def draw_codes(
    asked: Sequence[Grey],
    codes: Codes,
    known: UInt8[NDArray[np.uint8], "references bytes"],
    pictures: Sequence[Grey],
    bits: int,
) -> Canvas:
    """Each asked picture with its code, and its nearest references with the bits that differ.

    Args:
        asked: pictures [H, W].
        codes: of these, eight bits a byte.
        known: of the references.
        pictures: of the references.
        bits: a code.
    """
    canvas = Canvas(figsize=(11.0, 0.62 * len(asked) + 0.7), dpi=130, layout="constrained")
    grid = canvas.subplots(
        len(asked), 2 + NEAREST, squeeze=False, width_ratios=[1, 5, *[1.25] * NEAREST]
    )
    canvas.suptitle(
        f"Digits, their codes of {bits} bits, and the nearest references with the bits that differ",
        fontsize=10,
        x=0.01,
        ha="left",
    )
    for line, picture, code in zip(grid, asked, codes, strict=True):
        for axes in line:
            axes.axis("off")
        line[0].imshow(picture, cmap="gray_r")
        strip = np.unpackbits(code)[:bits].reshape(-1, min(bits, 32))
        line[1].imshow(strip, cmap="gray_r", vmin=0, vmax=1, aspect="auto")
        line[1].axis("on")
        line[1].set(xticks=[], yticks=[])
        differ = np.bitwise_count(known ^ code).sum(axis=1)
        for axes, one in zip(line[2:], np.argsort(differ, kind="stable"), strict=False):
            axes.imshow(pictures[one], cmap="gray_r")
            axes.text(
                1.02,
                0.5,
                f"{differ[one]}",
                transform=axes.transAxes,
                va="center",
                fontsize=8,
                color=GREY,
            )
    return canvas


def draw_errors(
    errors: Mapping[str, Sequence[Figure]], flat: Mapping[str, float], lengths: Sequence[int]
) -> Canvas:
    """Errors by the length of the code, on a logarithmic scale, and some that have no length."""
    canvas = Canvas(figsize=(8.2, 4.8), dpi=130, layout="constrained")
    axes = canvas.subplots()
    kinds = list(dict.fromkeys(name.removesuffix(ASYMMETRIC) for name in errors))
    for number, (name, cells) in enumerate(errors.items()):
        axes.errorbar(
            np.array(lengths) * (1 + 0.01 * number),
            [100 * cell.value for cell in cells],
            yerr=np.array(
                [
                    [100 * max(cell.value - cell.low, 0.0) for cell in cells],
                    [100 * max(cell.high - cell.value, 0.0) for cell in cells],
                ]
            ),
            color=PALETTE[(0, 5, 2, 3, 1)[kinds.index(name.removesuffix(ASYMMETRIC)) % 5]],
            linestyle="--" if name.endswith(ASYMMETRIC) else "-",
            marker="o",
            markersize=4,
            capsize=2,
            label=name,
        )
    for name, value in flat.items():
        axes.axhline(100 * value, color=GREY, linestyle=":", label=name)
    axes.set(xscale="log", yscale="log", xlabel="bits a code", ylabel="error of the vote, %")
    axes.set_xticks(list(lengths), [str(one) for one in lengths])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_yticks(marks := marks_between(low, high), [f"{one:g}" for one in marks])
    axes.set_title("Unseen digits told by the codes of the nearest known ones")
    axes.grid(visible=True, alpha=0.3)
    canvas.legend(fontsize=8, loc="outside right upper")
    return canvas


def marks_between(low: float, high: float) -> list[float]:
    """Marks of a logarithmic scale: 1, 2 and 5 times powers of ten, or more of them if need be."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((10, 20, 50), (10, 15, *range(20, 100, 10)), range(10, 100, 2)):
        found = [step * 10.0 ** (power - 1) for power in powers for step in steps]
        inside = [round(one, 9) for one in found if low <= one <= high]
        if len(inside) >= 2:
            break
    return inside


def draw_distances(
    differ: Int[NDArray[np.integer], " pairs"], same: Bool[NDArray[np.bool_], " pairs"], bits: int
) -> Canvas:
    """How many bits differ between pairs of one class and of two."""
    canvas = Canvas(figsize=(6.4, 3.8), dpi=130, layout="constrained")
    axes = canvas.subplots()
    at = np.arange(bits + 1)
    for kind, name, colour, move in (
        (True, "pairs of one class", PALETTE[0], -0.2),
        (False, "pairs of two classes", PALETTE[5], 0.2),
    ):
        shares = np.bincount(differ[same == kind], minlength=bits + 1) / max(
            1, (same == kind).sum()
        )
        axes.bar(at + move, 100 * shares, width=0.4, color=colour, label=name)
    axes.set(xlabel="bits that differ", ylabel="% of the pairs", title=f"Codes of {bits} bits")
    axes.legend()
    return canvas


def draw_bits(means: Float[NDArray[np.floating], " bits"]) -> Canvas:
    """How often each bit is 1; one that is nearly always the same tells nothing."""
    canvas = Canvas(figsize=(6.4, 3.0), dpi=130, layout="constrained")
    axes = canvas.subplots()
    axes.bar(np.arange(len(means)), 100 * np.asarray(means), color=PALETTE[0])
    axes.axhline(50, color=GREY, linestyle=":")
    axes.set(ylim=(0, 100), xlabel="bit", ylabel="1 in % of the codes", title="Use of the bits")
    return canvas
