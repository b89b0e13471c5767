"""What all encoders check: the shape of an item, and of the batches that come in."""

from collections.abc import Sequence

from torch import Tensor, nn

from gemel.errors import SettingsError


def image_shape(shape: tuple[int, ...], encoder: str) -> tuple[int, int, int]:
    """`shape` as (channels, height, width).

    Raises:
        SettingsError: it is no shape of a picture.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise SettingsError(
            f"{encoder} takes pictures of shape (channels, height, width); got {shape}. "
            "For rows of numbers use Dense"
        )
    return shape[0], shape[1], shape[2]


def check_batch(batch: Tensor, shape: tuple[int, ...], encoder: nn.Module) -> None:
    """Refuse a batch that is not [B, *shape], and any batch before the layers are made.

    Raises:
        SettingsError: `shape` is empty (not built yet), or is not that of the batch's items.
    """
    name = type(encoder).__name__
    if not shape:
        raise SettingsError(
            f"{name} has no layers yet: call build(shape) with the shape of one item first "
            "(Siamese does so)"
        )
    if batch.shape[1:] != shape:
        raise SettingsError(
            f"{name} was built for items of shape {shape}; got a batch of shape "
            f"{tuple(batch.shape)}"
        )


def check_counts(name: str, values: Sequence[int]) -> None:
    """Refuse settings that must be whole numbers of 1 or more.

    Raises:
        SettingsError: there are none, or one is no whole number above 0.
    """
    good = all(isinstance(v, int) and not isinstance(v, bool) and v >= 1 for v in values)
    if not good or not values:
        raise SettingsError(f"`{name}` must be whole numbers of 1 or more; got {list(values)}")
