"""A map of embeddings: near each other is alike. In the plane, and in space where D is 3."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from gemel.embedded import Embedded
from gemel.items import Indices, Items, members_of_classes
from gemel.metrics import Cosine
from gemel.reports.html import EMPTY, Html, join, name_of, plain_name, tag
from gemel.reports.page import chart
from gemel.reports.plot import mark

MOST_CLASSES, MOST_ITEMS = 24, 600
FEWEST_ITEMS = 10
SIDE, RADIUS = 400, 180


def mapped_items(items: Items, *, seed: int) -> Indices:
    """The items on the map: of up to 24 classes, drawn by chance, as many of each."""
    generator = np.random.default_rng(seed)
    members = members_of_classes(items.class_ids)
    classes = np.sort(generator.permutation(len(members))[:MOST_CLASSES])
    each = max(2, MOST_ITEMS // len(classes))
    drawn = [np.sort(generator.permutation(members[number])[:each]) for number in classes]
    return np.concatenate(drawn).astype(np.int64)


def flat_map(
    distance: Float[NDArray[np.float64], "items items"], *, seed: int
) -> Float[NDArray[np.float64], "items 2"]:
    """Places in the plane that keep neighbours together (t-SNE of the model's own distances).

    Source: van der Maaten and Hinton 2008, "Visualizing data using t-SNE", JMLR 9.
    """
    from sklearn.manifold import TSNE

    even = (distance + distance.T) / 2  # where the sides differ, so do the two directions
    even -= np.min(even)
    np.fill_diagonal(even, 0)
    perplexity = min(30.0, (len(even) - 1) / 3)
    tsne = TSNE(
        metric="precomputed", init="random", random_state=seed, perplexity=perplexity, max_iter=500
    )
    return np.asarray(tsne.fit_transform(even), dtype=np.float64)


def maps(embedded: Embedded, items: Items, *, seed: int) -> Html | None:
    """The map or maps of a model with embeddings; None where there are fewer than 10 items."""
    shown = mapped_items(items, seed=seed)
    if len(shown) < FEWEST_ITEMS:
        return None
    labels = items.labels[shown].tolist()
    names = sorted(set(labels))
    whole = f"{len(shown):,} of {len(items):,} items, of {len(names)} of {len(items.classes):,}"
    drawn = f"{whole} classes (split {items.name}, seed {seed}, drawn by chance)"
    vectors = embedded.vectors()[shown].astype(np.float64)
    parts = []
    if embedded.model.dim == 3:
        parts.append(
            _in_space(vectors, labels, drawn, unit=isinstance(embedded.model.metric, Cosine))
        )
    if embedded.model.dim == 2:
        places, how = vectors, "The two numbers of each embedding."
    else:
        places = flat_map(embedded.to_some(shown, shown).astype(np.float64), seed=seed)
        how = (
            "t-SNE of the model's distances: neighbours stay neighbours, but the size of gaps "
            "between clumps means nothing."
        )
    title = "In the plane"
    drawing = _drawing(_fitted(places), labels, "map", f"{title}: {drawn}")
    reading = f"Each mark is an item; items that the model finds alike lie together. {how} {drawn}."
    parts.append(chart(drawing, title, reading))
    return tag("div", *parts, class_="charts")


def _in_space(
    vectors: Float[NDArray[np.float64], "items 3"], labels: Sequence[str], drawn: str, *, unit: bool
) -> Html:
    if unit:
        places = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        title = "On the sphere"
        how = "Embeddings have 3 numbers; their direction is all that the metric sees."
    else:
        middle = vectors - vectors.mean(axis=0)
        places = middle / max(float(np.linalg.norm(middle, axis=1).max()), 1e-12)
        title, how = "In space", "Embeddings have 3 numbers, shown as they are."
    drawing = _drawing(_faced(places), labels, "sphere", f"{title}: {drawn}")
    reading = f"{how} Drag, or press the arrow keys, to turn it; what is behind is paler. {drawn}."
    return chart(drawing, title, reading)


def _faced(places: Float[NDArray[np.float64], "items 3"]) -> Float[NDArray[np.float64], "items 3"]:
    """Turned so that their mean, where there is one, faces the reader."""
    _, _, axes = np.linalg.svd(places.mean(axis=0)[None])  # the mean's direction, and two across it
    toward = axes[0] if places.mean(axis=0) @ axes[0] >= 0 else -axes[0]
    turn = np.stack([axes[1], np.cross(toward, axes[1]), toward])
    return np.asarray(places @ turn.T)


def _fitted(places: Float[NDArray[np.float64], "items 2"]) -> Float[NDArray[np.float64], "items 2"]:
    """Moved and scaled to lie between -1 and 1."""
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - (low + high) / 2) / max(float((high - low).max()) / 2, 1e-12))


def _drawing(
    places: Float[NDArray[np.float64], "items axes"],
    labels: Sequence[str],
    slug: str,
    description: str,
) -> Html:
    """Marks at `places`, a colour and a mark for each class, and a legend."""
    names = sorted(set(labels))
    number_of = {name: number for number, name in enumerate(names)}
    turning = places.shape[1] == 3
    marks = [
        _mark(place, label, number_of[label])
        for place, label in zip(places.tolist(), labels, strict=True)
    ]
    owner = np.array([number_of[label] for label in labels])
    words = (
        []
        if turning
        else [
            _word(np.median(places[owner == number], axis=0), name)
            for name, number in number_of.items()
            if len(names) <= 12
        ]
    )
    half = SIDE / 2
    drawing = tag(
        "svg",
        tag("title", "Map of embeddings", id=f"{slug}-title"),
        tag("desc", description, id=f"{slug}-desc"),
        tag("circle", r=RADIUS, class_="ball") if turning else EMPTY,
        *marks,
        *words,
        viewBox=f"{-half:.0f} {-half:.0f} {SIDE} {SIDE}",
        class_="points turning" if turning else "points",
        role="img",
        tabindex=0 if turning else None,
        data_radius=RADIUS if turning else None,
        aria_labelledby=f"{slug}-title {slug}-desc",
    )
    legend = [
        tag(
            "li",
            tag(
                "svg",
                _sample(number),
                viewBox="-5 -5 10 10",
                class_="sample key",
                aria_hidden="true",
            ),
            name_of(name, 32),
        )
        for name, number in number_of.items()
    ]
    return join(drawing, tag("ul", *legend, class_="legend"))


def _style(number: int) -> tuple[int, int]:
    """The colour and the mark of class `number`: no two of 24 classes share both."""
    return number % 7, (number + 3 * (number // 7)) % 8


def _sample(number: int) -> Html:
    colour, shape = _style(number)
    return mark(0, 0, shape, colour=colour)


def _mark(place: list[float], label: str, number: int) -> Html:
    colour, shape = _style(number)
    at = " ".join(f"{value:.4f}" for value in place) if len(place) == 3 else None
    title = tag("title", plain_name(label, 40))
    return mark(RADIUS * place[0], -RADIUS * place[1], shape, title, colour=colour, at=at)


def _word(place: NDArray[np.float64], name: str) -> Html:
    x, y = (RADIUS * place * (1, -1)).tolist()
    return tag("text", plain_name(name, 16), x=x, y=y + 4)
