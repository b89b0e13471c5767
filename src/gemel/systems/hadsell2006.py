"""Hadsell, Chopra, LeCun 2006: dimensionality reduction by learning an invariant mapping (DrLIM).

CVPR 2006. A network learns to lay pictures out in the plane so that neighbours come to lie
together. Which pictures are neighbours is given; no label is looked at. Neighbours attract each
other like a spring, all others repel each other up to a margin. The map takes new pictures, too,
and does not see what is declared to make no difference.

The paper's protocol:
- 3,000 pictures each of MNIST's 4 and 9, about 1,000 of each for the test. Each is a neighbour of
  the 5 that are nearest in pixels; all other pairs are different.
- The same pictures moved sideways by -6, -3, 3 and 6 pixels as well, 30,000 in all. With the graph
  of nearest pixels the map falls apart by shift. With prior knowledge, where all shifts of a
  picture and of its 5 neighbours are neighbours, too, the shift disappears from the map.
- A small convolutional network with two outputs; contrastive loss of the Euclidean distance.

What is done differently, and why:
- The paper's margin, rate, number of passes and ratio of the two kinds of pairs are not known to
  us: the margin is 1, which sets little but the scale of the map; half of a batch's pairs are
  neighbours; and the number of steps is chosen for two cores.
- `fit`'s AdamW, with its schedule of the rate and its weight decay, instead of plain stochastic
  gradient descent.
- The paper gives figures to look at and no numbers. The numbers here are ours, on test pictures.
- The paper's third experiment, on NORB's aeroplane, is left out: gemel reads no NORB.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from gemel import data, encoders, inputs, metrics
from gemel.items import Items
from gemel.losses import Contrastive, PairLoss
from gemel.losses.base import About
from gemel.model import Siamese
from gemel.neighbours import nearest_neighbours
from gemel.reports import maps, pictures
from gemel.reports.maps import Panel
from gemel.sampling import GraphPairs
from gemel.systems.layouts import (
    Judge,
    Points,
    apart,
    from_middle,
    kept,
    same_copy,
    same_label,
)
from gemel.systems.reproduction import Request, Row, Table
from gemel.training import CollapseWarning

CLASSES = ("4", "9")
SHIFTS = (-6, -3, 0, 3, 6)  # pixels, to the right
SIDE, NEIGHBOURS, MARGIN = 32, 5, 1.0
RATE = 2e-3
GRAPHS = {"pixels": "graph of nearest pixels", "prior": "graph with prior knowledge"}


@dataclass(frozen=True)
class Size:
    """How much is done.

    Attributes:
        train: training pictures of each class.
        test: test pictures of each class, at most.
        pairs: pairs in a batch.
        plain: steps of training on plain pictures; a tenth of them without repulsion.
        shifted: steps of training on shifted pictures.
        lle: training pictures that LLE lays out, each with its shifts.
    """

    train: int
    test: int
    pairs: int
    plain: int
    shifted: int
    lle: int


FULL = Size(train=3000, test=1100, pairs=128, plain=4000, shifted=3000, lle=400)
QUICK = Size(train=150, test=60, pairs=32, plain=60, shifted=40, lle=40)
NOTES = (
    "Figures on test pictures; the 95 % intervals are a bootstrap over digits. PCA: the two "
    "principal components of the training pictures' pixels.",
    "Neighbours in pixels: either is among the other's 5 nearest of the test pictures.",
    "Distance between shifts: the mean over two shifts of one digit, over the mean between shifts "
    "of two digits; 0 where the map does not see the shift at all. Moved alike: among the nearest "
    "that show other digits.",
    "Labels choose the 4s and 9s and colour the pictures; the pairs do not use them.",
)


class Attraction(PairLoss):
    """The contrastive loss without its repelling term, to show what that is for."""

    about = About("same: d²/2; different: 0", "nothing: it collapses", "Hadsell 2006")

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """Mean over all pairs; least, 0, where all embeddings are one point."""
        return (distance.square() * same / 2).mean()


def reproduce(request: Request) -> Table:
    """Train the four maps, measure them on test pictures, and draw them."""
    size = QUICK if request.quick else FULL
    folder = request.folder("mnist")
    train = digits(data.mnist(folder, part="train"), size.train, request.seed)
    test = digits(data.mnist(folder, part="test"), size.test, request.seed)
    moved, moved_test = shifted(train), shifted(test)
    near = nearest_neighbours(train.values, NEIGHBOURS)
    plain = learned(request, "plain", train, near, pairs=size.pairs, steps=size.plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # it is meant to collapse
        collapsed = learned(
            request,
            "collapsed",
            train,
            near,
            pairs=size.pairs,
            steps=size.plain // 10,
            loss=Attraction(),
        )
    found = {
        "plain": where(plain, test),
        "collapsed": where(collapsed, test),
        "plain, PCA": principal(train, test),
        "shifted, PCA": principal(moved, moved_test),
    }
    request.say(f"looking for the nearest pixels of {len(moved):,} shifted pictures")
    graphs = {"pixels": nearest_neighbours(moved.values, NEIGHBOURS), "prior": with_prior(near)}
    for name, graph in graphs.items():
        model = learned(
            request, f"shifted-{name}", moved, graph, pairs=size.pairs, steps=size.shifted
        )
        found[name] = where(model, moved_test)
    _draw_plain(request, plain, found, test)
    some = shifted(
        train.take(np.random.default_rng(request.seed).permutation(len(train))[: size.lle])
    )
    _draw_shifted(request, found, moved_test, some)
    return Table(("DrLIM", "PCA", "chance"), _rows(found, test, request.seed), NOTES)


def digits(items: Items, count: int, seed: int) -> Items:
    """Up to `count` of each of the two classes, drawn by chance, filled up to 32 x 32."""
    generator = np.random.default_rng(seed)
    chosen = np.concatenate(
        [generator.permutation(np.flatnonzero(items.labels == name))[:count] for name in CLASSES]
    )
    taken = items.take(np.sort(chosen), f"{items.name}, 4 and 9")
    values = np.asarray(taken.values)
    edge = (SIDE - values.shape[1]) // 2
    values = np.pad(values, ((0, 0), (edge, edge), (edge, edge)))
    return Items(values, taken.labels, name=taken.name)


def shifted(items: Items) -> Items:
    """Each picture moved sideways by each of `SHIFTS`, its five copies side by side."""
    edge = max(SHIFTS)
    wide = np.pad(np.asarray(items.values), ((0, 0), (0, 0), (edge, edge)))
    starts = [edge - shift for shift in SHIFTS]
    values = np.stack([wide[:, :, start : start + SIDE] for start in starts], axis=1)
    return Items(
        values.reshape(-1, SIDE, SIDE),
        np.repeat(items.labels, len(SHIFTS)),
        name=f"{items.name}, shifted",
        details={"shift": np.tile(SHIFTS, len(items))},
    )


def with_prior(
    near: Int[NDArray[np.int64], "items K"],
) -> Int[NDArray[np.int64], "copies neighbours"]:
    """The graph of shifted pictures that knows what a shift is.

    All copies of a picture are neighbours of each other, and of all copies of its neighbours.

    Args:
        near: for each picture its neighbours [N, K] before it is shifted.
    """
    alike = np.concatenate([np.arange(len(near))[:, None], near], axis=1)
    copies = alike[:, :, None] * len(SHIFTS) + np.arange(len(SHIFTS))
    return np.repeat(copies.reshape(len(near), -1), len(SHIFTS), axis=0)


def learned(
    request: Request,
    name: str,
    train: Items,
    neighbours: Int[NDArray[np.int64], "items K"],
    *,
    pairs: int,
    steps: int,
    loss: PairLoss | None = None,
) -> Siamese:
    """The paper's network, trained on the pairs of a graph."""

    def make() -> Siamese:
        net = encoders.LeNet(2, stages=encoders.LeNet.HADSELL)
        return Siamese(inputs.Images(SIDE, channels=1), net, metrics.Euclidean(), seed=request.seed)

    return request.trained(
        name,
        make,
        train,
        loss=Contrastive(MARGIN) if loss is None else loss,
        sampler=lambda items: GraphPairs(items, neighbours, pairs=pairs, seed=request.seed),
        steps=steps,
        rate=RATE,
        validation=None,
        seed=request.seed,
    )


def where(model: Siamese, items: Items) -> Points:
    """The places of items on a learned map."""
    return np.asarray(model.embed(items).numpy(), dtype=np.float64)


def principal(train: Items, items: Items) -> Points:
    """The places of items on the two principal components of the training pictures' pixels."""
    pixels, new = (_rows_of(part) for part in (train, items))
    middle = pixels.mean(axis=0)
    pixels -= middle
    axes = np.linalg.eigh(pixels.T @ pixels)[1][:, :-3:-1]
    return np.asarray((new - middle) @ axes)


def locally_linear(items: Items, seed: int) -> Points:
    """The places of items by locally linear embedding, which takes no new pictures afterwards.

    Source: Roweis and Saul 2000, "Nonlinear dimensionality reduction by locally linear embedding",
    Science 290; the paper compares with it.
    """
    from sklearn.manifold import LocallyLinearEmbedding

    lle = LocallyLinearEmbedding(
        n_neighbors=NEIGHBOURS, n_components=2, eigen_solver="dense", random_state=seed
    )
    return np.asarray(lle.fit_transform(_rows_of(items)), dtype=np.float64)


def _rows_of(items: Items) -> Float[NDArray[np.float64], "items pixels"]:
    return np.asarray(items.values, dtype=np.float64).reshape(len(items), -1) / 255


def _rows(found: Mapping[str, Points], test: Items, seed: int) -> tuple[Row, ...]:
    judge = Judge(test.name, "digits", seed)
    plain, flat = found["plain"], found["plain, PCA"]
    near, chance = kept(plain, test.values, NEIGHBOURS)
    near_by_pca, _ = kept(flat, test.values, NEIGHBOURS)
    name = "4 and 9: neighbours in pixels among the nearest 5 on the map"
    rows = [
        Row(
            name,
            (judge.mean(name, near), judge.mean(name, near_by_pca), f"{100 * chance:.1f} %"),
            "a figure: slant and weight of strokes vary smoothly",
        )
    ]
    name = "4 and 9: the nearest on the map has the same label"
    cells = (judge.mean(name, same_label(points, test.labels)) for points in (plain, flat))
    rows.append(Row(name, (*cells, "50 %"), "a figure: two regions that touch"))
    name = "4 and 9: mean distance from the middle of the map"
    rows.append(Row(name, (judge.mean(name, from_middle(plain), percent=False), "", "")))
    name = "the same, trained without the repelling term"
    spread = judge.mean(name, from_middle(found["collapsed"]), percent=False)
    rows.append(Row(name, (spread, "", ""), "in words: collapses"))
    said = {"pixels": "a figure: one cluster a shift", "prior": "a figure: shift is not visible"}
    for key, graph in GRAPHS.items():
        both = (found[key], found["shifted, PCA"])
        name = f"{graph}: distance between shifts of a digit / between digits"
        ratios = (judge.ratio(name, *apart(points, len(SHIFTS))) for points in both)
        rows.append(Row(name, (*ratios, "1"), said[key]))
        name = f"{graph}: moved alike among the nearest 5 on the map"
        cells = (judge.mean(name, same_copy(points, len(SHIFTS), NEIGHBOURS)) for points in both)
        rows.append(Row(name, (*cells, f"{100 / len(SHIFTS):.0f} %"), said[key]))
    return tuple(rows)


def spring(distances: Float[Tensor, " pairs"], *, same: bool) -> maps.Spring:
    """What a pair costs at each of `distances`, and the force on it: above 0 it pushes apart."""
    at = distances.clone().requires_grad_()
    loss, kind = Contrastive(MARGIN), torch.tensor([same])
    costs = torch.stack([loss(one[None], kind) for one in at])
    (slope,) = torch.autograd.grad(costs.sum(), at)
    return costs.detach().numpy(), -slope.numpy()


def _draw_plain(request: Request, model: Siamese, found: Mapping[str, Points], test: Items) -> None:
    """The map with its digits, the loss, and what becomes of the map without repulsion."""
    labels = test.labels.tolist()
    title = f"{len(test):,} test pictures on a map learned without labels, from nearest pixels"
    canvas = maps.draw_with_pictures(found["plain"], labels, np.asarray(test.values), title)
    pictures.save(canvas, request.out / "digits.png")
    distances = torch.linspace(0, 1.5 * MARGIN, 301)
    springs = {
        "neighbours": spring(distances, same=True),
        "all others": spring(distances, same=False),
    }
    history = [(one["step"], one["loss"]) for one in model.training_summary["history"]]
    canvas = maps.draw_springs(distances.numpy(), springs, history, "The contrastive loss")
    pictures.save(canvas, request.out / "loss.png")
    kinds = {"plain": "with both terms", "collapsed": "without the repelling term"}
    row = [Panel(what, found[key], labels, CLASSES) for key, what in kinds.items()]
    canvas = maps.draw_panels([row], "The same digits, the same scale", share=True)
    pictures.save(canvas, request.out / "collapse.png")


def _draw_shifted(request: Request, found: Mapping[str, Points], test: Items, some: Items) -> None:
    """The maps of shifted digits side by side, coloured by shift and by digit."""
    columns = {
        **{f"DrLIM, {graph}": (found[key], test) for key, graph in GRAPHS.items()},
        "PCA": (found["shifted, PCA"], test),
        f"LLE of {len(some):,} training pictures": (locally_linear(some, request.seed), some),
    }
    names = {shift: f"{shift:+d} px" if shift else "not moved" for shift in SHIFTS}
    by_shift = [
        Panel(
            title,
            points,
            [names[shift] for shift in items.details["shift"].tolist()],
            list(names.values()),
            ordered=True,
        )
        for title, (points, items) in columns.items()
    ]
    by_digit = [
        Panel(title, points, items.labels.tolist(), CLASSES)
        for title, (points, items) in columns.items()
    ]
    title = "Digits moved sideways: coloured by shift (above) and by digit (below)"
    pictures.save(maps.draw_panels([by_shift, by_digit], title), request.out / "shifts.png")
