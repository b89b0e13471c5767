"""Who is trained on and who is tested, of the ORL faces, and people made up of those.

Settings were chosen on ten of the 40 people, who are never tested. A draw takes five of the 30
others for the test and trains on all 35 that are left. Six draws share no test person; the next six
take five people at a time out of another order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from gemel import data
from gemel.errors import DataError
from gemel.items import Items, members_of_classes
from gemel.systems.reproduction import Request

TESTED = 5
DRAWS, QUICK_DRAWS = 12, 2
CHOSEN_ON = frozenset({"s3", "s4", "s5", "s6", "s7", "s15", "s28", "s35", "s36", "s39"})
"""People on whom settings were chosen; no draw tests them."""
CHIMERAS, QUICK_CHIMERAS = 1120, 10
"""Made-up people that are trained on: with 35 real ones and their flips 1,260."""
SEAM, BLEND = 0.55, 0.04
"""Where a chimera's halves meet and how soft, in shares of the height."""


@dataclass(frozen=True, eq=False)
class Draw:
    """Who is trained on and who is tested.

    Attributes:
        number: 1, 2, 3...
        train: the pictures of the 35 others.
        test: the pictures of five people.
    """

    number: int
    train: Items
    test: Items

    @property
    def people(self) -> str:
        """Who is tested: "s4, s17"."""
        return ", ".join(sorted(self.test.classes, key=lambda name: int(name[1:])))


def draws(faces: Items, count: int, seed: int) -> list[Draw]:
    """`count` draws of test people; the same seed gives the same ones.

    Raises:
        DataError: too few people.
    """
    people = sorted(set(faces.classes) - CHOSEN_ON, key=lambda name: int(name[1:]))
    if len(people) <= TESTED + 1:
        raise DataError(
            f"expected more than {TESTED + 1} people beside those on whom settings were chosen, "
            f"got {len(people)} in {faces!r}"
        )
    generator = np.random.default_rng(seed)
    chosen: list[list[str]] = []
    while len(chosen) < count:
        order = generator.permutation(people).tolist()
        whole = len(order) // TESTED
        chosen += [order[TESTED * k : TESTED * (k + 1)] for k in range(whole)]
    return [_draw(faces, number, tested) for number, tested in enumerate(chosen[:count], start=1)]


def _draw(faces: Items, number: int, tested: Sequence[str]) -> Draw:
    held = np.isin(faces.labels, tested)
    return Draw(
        number,
        faces.take(~held, f"{faces.name}/draw{number}/train"),
        faces.take(held, f"{faces.name}/draw{number}/test"),
    )


def draws_of(request: Request) -> list[Draw]:
    """The draws that `request` asks for, of the faces in its folder."""
    faces = data.orl_faces(request.folder("orl_faces"))
    return draws(faces, QUICK_DRAWS if request.quick else DRAWS, request.seed)


def more_people(items: Items, chimeras: int = 0, seed: int = 0) -> Items:
    """The items, and further people made of them.

    Mirrored, upside-down and turned pictures count as other people: four times as many. A chimera
    has the upper half of the faces of one of these and the lower half of another's, each of its
    pictures of two of theirs; the halves blend over some pixels.

    Args:
        items: pictures [N, height, width] of one size, equally many of each person.
        chimeras: how many.
        seed: whose halves they are.
    """
    values = np.asarray(items.values)
    flips = {
        "": values,
        "@mirrored": values[:, :, ::-1],
        "@upside-down": values[:, ::-1],
        "@turned": values[:, ::-1, ::-1],
    }
    pictures = np.concatenate(list(flips.values()))
    labels = [f"{label}{flip}" for flip in flips for label in items.labels]
    origins = [items.origin(item) + flip for flip in flips for item in range(len(items))]
    members = np.stack(members_of_classes(np.unique(labels, return_inverse=True)[1]))
    generator = np.random.default_rng(seed)
    lower = expit((np.arange(values.shape[1]) / values.shape[1] - SEAM) / BLEND)[:, None]
    made = [pictures]
    for number in range(chimeras):
        top, bottom = members[generator.choice(len(members), 2, replace=False)]
        top, bottom = generator.permutation(top), generator.permutation(bottom)
        blended = (1 - lower) * pictures[top] + lower * pictures[bottom]
        made.append(blended.round().astype(values.dtype))
        labels += [f"chimera {number}"] * len(top)
        origins += [f"{origins[a]} over {origins[b]}" for a, b in zip(top, bottom, strict=True)]
    return Items(
        values=np.concatenate(made),
        labels=np.array(labels),
        name=f"{items.name}+made-up",
        origins=origins,
    )


def with_made_up(request: Request, items: Items, seed: int) -> Items:
    """`more_people`, as many as the form takes."""
    return more_people(items, QUICK_CHIMERAS if request.quick else CHIMERAS, seed)
