"""The loss of whole enrolments: each claim judged against how far a subject's own items differ."""

from math import comb

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.errors import SettingsError
from gemel.losses.base import About, PairLoss, check_not_negative, check_same, finite, positive
from gemel.metrics import wide

LEAST = 1e-6
"""What is added to a distance before its logarithm is taken."""


def relative_log_distance(
    among: Float[Tensor, "subjects pairs"],
    claims: Float[Tensor, "subjects probes references"],
    power: float,
) -> Float[Tensor, "subjects probes"]:
    """How far each probe is, against how far the references are from each other; a logarithm.

    The mean of log d over a probe's references, less `power` times the mean of log d among them:
    hands that vary more may vary more. See `evaluation.relative_distance`, which is its
    exponential.
    """
    own = (among + LEAST).log().mean(dim=1, keepdim=True)
    return (claims + LEAST).log().mean(dim=2) - power * own


class Enrolment(PairLoss):
    """Cross-entropy of claims, for the batches of `sampling.EnrolmentPairs`.

    The logit of a claim is scale times (threshold - s), where s is its `relative_log_distance`;
    genuine claims weigh as much in all as the others. Scale and threshold are learned.

    Args:
        references: R, of each subject.
        claims: probes of each subject, genuine ones and others.
        power: 0 judges all subjects by one distance, 1 by multiples of their own.
        scale: where learning of the scale starts.
        threshold: where learning of the threshold starts.

    Raises:
        SettingsError: fewer than two references, no claim, `power` not from 0 to 1, or `scale`
            not positive.
    """

    about = About(
        "-log p, or -log(1 - p); p = sigmoid(scale · (threshold - mean log d(probe, references) + "
        "power · mean log d among references))",
        "whole enrolments, where subjects differ in how much they vary, such as signatures",
        "gemel",
    )

    def __init__(
        self,
        references: int = 4,
        claims: int = 7,
        *,
        power: float | int = 0.5,
        scale: float | int = 8.0,
        threshold: float | int = 0.25,
    ) -> None:
        super().__init__()
        if references < 2 or claims < 1 or not 0 <= power <= 1:
            raise SettingsError(
                "`references` must be 2 or more, `claims` 1 or more and `power` from 0 to 1; got "
                f"{references}, {claims}, {power}"
            )
        self.references = references
        self.claims = claims
        self.power = float(power)
        self._start = f"scale={scale:g}, threshold={threshold:g}"
        self.log_scale = nn.Parameter(torch.tensor(positive("scale", scale)).log())
        self.threshold = nn.Parameter(torch.tensor(finite("threshold", threshold)))

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """The mean loss of the genuine claims and that of the others, halved.

        Raises:
            SettingsError: the batch holds no whole enrolments.
        """
        check_same(distance, same)
        among = comb(self.references, 2)
        each = among + self.claims * self.references
        if len(distance) % each:
            raise SettingsError(
                f"Enrolment with {self.references} references and {self.claims} claims takes "
                f"{each} pairs a subject; got a batch of {len(distance)}. Use "
                "sampling.EnrolmentPairs with the same numbers"
            )
        table = wide(distance).view(-1, each)
        claims = table[:, among:].reshape(-1, self.claims, self.references)
        genuine = same.view(-1, each)[:, among :: self.references]  # [subjects, claims]
        score = relative_log_distance(table[:, :among], claims, self.power)
        logit = self.log_scale.exp() * (self.threshold - score)
        loss = F.binary_cross_entropy_with_logits(logit, genuine.to(logit), reduction="none")
        parts = [loss[kind].mean() for kind in (genuine, ~genuine) if bool(kind.any())]
        return torch.stack(parts).mean()

    def check_reach(self, greatest: float | int, least: float | int = 0.0) -> None:  # noqa: ARG002
        """Refuse distances below 0, which have no logarithm."""
        check_not_negative(self, least)

    def extra_repr(self) -> str:
        """The settings in words: where learning starts, not what it has come to."""
        return f"references={self.references}, claims={self.claims}, power={self.power}, " + (
            self._start
        )
