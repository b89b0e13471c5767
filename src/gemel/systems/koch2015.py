"""Koch, Zemel, Salakhutdinov 2015: Siamese neural networks for one-shot image recognition.

A twin of convolutions learns from pairs whether two drawings show one character. Unchanged, it then
says which of 20 characters of an alphabet never seen a drawing shows, from one reference of each:
the one with the highest probability of being the same.

The protocol
- Omniglot, 40 alphabets and 10: trained on the 30 background alphabets, 12 drawers of each
  character; 10 of the 20 evaluation alphabets, 4 drawers, choose the epoch; the 10 others, which
  are those of Lake's 20 one-shot runs (400 trials), are the test. Lake's drawers are 01 to 08, so
  the 12 of training are 09 to 20.
- Pairs of one alphabet, half of them the same, equally many of each alphabet.
- Every drawing is distorted by an affine map of its own, each component with a chance of a half.
- Convolutions, a sigmoid layer, a weighted L1 distance and a sigmoid; cross-entropy with an L2
  penalty for each layer; descent with a rate that falls by 1 % an epoch and a momentum that rises
  from 0.5; the epoch with the best one-shot accuracy on the validation alphabets is kept, and
  training stops when 20 epochs bring no better one.
- MNIST: the same network, not trained further, ten digits, one reference of each.

What is done differently, and why
- A step of the paper's layers takes about 1.4 TFLOP, two cores some ten seconds: there the
  drawings are cut to their ink and have 35 x 35 pixels, so that strokes are about as fine as in
  the whole drawing at 105 x 105; three convolutions have half of the paper's maps or fewer, and
  the embedding 512 numbers. It is also the paper's size for MNIST, whose network is not published.
  With --paper-size the paper's own layers are trained, on whole drawings of 105 x 105.
- The paper draws 150,000 pairs once, and 8 distorted copies of each. Here every batch has new pairs
  and new distortions, and an epoch is a number of batches.
- Rate, momentum and penalty of each layer came from a search and are not published: here they are
  common to all layers. The first weights are scaled by fan-in: the paper's, of standard deviation
  0.2 before sigmoids, saturate these. On two cores there are 100 epochs, and the rate falls by 2 %
  an epoch, so that it ends where the paper's 200 epochs end.
- Validation takes 1,000 trials instead of 320: they cost nothing once the drawings are embedded.

The second column is gemel's own recipe on the same split in about the same time: drawings cut to
their ink at 28 x 28, four convolution blocks, cosine, supervised contrastive loss on 64 characters
x 4, quarter turns and symbols drawn by code as further classes, ten warped views averaged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gemel import data, encoders, inputs, losses, measure, metrics, sampling, training
from gemel.data.omniglot import LakeRun
from gemel.embedded import Embedded
from gemel.encoders.koch import Filters
from gemel.evaluation import Figure, accuracy, best_threshold, figure, students_t
from gemel.inputs import input_of, read_items
from gemel.items import Items, Texts, join
from gemel.model import Siamese, load
from gemel.reports import pictures
from gemel.reports.published import Ranked, draw_bars, draw_course, draw_plate, draw_ranked
from gemel.systems.reproduction import Request, Row, Table

TEST_ALPHABETS = (
    "Atlantean",
    "Ge_ez",
    "Glagolitic",
    "Gurmukhi",
    "Kannada",
    "Malayalam",
    "Manipuri",
    "Old_Church_Slavonic_(Cyrillic)",
    "Tengwar",
    "Tibetan",
)
"""Those of Lake's runs, two runs each."""
TRAIN_DRAWERS, JUDGE_DRAWERS = range(9, 21), range(1, 5)
PAIRS = 128


@dataclass(frozen=True)
class Form:
    """How much of the paper is done.

    Attributes:
        size: pixels a side.
        trim: whether drawings are cut to their ink.
        filters: of the convolutions: maps and side.
        dim: numbers an embedding.
        epochs: of the paper's recipe, at most.
        batches: of 128 pairs an epoch.
        decay: of the rate after each epoch.
        own_steps: of gemel's recipe.
        drawn: alphabets drawn by code for it.
        views: of a drawing that gemel's recipe averages.
        seeds: how many of each recipe.
        trials: random one-shot trials, and pairs of verification.
    """

    size: int
    trim: bool
    filters: Filters
    dim: int
    epochs: int
    batches: int
    decay: float
    own_steps: int
    drawn: int
    views: int
    seeds: int
    trials: int


PAPER = Form(105, False, encoders.Koch.PAPER, 4096, 200, 1172, 0.99, 12_000, 60, 10, 3, 10_000)
TWO_CORES = Form(
    35, True, ((32, 5), (64, 4), (128, 3)), 512, 100, 60, 0.98, 2_500, 30, 10, 3, 10_000
)
QUICK = Form(35, True, ((8, 5), (8, 4), (8, 3)), 64, 2, 5, 0.98, 10, 2, 1, 1, 400)
RATE, PENALTY = 0.1, 1e-5
MOMENTUM, RAMP = (0.5, 0.9), 0.2  # from, to; the share of the epochs in which it rises
PUBLISHED = {
    "verification within the test alphabets": "93.42 %",
    "20-way one-shot, Lake's 400 trials": "92.0 %; humans 95.5; 1-NN 21.7",
    "20-way one-shot, random trials within the test alphabets": "",
    "10-way one-shot, MNIST": "70.3 %; 1-NN 26.5",
}
PUBLISHED_BARS: dict[str, Figure | float] = {
    "humans (Lake 2015)": 0.955,
    "Bayesian program learning (Lake 2015)": 0.952,
    "Koch 2015, convolutions": 0.92,
    "affine model (Lake 2013)": 0.818,
    "hierarchical deep model": 0.652,
    "deep Boltzmann machine": 0.62,
    "Koch 2015, two full layers": 0.583,
    "simple strokes": 0.352,
    "nearest pixels, as published": 0.217,
}
RECIPES = {"paper": "the paper's recipe", "gemel": "gemel's recipe"}
Figures = Mapping[str, Figure]
Recipe = Callable[[Request, str, "Form", "Split", int], Siamese]


@dataclass(frozen=True)
class Split:
    """The paper's split of Omniglot, and MNIST's test digits.

    Attributes:
        train: 30 alphabets, 12 drawers.
        validation: 10 alphabets, 4 drawers.
        test: 10 alphabets, all drawers.
        runs: Lake's.
        digits: of MNIST.
    """

    train: Items
    validation: Items
    test: Items
    runs: tuple[LakeRun, ...]
    digits: Items


def reproduce(request: Request) -> Table:
    """Both recipes over several seeds, measured on the paper's tests; models and pictures."""
    form = QUICK if request.quick else PAPER if request.paper_size else TWO_CORES
    split = few_of(read(request)) if request.quick else read(request)
    recipes: dict[str, Recipe] = {"paper": paper_recipe, "gemel": gemel_recipe}
    seeds = range(request.seed, request.seed + form.seeds)
    found: dict[str, list[Figures]] = {name: [] for name in recipes}
    for seed in seeds:
        for name, recipe in recipes.items():
            model = recipe(request, f"{name}-{seed}", form, split, seed)
            found[name].append(figures(model, split, form))
            for one in found[name][-1].values():
                request.say(f"  {name}-{seed}: {one}")
    means: dict[str, Figures] = {
        RECIPES[name]: {test: over_seeds(test, [one[test] for one in each]) for test in PUBLISHED}
        for name, each in found.items()
    }
    means["nearest pixels"] = figures(nearest_pixels(), split, form)
    draw(request.out, load(request.out / f"paper-{request.seed}.gemel"), split, means)
    return table(means, form)


def read(request: Request) -> Split:
    """The paper's split, of which nothing that is tested is trained on or chooses anything."""
    folder = request.folder("omniglot")
    background = data.omniglot(folder, part="background")
    evaluation = data.omniglot(folder, part="evaluation")
    tested = np.isin(alphabets_of(evaluation), TEST_ALPHABETS)
    return Split(
        train=_by(background, TRAIN_DRAWERS, "background, drawers 09-20"),
        validation=_by(evaluation.take(~tested), JUDGE_DRAWERS, "validation alphabets"),
        test=evaluation.take(tested, "test alphabets"),
        runs=data.lake_runs(folder),
        digits=data.mnist(request.folder("mnist"), part="test"),
    )


def few_of(split: Split) -> Split:
    """Little of each part, for the quick form."""

    def first(items: Items, alphabets: int, drawers: int) -> Items:
        few = np.unique(alphabets_of(items))[:alphabets]
        by = np.unique(items.details["drawer"])[:drawers]
        kept = np.isin(alphabets_of(items), few) & np.isin(items.details["drawer"], by)
        return items.take(kept, items.name)

    return Split(
        train=first(split.train, 6, 4),
        validation=first(split.validation, 6, 4),
        test=first(split.test, 10, 4),
        runs=split.runs,
        digits=split.digits.take(np.arange(0, len(split.digits), 50), split.digits.name),
    )


def alphabets_of(items: Items) -> Texts:
    """[N] the alphabet of each drawing."""
    return np.array(items.class_groups)[items.class_ids]


def _by(items: Items, drawers: range, name: str) -> Items:
    return items.take(np.isin(items.details["drawer"], list(drawers)), name)


def paper_recipe(request: Request, name: str, form: Form, split: Split, seed: int) -> Siamese:
    """The paper's network, loss, distortions and schedule."""

    def make() -> Siamese:
        return Siamese(
            inputs.Images(form.size, channels=1, light_on_dark=True, trim=form.trim),
            encoders.Koch(form.dim, filters=form.filters),
            metrics.WeightedL1(),
            seed=seed,
        )

    model = make()
    layers: dict[nn.Module | nn.Parameter, float] = {model.encoder: PENALTY, model.metric: PENALTY}
    return request.trained(
        name,
        lambda: model,
        split.train,
        loss=losses.LayerDecay(losses.PairCrossEntropy(), layers),
        sampler=lambda train: sampling.GroupPairs(
            train, pairs=PAIRS, epoch=form.batches, seed=seed
        ),
        augment=inputs.Affine.koch(),
        descent=training.MomentumSGD(
            rate=RATE, decay=form.decay, momentum=MOMENTUM, ramp=form.epochs * RAMP
        ),
        validation=split.validation,
        validations=form.epochs,
        patience=20,
        steps=form.epochs * form.batches,
        seed=seed,
        calibrate_on=split.validation,
    )


def gemel_recipe(request: Request, name: str, form: Form, split: Split, seed: int) -> Siamese:
    """What gemel does best with the same drawings in about the same time."""
    drawn = data.drawn(alphabets=form.drawn, seed=1000, size=42)
    train = join([data.quarter_turns(split.train), data.quarter_turns(drawn)], "training and drawn")
    return request.trained(
        name,
        lambda: Siamese(
            inputs.Images(28, channels=1, light_on_dark=True, trim=True),
            encoders.Conv(width=64, dim=128),
            metrics.Cosine(),
            seed=seed,
            views=form.views,
        ),
        train,
        loss=losses.SupervisedContrastive(temperature=0.1),
        sampler=lambda items: sampling.ClassesByItems(
            items, classes=64, per_class=4, groups=4, seed=seed
        ),
        augment=inputs.Warp(),
        rate=3e-3,
        validation=None,
        steps=form.own_steps,
        seed=seed,
        calibrate_on=split.validation,
    )


def nearest_pixels() -> Siamese:
    """No training: the cosine of the pixels themselves."""
    return Siamese(
        inputs.Images(28, channels=1, light_on_dark=True), nn.Flatten(), metrics.Cosine()
    )


def figures(model: Siamese, split: Split, form: Form) -> Figures:
    """What a model reaches on each test, by the test's name in `PUBLISHED`."""
    return dict(
        zip(
            PUBLISHED,
            (
                verify(model, split, form.trials),
                measure.lake(model, split.runs),
                measure.one_shot(model, split.test, trials=form.trials, within_groups=True, seed=1),
                measure.one_shot(model, split.digits, ways=10, trials=form.trials, seed=1),
            ),
            strict=True,
        )
    )


def verify(model: Siamese, split: Split, count: int) -> Figure:
    """The share of pairs, drawn as in training, that are judged right.

    The threshold is the best one for as many pairs of the validation alphabets.
    """

    def judged(items: Items) -> tuple[NDArray[np.float32], sampling.PairBatch]:
        batch = sampling.GroupPairs(items, pairs=count, seed=0).batch(0)
        embedded = Embedded(model, read_items(model.input, items)[1])
        return embedded.distances(batch.left, batch.right), batch

    distance, batch = judged(split.validation)
    threshold = best_threshold(distance, batch.same)
    test = _by(split.test, JUDGE_DRAWERS, "test alphabets, drawers 01-04")
    distance, batch = judged(test)
    return accuracy(
        ((distance <= threshold) == batch.same).astype(np.float64),
        name="verification accuracy",
        clusters=alphabets_of(test)[batch.left],
        cluster_unit="alphabets",
        split=test.name,
        seed=0,
    )


def table(means: Mapping[str, Figures], form: Form) -> Table:
    """The mean over seeds of each recipe, beside nearest pixels and what was published."""
    rows = tuple(
        Row(test, tuple(one[test] for one in means.values()), published)
        for test, published in PUBLISHED.items()
    )
    cut = " cut to their ink" if form.trim else ""
    over = f"over {form.seeds} seeds" if form.seeds > 1 else "those of one seed's trials"
    note = (
        f"The paper's recipe: drawings of {form.size} x {form.size} pixels{cut}, convolutions of "
        f"{' and '.join(str(maps) for maps, _ in form.filters)} maps, {form.dim:,} numbers. "
        f"gemel's: 28 x 28 pixels cut to their ink. Intervals of the recipes are {over}, those of "
        "nearest pixels over runs, alphabets or trials; 400 trials alone carry about 2.7 points. "
        "The models' thresholds come from the validation alphabets, which also chose the epoch."
    )
    return Table(tuple(means), rows, (note,))


def over_seeds(name: str, values: Sequence[Figure]) -> Figure:
    """The mean of one figure over seeds, with Student's interval; of one seed its own."""
    if len(values) == 1:
        return values[0]
    shares = [one.value for one in values]
    first = values[0]
    return figure(
        name,
        float(np.mean(shares)),
        students_t(shares, unit="seeds"),
        count=len(values),
        unit="seeds",
        split=first.split,
        seed=first.seed,
    )


def draw(out: Path, model: Siamese, split: Split, means: Mapping[str, Figures]) -> None:
    """The table as bars, trials as cards, what was distorted, the filters, and the course."""
    lake = "20-way one-shot, Lake's 400 trials"
    bars: dict[str, Figure | float] = {
        f"{name}, here": figures[lake] for name, figures in means.items()
    }
    pictures.save(
        draw_bars(PUBLISHED_BARS | bars, list(bars), "20-way one-shot on Omniglot"),
        out / "one_shot.png",
    )
    trials = [card for run in split.runs for card in ranked(model, run)]
    wrong = [card for card in trials if not card.right]
    cards = [card for card in trials if card.right][::80] + wrong[:4]
    pictures.save(
        draw_ranked(cards, f"Which of 20, and how probable; {len(wrong)} of 400 trials failed"),
        out / "trials.png",
    )
    few = read_items(model.input, split.train.take(np.arange(0, 240, 24)))[1]
    batch = input_of(model.input, "left").tensor(few.of("left").batch(np.arange(10)))
    plate = {"as drawn": list(batch[:, 0].numpy())}
    for turn in range(3):
        distorted = inputs.Affine.koch()(batch, torch.Generator().manual_seed(turn))
        plate[f"distorted {turn + 1}"] = list(distorted[:, 0].numpy())
    pictures.save(
        draw_plate(plate, "Each drawing is distorted anew whenever training sees it"),
        out / "distortions.png",
    )
    weights = next(model.encoder.parameters()).detach()[:, 0].numpy()
    filters = {
        f"{start + 1} to {start + len(weights[start : start + 16])}": list(
            weights[start : start + 16]
        )
        for start in range(0, len(weights), 16)
    }
    pictures.save(draw_plate(filters, "Filters of the first layer"), out / "filters.png")
    course = draw_course(model.training_summary["history"], "The paper's recipe, first seed")
    pictures.save(course, out / "course.png")


def ranked(model: Siamese, run: LakeRun) -> list[Ranked]:
    """Lake's trials of a run, with the probability of each candidate."""
    queries, references = (model.embed(list(part)) for part in (run.queries, run.references))
    logits = -model.distances(queries, references)
    scores = torch.sigmoid(logits.double())  # in float32 high ones would be rounded to 1 and tie
    ink = [255 - each for each in run.references]
    return [
        Ranked(255 - query, ink, chances.tolist(), int(answer))
        for query, chances, answer in zip(run.queries, scores, run.answers, strict=True)
    ]
