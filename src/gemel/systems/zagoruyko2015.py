"""Zagoruyko, Komodakis 2015: comparing image patches with convolutional networks.

CVPR 2015. Do two patches of 64 x 64 pixels show the same place? The paper asks where the two
should meet: at the input, as two channels of one picture (2ch); after two equal branches (siam) or
two different ones (pseudo-siam); each also with a second stream that sees the centre at full size
while the first sees the whole at half size (2stream), with many small filters (deep), or with
spatial pyramid pooling, which takes patches of any size (SPP). The branches alone, compared by the
Euclidean distance of their unit vectors, are the variants called l2.

The paper's protocol:
- Layers, maps and decision networks as in `encoders.Zagoruyko`, ReLU, no padding, no
  normalisation; each patch loses its own mean.
- The hinge max(0, 1 - y o) of the score o, y = 1 of a same pair and -1 of a different one, and
  weight decay; half of a batch of 128 pairs is the same.
- Both patches of a pair are mirrored or turned by quarters alike, and the two exchanged.
- FPR95: the share of different pairs accepted where 95 % of the same ones are.

What is done differently, and why:
- Brown's patches (`data.brown_pairs` reads them) are not at hand. Patches are cut from the pairs
  of pictures of SymBench and Oxford, whose homographies are known: keypoints of SIFT's detector in
  all pictures of a scene (the strongest in turns, none twice at one place), frames of 18 times a
  keypoint's size a side (SIFT's own window has 6), at least 16 pixels, in its direction, carried
  over by the homography. Test patches are cut twice: through the true affine frame; and as a
  detector finds them: of the true frame only place, area and turn, missed by normal errors of 5 %
  of half a side, 10 % in scale, 6 degrees. Half of the different pairs are from anywhere in the
  two pictures, half are near: one to three sides apart, not twice as large. Test patches of which
  more than 5 % is white are left out: SymBench's pictures are white where they do not reach.
  How patches are cut decides more than what compares them: the table has both ways, and in
  SIFT's own window, a ninth of the area, RootSIFT is wrong on graf several times as often.
- Scenes, not points, are held out: two folds, each tested by networks that saw none of its scenes
  nor another picture of what they show (graf and SymBench's graffiti are one mural). Settings were
  chosen on boat, riga, arch, trevi02, leuven and townsquare, which are never tested; boat, riga and
  arch are not trained on, either, and give the threshold. bikes and graffiti are not tested, since
  RootSIFT makes next to no mistake there, which favours what is compared with it. Eight of the ten
  tested scenes are registered, so that the true frame is the same crop of both pictures.
- A form for two cores: a quarter of the paper's maps and hidden numbers, and one to six minutes of
  training where the paper has days. That needs help: batch normalisation without weights in the
  convolutions; patches of mean 0 and standard deviation 1, where the paper takes the mean alone, a
  different protocol; AdamW with a falling rate for averaged SGD; training patches cut twice, one of
  them jittered (of the picture that a keypoint was found in both are the same); and, for twins a
  little and for descriptors much, tones changed for each patch by itself. `encoders.Zagoruyko` has
  the paper's own sizes, and tests count their weights.
- Twins and pseudo-twins learn by the same hinge from all pairs of a batch, 128 x 128, since their
  branches run once for each patch (`losses.AllPairsHinge`); joint comparers run for each pair, and
  have 128 of them in a batch. All pairs hold some of places that overlap, as different ones, which
  tests and joint comparers do without. So the comparison of the two kinds is not an even one.
- A pseudo-twin's branches start as copies of the trained twin's: with first weights of their own
  nothing but the decision network makes them agree, and the branches alone are worth nothing.
- siam-2stream has a ReLU after its last convolution, too, as siam has and the authors' code has
  not: on the scenes set aside it is the better for it (from 52.7 to 48.4 % after 900 steps, tried
  once), and its branches alone are much the better (from 61.0 to 55.5 %).
- The branches alone (l2) are those of the trained twins.
- HardNet (Mishchuk and others 2017) on the same patches: its triplets of the hardest in a batch,
  and its margin, of a trunk with half the maps that halves its pictures in the first convolution.
  gemel's descriptor is the same network with the supervised contrastive loss in its place; that
  of the first fold is kept as the model to use, descriptor.gemel.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import nn

from gemel import data, encoders, inputs, losses, metrics, mining, sampling
from gemel.data.scenes import Scene
from gemel.encoders import Joint, Sides, Zagoruyko
from gemel.encoders.zagoruyko import Layers
from gemel.evaluation import Figure
from gemel.items import Items, Pairs
from gemel.model import Siamese
from gemel.reports import pictures
from gemel.systems._patch_pictures import draw
from gemel.systems._patch_trials import (
    BASELINES,
    CUTS,
    FOLDS,
    FOUND,
    NCC,
    ROOT_SIFT,
    SETS,
    SIZE,
    TRUE,
    VALIDATION,
    Results,
    Trials,
    as_descriptor,
    distances_of,
    group_of,
    trained_on,
    training_items,
)
from gemel.systems.reproduction import Request, Row, Table
from gemel.training import AdamW

SHARE = 0.25
"""Of the paper's maps and hidden numbers."""
HARD, OWN, TWIN, JOINT = "hardnet", "gemel's descriptor", "twin", "joint comparer"
SIAM, UNTIED, TWO_STREAMS = "siam", "pseudo-siam", "siam-2stream"
STEPS = {TWIN: 1800, JOINT: 1800, HARD: 400, OWN: 400}
QUICK_STEPS = dict.fromkeys(STEPS, 4) | {OWN: 20}
PAIRS, PLACES = 128, 256
"""Pairs, and places of two patches, in a batch."""
RATE = 3e-3
BEST_OF_PAPER, WORST_OF_PAPER = "2ch-2stream", "siam-l2"
FALSE_ACCEPTS, QUICK_FALSE_ACCEPTS = 0.01, 0.1
"""The share of different pairs that the thresholds accept."""
TONES = inputs.Tones(gamma=0.7, shade=0.5, invert=0.15, soft=0.8, noise=0.03)
FEW_TONES = inputs.Tones(gamma=0.5, invert=0.05, noise=0.02)
"""For descriptors, and for twins and pseudo-twins, which learn more slowly; joint comparers, the
slowest, get the paper's augmentation alone."""
TWIN_SPP: Layers = ((96, 7, 3, 2), (192, 5, 1, 1), (256, 3, 1, 1))
OTHER_SIZE = 96
"""Pixels a side of the patches that only spatial pyramid pooling takes as they are."""
DESCRIPTORS: dict[str, Callable[[], losses.LabelLoss]] = {
    HARD: lambda: losses.Triplet(metrics.Euclidean(), margin=1.0, mining=mining.hard),
    OWN: lambda: losses.SupervisedContrastive(0.1),
}
"""Their losses; the trunk and the patches are the same."""
SHOWN = ("graf", "bdom")
PUBLISHED = {
    "2ch-2stream": 4.19,
    "2ch-deep": 4.27,
    "2ch": 5.63,
    "siam-2stream": 7.63,
    "pseudo-siam": 9.62,
    "siam-2stream-l2": 9.67,
    "siam": 10.07,
    "siam-l2": 13.45,
    "pseudo-siam-l2": 13.99,
}
"""Means of the six FPR95 of the paper's table, %; remembered and not looked up in the paper."""


def slim(layers: Layers, share: float) -> Layers:
    """The same layers with a share of their maps."""
    return tuple((max(1, round(maps * share)), *rest) for maps, *rest in layers)  # type: ignore[misc]


@dataclass(frozen=True)
class Sizes:
    """Of the networks.

    Attributes:
        share: of the paper's maps.
    """

    share: float

    def of(self, numbers: int) -> int:
        """So many numbers of the paper's."""
        return max(1, round(numbers * self.share))

    def trunk(self, layers: Layers = Zagoruyko.SIAM, *hidden: int, **settings: Any) -> Zagoruyko:
        """A stack of convolutions, with linear layers if there are any; the last 1 stays 1."""
        lengths = [one if one == 1 else self.of(one) for one in hidden]
        made = {"normalised": True, "standardise": True} | settings
        return Zagoruyko(slim(layers, self.share), lengths, **made)

    def decision(self, width: int = 512, **settings: Any) -> metrics.Decision:
        """The network that compares two embeddings."""
        return metrics.Decision((self.of(width),), **settings)

    def variants(
        self, found: Mapping[str, Siamese]
    ) -> dict[str, Callable[[], tuple[nn.Module, metrics.Metric | None]]]:
        """The comparers that are trained, in order: encoder and metric, by name.

        Args:
            found: what is trained already; a pseudo-twin starts as copies of the twin.
        """
        trunk, decision = self.trunk, self.decision
        return {
            SIAM: lambda: (trunk(), decision()),
            UNTIED: lambda: (
                Sides(deepcopy(found[SIAM].encoder), deepcopy(found[SIAM].encoder)),
                decision(both_orders=False),
            ),
            TWO_STREAMS: lambda: (trunk(Zagoruyko.TWIN_STREAM, streams=True), decision(1024)),
            "siam-SPP": lambda: (trunk(TWIN_SPP, 256, pyramid=(1, 2, 4)), decision()),
            "2ch": lambda: (Joint(trunk(Zagoruyko.SIAM, 256, 1)), None),
            "2ch-deep": lambda: (Joint(trunk(Zagoruyko.DEEP, 1, ceil=True)), None),
            "2ch-2stream": lambda: (Joint(trunk(Zagoruyko.STREAM, 768, 1, streams=True)), None),
        }


@dataclass(frozen=True)
class Plan:
    """How much is done.

    Attributes:
        folds: the scenes that each fold tests.
        places: of each scene, at most: for training, for tests.
        steps: of each kind of training.
        sizes: of the networks.
        width: of the descriptors' first maps.
        false_accepts: the share of different pairs that the thresholds accept.
        only: the scenes that are read; none: all.
        pictures: of each scene, at most; None: all.
    """

    folds: tuple[tuple[str, ...], ...]
    places: tuple[int, int]
    steps: Mapping[str, int]
    sizes: Sizes
    width: int
    false_accepts: float
    only: tuple[str, ...] = ()
    pictures: int | None = None

    @classmethod
    def of(cls, request: Request) -> "Plan":
        """The full form, or the quick one."""
        if request.quick:
            few = ("graf", "bdom", "metz", "portcullis", "boat")
            return cls(
                folds=(("graf", "bdom"),),
                places=(60, 60),
                steps=QUICK_STEPS,
                sizes=Sizes(0.1),
                width=4,
                false_accepts=QUICK_FALSE_ACCEPTS,
                only=few,
                pictures=3,
            )
        return cls(FOLDS, (500, 400), STEPS, Sizes(SHARE), 16, FALSE_ACCEPTS)


def reproduce(request: Request) -> Table:
    """Train every comparer in every fold, judge them on unseen scenes, draw the pictures."""
    plan = Plan.of(request)
    scenes = {
        scene.name: scene.of_first(plan.pictures)
        for folder in SETS
        for scene in data.scenes(request.folder(folder))
        if scene.name in plan.only or not plan.only
    }
    results = Results({}, {}, request.seed)
    first: dict[str, Siamese] = {}
    for number, tested in enumerate(plan.folds):
        for cut, cutting in CUTS.items():
            for scene in tested:
                results.trials[cut, scene] = Trials.of(
                    scenes[scene], cutting, plan.places[1], request.seed
                )
        train = training_items(
            trained_on(scenes, tested),
            most=plan.places[0],
            seed=request.seed,
        )
        held = [scenes[name] for name in VALIDATION if name in scenes]
        models = trained(request, plan, train, validation(held, plan, request.seed), number)
        judges = {name: distances_of(model) for name, model in models.items()}
        for name, judge in (BASELINES | judges).items():
            for cut in CUTS:
                results.judge(name, judge, cut, tested)
        first = first or models
    other = another_size(first["siam-SPP"], [scenes[name] for name in plan.folds[0]], plan, request)
    shown = draw(first, results, plan.folds[0], (OWN, BEST_OF_PAPER), PUBLISHED)
    for name, canvas in shown.items():
        pictures.save(canvas, request.out / f"{name}.png")
    return table(results, plan, other)


def validation(held: list[Scene], plan: Plan, seed: int) -> Pairs:
    """Pairs of the scenes that are neither trained on nor tested."""
    items = data.correspondences(held, cutting=FOUND, most=plan.places[1], seed=seed)
    return data.patch_pairs(items, seed=seed, name="validation scenes")


def trained(
    request: Request, plan: Plan, train: Items, held: Pairs, fold: int
) -> dict[str, Siamese]:
    """Every comparer of a fold, and the descriptors among their branches."""
    found: dict[str, Siamese] = {}
    for name, loss in DESCRIPTORS.items():
        kept = name == OWN and fold == 0
        stem = "descriptor" if name == OWN else name
        found[name] = request.trained(
            stem if kept else f"{stem}-{fold + 1}",
            lambda: Siamese(
                inputs.Images(SIZE // 2),
                encoders.L2Net(plan.width, stem_stride=2),
                metrics.Euclidean(),
                seed=request.seed,
                block=256,
            ),
            train,
            calibrate_on=held if kept else None,
            false_accepts=plan.false_accepts,
            loss=loss(),
            sampler=partial(
                sampling.ClassesByItems, classes=PLACES, per_class=2, seed=request.seed
            ),
            augment=TONES,
            validation=None,
            steps=plan.steps[name],
            descent=AdamW(rate=RATE),
            seed=request.seed,
        )
    pairs = data.patch_pairs(train, per_place=2, seed=request.seed, name="training scenes")
    for name, parts in plan.sizes.variants(found).items():
        encoder, metric = parts()
        found[name] = request.trained(
            f"{name}-{fold + 1}",
            partial(made, encoder, metric, request.seed),
            pairs if metric is None else train,
            validation=None,
            steps=plan.steps[JOINT if metric is None else TWIN],
            descent=AdamW(rate=RATE),
            seed=request.seed,
            **hinge(metric, request.seed),
        )
    for name in (SIAM, TWO_STREAMS, UNTIED):
        found[f"{name}-l2"] = as_descriptor(found[name])
    return found


def made(encoder: nn.Module, metric: metrics.Metric | None, seed: int) -> Siamese:
    """An untrained comparer of patches of 64 x 64."""
    return Siamese(inputs.Images(SIZE), encoder, metric, seed=seed, block=256)


def hinge(metric: metrics.Metric | None, seed: int) -> dict[str, Any]:
    """How a comparer is trained: on drawn pairs if it is joint, else on all pairs of a batch."""
    if metric is None:
        return {
            "augment": inputs.Alike(inputs.Turns()),
            "loss": losses.PairHinge(0.0, margin=1.0),
            "sampler": partial(sampling.BalancedPairs, pairs=PAIRS, seed=seed),
        }
    return {
        "augment": inputs.Alike(inputs.Turns(), each=FEW_TONES),
        "loss": losses.AllPairsHinge(metric),
        "sampler": partial(sampling.ClassesByItems, classes=PAIRS, per_class=2, seed=seed),
    }


def another_size(model: Siamese, scenes: list[Scene], plan: Plan, request: Request) -> Figure:
    """FPR95 of the same weights on patches of 96 x 96, which only a pyramid takes as they are."""
    larger = Siamese(inputs.Images(OTHER_SIZE), model.encoder, model.metric, block=128)
    cutting = replace(TRUE, size=OTHER_SIZE)
    results = Results({}, {}, request.seed)
    for scene in scenes:
        results.trials["true frames", scene.name] = Trials.of(
            scene, cutting, plan.places[1], request.seed
        )
    results.judge("larger", distances_of(larger), "true frames", results.scenes)
    return results.mean("larger", "true frames")


def table(results: Results, plan: Plan, other: Figure) -> Table:
    """FPR95 of each comparer, the best of the paper first, beside NCC, RootSIFT and HardNet."""
    true, found = CUTS
    names = [*PUBLISHED, "siam-SPP", *DESCRIPTORS, *BASELINES]
    rows = [
        Row(
            name,
            (
                results.mean(name, true),
                results.mean(name, found),
                *(results.figure(name, true, scene) for scene in SHOWN),
                *(
                    "" if name == base else results.less(name, base, true)
                    for base in (NCC, ROOT_SIFT, BEST_OF_PAPER, WORST_OF_PAPER)
                ),
            ),
            f"{PUBLISHED[name]} %" if name in PUBLISHED else "",
        )
        for name in names
    ]
    trained_names = [*PUBLISHED, "siam-SPP"]
    return Table(
        (
            "mean, true frames",
            "mean, as detectors find",
            *SHOWN,
            "less NCC's",
            "less RootSIFT's",
            f"less {BEST_OF_PAPER}'s",
            f"less {WORST_OF_PAPER}'s",
        ),
        tuple(rows),
        (
            "All figures are FPR95: the share of different pairs accepted where 95 % of the same "
            "ones are. Columns but the second: patches cut through the true affine frame; the "
            "second: as a detector finds them (see the docstring of the system).",
            f"Means are over {len(results.scenes)} unseen scenes of {len(plan.folds)} folds: "
            f"{folds_in_words(plan.folds)}; intervals of means and differences are over the "
            f"{len({group_of(scene) for scene in results.scenes})} groups of scenes, those of "
            "graf and bdom over places. Negative differences: better than the other.",
            f"Better than NCC on the mean with an interval below 0: "
            f"{below(results, trained_names, NCC, true)}.",
            order_in_words(results, true),
            f"By scene, {OWN} and RootSIFT, true frames: {by_scene(results, true)}.",
            f"siam-SPP on patches of {OTHER_SIZE} x {OTHER_SIZE}, the scenes of the first fold: "
            f"{other.short}.",
            f"Networks have {plan.sizes.share:g} of the paper's maps. Steps: joint comparers "
            f"{plan.steps[JOINT]:,} of {PAIRS} pairs, twins and pseudo-twins "
            f"{plan.steps[TWIN]:,} of all pairs of {PAIRS} places, {HARD} {plan.steps[HARD]:,} and "
            f"{OWN} {plan.steps[OWN]:,} of {PLACES} places. Published: means of six tests on "
            "Brown's patches, remembered and not looked up in the paper.",
        ),
    )


def folds_in_words(folds: tuple[tuple[str, ...], ...]) -> str:
    """The scenes of each fold."""
    return "; ".join(", ".join(fold) for fold in folds)


def below(results: Results, names: list[str], other: str, cut: str) -> str:
    """Which of `names` are below `other` with all of the interval, and which are not."""
    sure = [name for name in names if results.less(name, other, cut).high < 0]
    rest = [name for name in names if name not in sure]
    return f"{len(sure)} of {len(names)}" + (f", not {', '.join(rest)}" if rest else "")


def order_in_words(results: Results, cut: str) -> str:
    """Whether the paper's best and worst are so here."""
    order = sorted(PUBLISHED, key=lambda name: results.mean(name, cut).value)
    worse = [
        name
        for name in PUBLISHED
        if name != BEST_OF_PAPER and results.less(name, BEST_OF_PAPER, cut).low > 0
    ]
    better = [
        name
        for name in PUBLISHED
        if name != WORST_OF_PAPER and results.less(name, WORST_OF_PAPER, cut).high < 0
    ]
    return (
        f"Order here, best first: {', '.join(order)}. Of the paper's order {BEST_OF_PAPER} is "
        f"below {len(worse)} of the {len(PUBLISHED) - 1} others with all of the interval "
        f"({', '.join(worse) or 'none'}), and {WORST_OF_PAPER} above {len(better)} "
        f"({', '.join(better) or 'none'})."
    )


def by_scene(results: Results, cut: str) -> str:
    """FPR95 of gemel's descriptor and of RootSIFT, scene by scene, in per cent."""
    return ", ".join(
        f"{scene} {100 * results.rate(OWN, cut, scene):.1f} and "
        f"{100 * results.rate(ROOT_SIFT, cut, scene):.1f}"
        for scene in results.scenes
    )
