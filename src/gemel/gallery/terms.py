"""On what terms a gallery is opened: whose it is, what it keeps, and what it may be asked."""

from pathlib import Path

from gemel.errors import GalleryError, OtherModelError, SettingsError
from gemel.gallery.coding import coding_of
from gemel.gallery.places import Address
from gemel.gallery.store import Facts
from gemel.inputs import input_of
from gemel.model import Siamese


def facts_of(model: Siamese, *, keeps_originals: bool) -> Facts:
    """What holds for a gallery of `model`; references stand on the right."""
    kind = input_of(model.input, "right").kind
    return Facts(model.fingerprint, model.dim, kind, keeps_originals, coding_of(model))


def check_model(model: Siamese, facts: Facts) -> None:
    """Refuse a model that a gallery does not belong to.

    Raises:
        OtherModelError: it belongs to another.
    """
    if facts.fingerprint != model.fingerprint:
        raise OtherModelError(
            f"the gallery belongs to the model {facts.fingerprint[:12]}; this one is "
            f"{model.fingerprint[:12]}, and its embeddings mean something else. Open it with the "
            "model it was made with, or make it anew from its originals, if it keeps them: "
            "Gallery.reembed(path, model) (gemel gallery reembed)"
        )


def check_choice(place: Address | Path, wanted: bool | None, does: bool) -> None:
    """Refuse to keep originals where they are not kept, and the other way round.

    Raises:
        SettingsError: `wanted` is not what the gallery does.
    """
    if wanted not in (None, does):
        raise SettingsError(
            f"the gallery {place} {'keeps' if does else 'does not keep'} originals: that was "
            "chosen when it was made. Leave keep_originals out, or make another gallery"
        )


def check_one_by_one(one_by_one: bool, keeps_originals: bool) -> None:
    """Refuse a joint comparer that was not let look at every original.

    Raises:
        SettingsError: it was not.
    """
    if not one_by_one or not keeps_originals:
        raise SettingsError(
            "a joint comparer takes both items at once: it has no embeddings to keep or to search. "
            "Train a twin; or, for up to 1,000 references, let it look at each of them: "
            "Gallery.open(..., keep_originals=True, one_by_one=True)"
        )


def check_originals(place: Address | Path, model: Siamese, facts: Facts) -> None:
    """Refuse to make a gallery anew that lacks originals which `model` can read.

    Raises:
        GalleryError: it keeps none, or they are of another kind.
    """
    if not facts.keeps_originals:
        raise GalleryError(
            f"the gallery {place} keeps no originals, so nothing can be embedded anew: enrol the "
            "items in a new gallery"
        )
    wanted = input_of(model.input, "right").kind
    if facts.kind != wanted:
        raise GalleryError(f"the gallery {place} is of {facts.kind}; the model takes {wanted}")
