"""Losses with one learned direction, a proxy, for each class: angular margins."""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.errors import DataError, SettingsError
from gemel.losses.base import About, LabelLoss, check_labels, positive
from gemel.metrics import unit, wide


class ProxyLoss(LabelLoss):
    """The base of the classifying losses: cross-entropy over cosines with the classes' proxies.

    Embeddings and proxies are scaled to length 1. The cosine with the item's own class is made
    smaller by a margin, so that the item must be nearer to its proxy than to be right would take.

        loss = -log( exp(s m(cos_y)) / (exp(s m(cos_y)) + sum_{j != y} exp(s cos_j)) )

    The proxies are weights of this loss, made by `build`: the optimiser needs `loss.parameters()`
    beside the model's (`fit` sees to it). Classes are known when training starts; new ones are
    recognised by distance afterwards, without proxies. Memory: tables of B x classes, not chunked.

    Args:
        margin: see the class.
        scale: s, by which cosines are multiplied.

    Raises:
        SettingsError: `margin` or `scale` is not possible.
    """

    proxies: nn.Parameter | None

    def __init__(self, margin: float | int, scale: float | int) -> None:
        super().__init__()
        self.margin = positive("margin", margin)
        self.scale = positive("scale", scale)
        self.register_parameter("proxies", None)

    def build(self, dim: int, classes: int, *, generator: torch.Generator | None = None) -> None:
        """Make the proxies [classes, dim], directions drawn evenly, of length about 1.

        Args:
            dim: the length of an embedding.
            classes: how many there are; labels go from 0 to classes - 1.
            generator: what they are drawn from; None draws from torch's own generator, which the
                caller has seeded.

        Raises:
            SettingsError: there are fewer than two classes, or `dim` is less than 1.
        """
        if classes < 2 or dim < 1:
            raise SettingsError(
                f"{type(self).__name__} needs 2 or more classes and embeddings of 1 number or "
                f"more; got classes={classes}, dim={dim}"
            )
        self.proxies = nn.Parameter(torch.randn(classes, dim, generator=generator) / math.sqrt(dim))

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """The mean over the items of `embeddings` [B, D] with `labels` [B] from 0 to classes - 1.

        Raises:
            SettingsError: there are no proxies yet, or they are of another length.
            DataError: a label has no proxy, `labels` are not B whole numbers, or there is no item.
        """
        check_labels(embeddings, labels)
        proxies = self._proxies(embeddings, labels)
        z, directions = unit(wide(embeddings)), unit(proxies.to(wide(embeddings).dtype))
        with torch.autocast(z.device.type, enabled=False):
            cosine = z @ directions.T  # [B, classes]
        place = labels.long()[:, None]  # [B, 1]
        own = self._with_margin(cosine.gather(1, place))
        return F.cross_entropy(self.scale * cosine.scatter(1, place, own), place.squeeze(1))

    @abstractmethod
    def _with_margin(self, cosine: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        """The cosine with the own class, made smaller."""

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"margin={self.margin}, scale={self.scale}"

    def _proxies(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        name = type(self).__name__
        if self.proxies is None:
            raise SettingsError(
                f"{name} has no proxies yet: call build(dim, classes) with the length of an "
                "embedding and the number of classes first"
            )
        classes, dim = self.proxies.shape
        if embeddings.shape[1] != dim:
            raise SettingsError(
                f"{name} was built for embeddings of {dim} numbers; got {embeddings.shape[1]}"
            )
        if len(labels) == 0:
            raise DataError("a batch of no items has no loss; give one item or more")
        least, most = int(labels.min()), int(labels.max())
        if least < 0 or most >= classes:
            raise DataError(
                f"{name} has proxies for labels 0 to {classes - 1}; got labels from {least} to "
                f"{most}. Number the classes from 0, as in `class_ids`, or build for more"
            )
        return self.proxies


class ArcFace(ProxyLoss):
    """An additive margin on the angle: cos(angle + margin); see `ProxyLoss`.

    Deng, Guo, Xue and Zafeiriou 2019. Beyond an angle of pi - margin, where cos(angle + margin)
    would rise again, it is cos(angle) - margin sin(margin), as in the authors' code.

    Args:
        margin: in radians, below pi.
        scale: s.

    Raises:
        SettingsError: `margin` is not between 0 and pi, or `scale` is not positive.
    """

    about = About(
        "cross-entropy over s · cos θ_j, with cos(θ + margin) for the own class",
        "labels with Cosine, a fixed set of many training classes; has a proxy a class",
        "Deng, Guo, Xue, Zafeiriou 2019",
    )

    def __init__(self, margin: float | int = 0.5, *, scale: float | int = 64.0) -> None:
        super().__init__(margin, scale)
        if self.margin >= math.pi:
            raise SettingsError(f"`margin` is an angle in radians, below pi; got {margin}")

    def _with_margin(self, cosine: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        squared = 1 - cosine.square()
        flat = squared <= torch.finfo(squared.dtype).eps  # the root's slope is infinite at 0
        sine = squared.masked_fill(flat, 1).sqrt().masked_fill(flat, 0)
        turned = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        beyond = cosine - self.margin * math.sin(self.margin)
        return torch.where(cosine >= -math.cos(self.margin), turned, beyond)


class CosFace(ProxyLoss):
    """An additive margin on the cosine: cos(angle) - margin; see `ProxyLoss`.

    Wang and others 2018.

    Args:
        margin: of the cosine, at most 2, the greatest gap there is.
        scale: s.

    Raises:
        SettingsError: `margin` is not between 0 and 2, or `scale` is not positive.
    """

    about = About(
        "cross-entropy over s · cos θ_j, with cos θ - margin for the own class",
        "as ArcFace; a plainer margin, steadier at the start",
        "Wang and others 2018",
    )

    def __init__(self, margin: float | int = 0.35, *, scale: float | int = 64.0) -> None:
        super().__init__(margin, scale)
        if self.margin > 2:
            raise SettingsError(f"`margin` is a gap of cosines, at most 2; got {margin}")

    def _with_margin(self, cosine: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        return cosine - self.margin
