"""Chopra, Hadsell, LeCun 2005: the energy loss, and the faces of unseen people.

"Learning a similarity metric discriminatively, with application to face verification", CVPR.

The paper's protocol: pictures of the AT&T (ORL) faces, halved to 56 x 46, 35 people to learn from
(with a part of FERET) and five unseen ones to be verified. The network gives 50 numbers; the energy
of a pair is the sum of their differences; a genuine pair costs (2/Q) E^2, an impostor pair
2Q exp(-2.77 E / Q). Of each person some pictures are enrolled as a normal distribution, and a
claim is accepted where phi_g / (phi_g + phi_i) is high.

What is done differently, and why:
- Ten draws of five test people instead of one: one bad picture among 50 moves a rate by points.
- No FERET, which cannot be had without asking its publisher: 350 pictures are all there is.
- So pictures are mirrored and warped while training.
- All pairs of a batch of pictures meet, genuine and impostor ones weighing alike; the paper draws
  as many of both from all pairs. It is the same mean, from fewer pictures.
- AdamW, as the paper's steps are not known. Every map of the second convolution sees all of the
  first, where the paper's sees some.
- No pair of a picture with itself is judged; the paper's counts (500 and 2,000) hold them.
"""

from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from matplotlib.figure import Figure as Canvas
from torch import Tensor

from gemel import encoders, inputs, metrics, sampling
from gemel.losses import LabelLoss, energy
from gemel.losses.base import About, check_labels, positive
from gemel.model import Siamese
from gemel.reports.pictures import PALETTE, save
from gemel.systems._face_pictures import (
    draw_histograms,
    draw_pairs,
    draw_trade_off,
    extreme_pairs,
)
from gemel.systems._faces import (
    SIZE,
    Draw,
    Judged,
    calibrated,
    draws_of,
    face_rows,
    hardest,
    judge_lda,
    judge_model,
    judge_pixels,
)
from gemel.systems.reproduction import Request, Table

DIM = 50
BOUND = encoders.LeNet(DIM, bounded=True).reach
"""Q: the greatest energy, of 50 numbers between -1.7159 and 1.7159."""
STEPS, QUICK_STEPS = 600, 10
CLASSES, PER_CLASS = 35, 3
RATE = 3e-3
VIEWS = 8
AUGMENT = inputs.Chain(
    [
        inputs.Flip(),
        inputs.Warp(rotation=12, scale=0.12, shear=0.1, shift=0.06, elastic=0.02, fill="border"),
    ]
)


class EveryPair(LabelLoss):
    """The energy loss of all pairs of a batch; genuine and impostor pairs weigh alike.

    Args:
        bound: Q, the greatest energy.

    Raises:
        SettingsError: `bound` is not positive.
    """

    about: ClassVar[About] = About(
        "genuine: (2/Q) E²; impostor: 2Q exp(-2.77 E/Q), over all pairs of a batch",
        "labels with the Manhattan metric",
        "Chopra, Hadsell, LeCun 2005",
    )

    def __init__(self, bound: float = BOUND) -> None:
        super().__init__()
        self.metric = metrics.Manhattan()
        self.bound = positive("bound", bound)

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """The mean of the mean over genuine pairs and that over impostor pairs."""
        check_labels(embeddings, labels)
        left, right = torch.triu_indices(len(labels), len(labels), 1)
        distance = self.metric.matrix(embeddings, embeddings)[left, right]
        same = labels[left] == labels[right]
        kinds = [energy(distance[same == kind], same[same == kind], self.bound) for kind in (0, 1)]
        return torch.stack(kinds).mean()

    @property
    def collapsed_value(self) -> float:
        """The loss where all embeddings are alike."""
        return self.bound

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"bound={self.bound:.4g}"


def network(seed: int) -> Siamese:
    """The paper's network, with first weights of `seed`."""
    return Siamese(
        inputs.Images(SIZE),
        encoders.LeNet(DIM, stages=encoders.LeNet.CHOPRA, bounded=True),
        metrics.Manhattan(),
        seed=seed,
        views=VIEWS,
    )


def settings(request: Request, seed: int) -> dict[str, object]:
    """How it is trained."""
    return {
        "loss": EveryPair(),
        "sampler": partial(
            sampling.ClassesByItems, classes=CLASSES, per_class=PER_CLASS, seed=seed
        ),
        "augment": AUGMENT,
        "validation": None,
        "steps": QUICK_STEPS if request.quick else STEPS,
        "rate": RATE,
        "seed": seed,
    }


def judge_draws(request: Request, draws: list[Draw]) -> list[Judged]:
    """A network trained on each draw, and what it says of the people that it never saw."""
    found = []
    for draw in draws:
        seed = request.seed + draw.number
        model = request.trained(
            f"energy-{draw.number:02}",
            partial(network, seed),
            draw.train,
            **settings(request, seed),
        )
        judged = judge_model(draw, model)
        request.say(f"draw {draw.number}, {draw.people}: EER {100 * judged.eer:.1f} %")
        found.append(judged)
    return found


def reproduce(request: Request) -> Table:
    """Train on each draw, judge, draw the pictures, and give the table."""
    draws = draws_of(request)
    found = judge_draws(request, draws)
    pixels, lda = list(map(judge_pixels, draws)), list(map(judge_lda, draws))
    seed = request.seed
    calibrated(request, "faces", partial(network, seed), draws[0], **settings(request, seed))
    untrained = judge_model(draws[0], network(seed + 1))
    pictures = {
        "pairs": draw_pairs(
            extreme_pairs(draws, found),
            "Pairs of unseen people with their energies E, and these as shares of the threshold t "
            "where errors are equal; orange: judged wrongly at t",
            "E",
        ),
        "loss": draw_loss(BOUND),
        "energies": draw_histograms(
            untrained, found[0], f"Pairs of unseen people: {draws[0].people}", "energy E"
        ),
        "trade_off": draw_trade_off(
            {"energy loss": found, "PCA + LDA": lda, "pixels": pixels},
            "Verifying unseen people, all pairs of pictures",
        ),
    }
    for name, canvas in pictures.items():
        save(canvas, request.out / f"{name}.png")
    return Table(
        ("energy loss", "nearest pixels", "PCA + LDA"),
        tuple(face_rows([found, pixels, lda], seed=seed)),
        (
            hardest(draws, found),
            f"Intervals are Student's t over {len(draws)} draws of five unseen people; the draws "
            "share training people, and from the ninth on test people.",
            "The published figures are of one draw, remembered and not looked up in the paper.",
        ),
    )


def draw_loss(bound: float) -> Canvas:
    """What a genuine and an impostor pair cost at each energy, and the greatest energy, Q."""
    at = torch.linspace(0, 1.15 * bound, 300)
    canvas = Canvas(figsize=(5.6, 4.2), dpi=130, layout="constrained")
    axes = canvas.subplots()
    for name, kind, colour, style in (
        ("genuine pair: $L_G = (2/Q)\\,E^2$", True, PALETTE[0], "-"),
        ("impostor pair: $L_I = 2Q\\,e^{-2.77\\,E/Q}$", False, PALETTE[5], "--"),
    ):
        cost = [float(energy(e[None], torch.tensor([kind]), bound)) for e in at]
        axes.plot(at, cost, color=colour, linestyle=style, linewidth=2, label=name)
    axes.axvline(bound, color=PALETTE[7], linewidth=1, linestyle=":")
    axes.annotate(
        f"Q = {bound:.1f}", (bound, 0.5 * bound), (-6, 0), ha="right", textcoords="offset points"
    )
    axes.set(xlabel="energy E of the pair", ylabel="loss", xlim=(0, float(at[-1])))
    axes.set(ylim=(0, 2.3 * bound), title="The energy loss: both cost 2Q at their worst")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper center")
    return canvas
