"""What an input is: how a raw item becomes a tensor."""

from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gemel.items import Kind

Stored = NDArray[Any]
"""The form in which items wait for their batches: uint8 pixels, or float32 numbers."""


@runtime_checkable
class Input(Protocol):
    """Turns raw items to tensors, the same way at training, test and serving.

    `type(input)(**input.settings())` makes it again; the settings are JSON. An input may have two
    more members: `views(batch, count)`, mildly changed copies of a batch, for `Siamese(views=...)`;
    and `portrait(value, origin)`, see `Portrayed`.
    """

    kind: Kind
    """What the items are."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one item's tensor, such as (1, 28, 28)."""

    @property
    def dtype(self) -> str:
        """The type of the stored form: "uint8" or "float32"."""

    def read(self, value: Any, origin: str = "") -> Stored:
        """A raw item in the form that is stored, of shape `shape`.

        Raises:
            DataError: it cannot be read; the message names `origin`.
        """

    def learn(self, stored: Any) -> None:
        """Take statistics from the training items, a `Prepared`, where the input has any."""

    def tensor(self, stored: Tensor) -> Tensor:
        """A stored batch [B, *shape] as the float tensor that the encoder takes."""

    def settings(self) -> dict[str, Any]:
        """The arguments that make this input again."""


@runtime_checkable
class Portrayed(Protocol):
    """An input that can show an item to people."""

    def portrait(self, value: Any, origin: str = "") -> Image.Image:
        """A raw item as a picture, "L" or "RGB", of any size.

        Raises:
            DataError: it cannot be read; the message names `origin`.
        """
