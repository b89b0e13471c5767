"""`gemel demo`: learn from symbols drawn by code, recognise symbols and handwriting never seen."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import nn

from gemel import data, encoders, inputs, measure, metrics, trials
from gemel.calibrating import calibrate
from gemel.embedded import Embedded
from gemel.errors import GemelError, MissingExtraError
from gemel.evaluation import Episodes, Figure, roc, verification
from gemel.evaluation.false_accepts import percent
from gemel.gallery import Gallery
from gemel.inputs import read_items
from gemel.items import Items
from gemel.model import Siamese
from gemel.reports import pictures
from gemel.training import fit

SIZE, DRAWN = 28, 42  # pixels a side of the network's input, and of a drawing before it is cut
VIEWS = 4
FEW_STEPS = 150  # two cores take about 270 in a minute and a half
FALSE_ACCEPTS = 0.02  # a handful of symbols enrolled by one hand; the page moves it
MODEL, PICTURE, ROC, MAP = "demo.gemel", "episodes.png", "roc.png", "map.png"
GALLERY = "demo.gallery"
Say = Callable[[str], object]


def _no() -> bool:
    return False


def run(
    out: Path,
    *,
    omniglot: Path | None = None,
    minutes: float = 1.5,
    seed: int = 0,
    say: Say = print,
    page: Callable[[], bool] = _no,
) -> dict[str, tuple[Figure, Figure]]:
    """Train, test beside nearest pixels, draw the pictures, leave model and gallery in `out`.

    Args:
        out: a folder; made if need be.
        omniglot: a folder with Omniglot's zips; None looks in the usual places.
        minutes: how long to train.
        seed: of every random draw.
        say: gets each line to show.
        page: asked at the end whether to open the page to draw on, and serve it until it is
            stopped. It is not asked where what serves is not installed.

    Returns:
        For each test its name, and the figures of the trained model and of nearest pixels.
    """
    out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    folder = omniglot if omniglot is not None else find_omniglot()
    runs = None if folder is None else data.lake_runs(folder)  # a wrong folder is told at once
    model = _trained(out, minutes, seed, say)
    say("now tested on what it never saw:")
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
    gallery = _gallery(model, out, say)
    held = "the model, its gallery and three pictures"
    say(f"done in {time.monotonic() - begun:.0f} s. {out}/ holds {held}.")
    say(_closing(out))
    _offer_page(out / MODEL, gallery, page, say)
    return table


def _trained(out: Path, minutes: float, seed: int, say: Say) -> Siamese:
    """The demo's network, trained, calibrated, and saved in `out`."""
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
        validation=0.04,  # for the best weights; more, or more often, would eat the minutes
        validations=2,
        seed=seed,
        progress=True,
        patience=None,
        out=out / MODEL,
    )
    say(f"  {done.steps} steps")
    if done.steps < FEW_STEPS:
        say("  that is little: this machine is slow or busy; more --minutes give better figures")
    say("calibrating it on symbols of other alphabets ...")
    found = calibrate(model, calibration_symbols(seed), false_accepts=FALSE_ACCEPTS, seed=seed)
    model.save(out / MODEL)
    accepts, rejects = map(percent, found.rates_at(found.threshold))
    say(f"  {accepts} of pairs that differ pass for the same, {rejects} of the same are missed")
    return model


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


def calibration_symbols(seed: int) -> Items:
    """What the demo is calibrated on: other alphabets than it is trained and tested on.

    An even seed, so that `gemel evaluate demo.gemel drawn`, whose seed is odd, has others too.
    """
    return data.drawn(
        alphabets=12, drawers=8, seed=2 * seed + 1000, size=DRAWN, name="drawn/calibration"
    )


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
        cells = [figure.short for figure in figures]
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


def _gallery(model: Siamese, out: Path, say: Say) -> Path:
    """A gallery of `model` that keeps originals: empty, or with what was enrolled in an old one.

    An earlier demo's gallery is embedded anew. Where that cannot be, it stays as it is, and a new
    one is made beside it.
    """
    place, number = out / GALLERY, 1
    while place.exists():
        try:
            count = Gallery.reembed(place, model)
        except GemelError as error:
            say(f"{place} stays as it is: {error}")
            number += 1
            place = out / f"demo-{number}.gallery"
        else:
            if count:
                say(f"{place} keeps what was enrolled ({count:,}), embedded anew by this model")
            return place
    Gallery.open(place, model, keep_originals=True).close()
    return place


def _offer_page(model: Path, gallery: Path, page: Callable[[], bool], say: Say) -> None:
    """Say how to draw on the demo's page, and open it if that is wanted."""
    say(f"  the page:  gemel serve {model} {gallery}")
    say("             draw any symbol once, enrol it, and draw it again: it is recognised")
    try:
        from gemel.serving import serve
    except MissingExtraError:
        say("             this needs an extra: pip install 'gemel[serve]'")
        return
    if page():
        serve(model, str(gallery), open_browser=True, say=say)


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
