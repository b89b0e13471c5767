"""`gemel demo`: learn from symbols drawn by code, recognise symbols and handwriting never seen."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import nn

from gemel import data, encoders, inputs, measure, metrics, trials
from gemel.embedded import Embedded
from gemel.evaluation import Episodes, Figure, roc, verification
from gemel.inputs import read_items
from gemel.items import Items
from gemel.model import Siamese
from gemel.reports import pictures
from gemel.training import fit

SIZE, DRAWN = 28, 42  # pixels a side of the network's input, and of a drawing before it is cut
VIEWS = 4
MODEL, PICTURE, ROC, MAP = "demo.gemel", "episodes.png", "roc.png", "map.png"
Say = Callable[[str], object]


def run(
    out: Path,
    *,
    omniglot: Path | None = None,
    minutes: float = 1.5,
    seed: int = 0,
    say: Say = print,
) -> dict[str, tuple[Figure, Figure]]:
    """Train, test beside nearest pixels, draw the pictures, leave the model in the folder `out`.

    Args:
        out: a folder; made if need be.
        omniglot: a folder with Omniglot's zips; None looks in the usual places.
        minutes: how long to train.
        seed: of every random draw.
        say: gets each line to show.

    Returns:
        For each test its name, and the figures of the trained model and of nearest pixels.
    """
    out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    folder = omniglot if omniglot is not None else find_omniglot()
    runs = None if folder is None else data.lake_runs(folder)  # a wrong folder is told at once
    say("drawing made-up alphabets ...")
    train = data.drawn(alphabets=60, seed=2 * seed, size=DRAWN, name="drawn")
    say(f"  {len(train):,} drawings of {len(train.classes):,} symbols, by code; no download")
    model = new_model(seed)
    say(f"training a Siamese network for {minutes:g} minutes ...")
    done = fit(
        model,
        train,
        augment=inputs.Chain([inputs.Warp(), inputs.Blur()]),
        minutes=minutes,
        validation=0.04,  # for the threshold; a larger part, or more often, would eat the minutes
        validations=2,
        seed=seed,
        progress=True,
        patience=None,
        out=out / MODEL,
    )
    say(f"  {done.steps} steps; now tested on what it never saw:")
    tests = unseen_tests(seed)
    plain = inputs.Images(SIZE, channels=1, light_on_dark=True)
    pixels = Siamese(plain, nn.Flatten(), metrics.Cosine())
    table: dict[str, tuple[Figure, Figure]] = {}
    for name, items in tests.items():
        table[name] = (_one_shot(model, items, seed), _one_shot(pixels, items, seed))
    if runs is not None:
        table["Omniglot, Lake's 400 trials"] = (
            measure.lake(model, runs),
            measure.lake(pixels, runs),
        )
    say(_as_table(table))
    if runs is None:
        say("  (Omniglot was not found: --omniglot FOLDER adds Lake's published trials)")
    _draw(model, tests, out, seed)
    say(f"done in {time.monotonic() - begun:.0f} s. {out}/ holds the model and three pictures.")
    say(_closing(out))
    return table


def new_model(seed: int) -> Siamese:
    """The demo's network, untrained: four convolution blocks on 28 x 28 pixels."""
    return Siamese(
        inputs.Images(SIZE, channels=1, light_on_dark=True, trim=True),
        encoders.Conv(width=64, dim=128),
        metrics.Cosine(),
        seed=seed,
        views=VIEWS,
    )


def unseen_tests(seed: int) -> dict[str, Items]:
    """What the demo is tested on; nothing of it was trained on."""
    return {
        "unseen drawn symbols, 20-way": data.drawn(
            alphabets=12, seed=2 * seed + 1, size=DRAWN, name="drawn/unseen"
        ),
        "real handwritten digits, 10-way": data.digits(),
    }


def find_omniglot() -> Path | None:
    """A folder with Lake's runs: under GEMEL_DATA, or data/omniglot here; None if absent."""
    places = [Path("data/omniglot"), Path("omniglot")]
    if root := os.environ.get("GEMEL_DATA"):
        places.insert(0, Path(root) / "omniglot")
    return next((place for place in places if (place / "all_runs.zip").is_file()), None)


def _one_shot(model: Siamese, items: Items, seed: int) -> Figure:
    return measure.one_shot(model, items, trials=1000, seed=seed)


def _as_table(table: dict[str, tuple[Figure, Figure]]) -> str:
    lines = [f"  {'one-shot: right in':<34}{'gemel':>24}{'nearest pixels':>26}"]
    for name, figures in table.items():
        cells = [f"{100 * figure.value:.1f} % {figure.range}" for figure in figures]
        count = figures[0].count
        lines.append(f"  {name:<34}{cells[0]:>24}{cells[1]:>26}   ({count:,} trials)")
    return "\n".join(lines)


def _closing(out: Path) -> str:
    model = out / MODEL
    return "\n".join(
        [
            f"  look:      {out / PICTURE}, {out / ROC}, {out / MAP}",
            f"  measure:   gemel evaluate {model} digits",
            f"  compare:   gemel compare {model} one.png another.png",
            "  your own:  gemel train FOLDER --out mine.gemel   (a subfolder per class)",
        ]
    )


def _draw(model: Siamese, tests: dict[str, Items], out: Path, seed: int) -> None:
    shown, curves = [], {}
    seen = {
        name: Embedded(model, read_items(model.input, items)[1]) for name, items in tests.items()
    }
    for name, items in tests.items():
        shown.append(_episode(seen[name], items, name.split(",")[0], seed))
        left, right, same = trials.item_pairs(items, seed=seed)
        distance = seen[name].distances(left, right)
        judged = verification(
            distance,
            same,
            left_identity=items.class_ids[left],
            right_identity=items.class_ids[right],
            split=items.name,
            seed=seed,
            draws=200,
        )
        curves[name.split(",")[0]] = (roc(distance, same), judged.auc)
    title = "From one reference each (top row): what is this?"
    pictures.save(pictures.draw_episodes(shown, title), out / PICTURE)
    pictures.save(pictures.draw_roc(curves, "Are these two the same? Unseen classes"), out / ROC)
    digits = "real handwritten digits, 10-way"
    points = flat_map(seen[digits].vectors(), seed)
    title = "Real digits as the network sees them; none was trained on"
    pictures.save(pictures.draw_map(points, tests[digits].labels.tolist(), title), out / MAP)


def _episode(embedded: Embedded, items: Items, title: str, seed: int) -> pictures.Episode:
    """One support set, asked twice for each way, as a picture."""
    ways, queries = 10, 20
    drawn: Episodes = trials.draw_item_episodes(
        items,
        ways=ways,
        shots=1,
        trials=queries,
        queries=2,
        within_groups=True,
        seed=seed,
    )
    support, asked = drawn.support[0, :, 0], drawn.query
    distances = embedded.to_some(asked, support)  # [queries, ways]

    plain = inputs.Images(DRAWN, channels=1, light_on_dark=True)

    def ink(item: int) -> pictures.Picture:
        return np.asarray(plain.read(items.values[item])[0], dtype=np.uint8)

    return pictures.Episode(
        title=title,
        references=[ink(int(item)) for item in support],
        queries=[ink(int(item)) for item in asked],
        answers=distances.argmin(1).tolist(),
        truths=drawn.answer.tolist(),
        names=[] if items.groups is not None else items.labels[support].tolist(),
    )


def flat_map(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Embeddings [N, D] in two dimensions [N, 2], neighbours kept together (t-SNE, cosine)."""
    from sklearn.manifold import TSNE

    tsne = TSNE(metric="cosine", init="random", random_state=seed, perplexity=30, max_iter=500)
    points: np.ndarray = tsne.fit_transform(vectors)
    return points
