"""Optimisers and their courses, against the same steps written out."""

import math
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

import gemel
from gemel import Items, Siamese, encoders, inputs, losses, metrics, sampling
from gemel.errors import SettingsError
from gemel.training import AdamW, Descent, MomentumSGD, rate_at


def fresh() -> Siamese:
    return Siamese(
        inputs.Images(16, channels=1), encoders.Conv(width=(4, 4), dim=8), metrics.Euclidean()
    )


class Recorded(sampling.BalancedPairs):
    """Batches, in the order in which they were asked for."""

    @property
    def steps_per_epoch(self) -> int:
        return 2


class Stopping(losses.Contrastive):
    """A loss that presses Ctrl-C at a call."""

    def __init__(self, at: int | None) -> None:
        super().__init__()
        self.at, self.calls = at, 0

    def forward(self, distance: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return super().forward(distance, same)


class TestMomentumSGD:
    def test_three_epochs_written_out(self) -> None:
        """Rate 0.1 * 0.9 ** epoch, momentum from 0.5 to 0.7 over two epochs."""
        descent = MomentumSGD(rate=0.1, decay=0.9, momentum=(0.5, 0.7), ramp=2)
        weight = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
        optimizer = descent.optimizer(nn.ParameterList([weight]))
        expected, velocity = [1.0, -2.0], [0.0, 0.0]
        for epoch, (rate, momentum) in enumerate([(0.1, 0.5), (0.09, 0.6), (0.081, 0.7)]):
            for _ in range(2):
                descent.adjust(optimizer, 0.3, epoch)
                optimizer.zero_grad()
                (weight**3).sum().backward()
                optimizer.step()
                for i in range(2):
                    gradient = 3 * expected[i] ** 2
                    velocity[i] = momentum * velocity[i] + gradient
                    expected[i] -= rate * velocity[i]
        assert weight.tolist() == pytest.approx(expected, rel=1e-9)

    def test_momentum_stays_after_its_ramp(self) -> None:
        descent = MomentumSGD(momentum=(0.2, 0.8), ramp=4)
        optimizer = descent.optimizer(nn.Linear(2, 2))
        descent.adjust(optimizer, 0.9, 400)
        assert optimizer.param_groups[0]["momentum"] == 0.8
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-2 * 0.99**400)

    @pytest.mark.parametrize(
        "words",
        [
            {"rate": 0},
            {"rate": math.inf},
            {"decay": 1.1},
            {"decay": 0},
            {"momentum": (0.5, 1.0)},
            {"momentum": (-0.1, 0.5)},
            {"ramp": 0},
        ],
    )
    def test_settings_out_of_range(self, words: dict[str, object]) -> None:
        with pytest.raises(SettingsError, match=next(iter(words))):
            MomentumSGD(**words)  # type: ignore[arg-type]


class TestAdamW:
    def test_groups_and_course(self) -> None:
        descent = AdamW(rate=1e-3, weight_decay=0.2)
        optimizer = descent.optimizer(nn.Linear(3, 2))
        assert [group["weight_decay"] for group in optimizer.param_groups] == [0.2, 0.0]
        assert [weight.ndim for weight in optimizer.param_groups[0]["params"]] == [2]
        descent.adjust(optimizer, 0.5, 7)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([1e-3 * rate_at(0.5)] * 2)

    @pytest.mark.parametrize("words", [{"rate": -1.0}, {"weight_decay": -0.1}])
    def test_settings_out_of_range(self, words: dict[str, float]) -> None:
        with pytest.raises(SettingsError, match=next(iter(words))):
            AdamW(**words)


class TestFit:
    def test_takes_the_course_of_the_epochs(self, symbols: Items) -> None:
        """The rates in the log are those of the epoch of each step."""
        descent = MomentumSGD(rate=0.01, decay=0.5)
        done = gemel.fit(
            fresh(),
            symbols,
            loss=losses.Contrastive(),
            sampler=lambda train: Recorded(train, pairs=8),
            descent=descent,
            steps=40,
            validation=None,
        )
        rates = {record["step"]: record["rate"] for record in done.history}
        assert rates == pytest.approx({n: 0.01 * 0.5 ** ((n - 1) // 2) for n in (10, 20, 30, 40)})

    def test_first_step_is_plain_descent(self, symbols: Items) -> None:
        model, plain = fresh(), fresh()
        descent = MomentumSGD(rate=0.05)
        loss = losses.Contrastive()
        gemel.fit(
            model,
            symbols,
            loss=loss,
            sampler=lambda train: sampling.BalancedPairs(train, pairs=8, seed=1),
            descent=descent,
            steps=1,
            validation=None,
        )
        batch = sampling.BalancedPairs(symbols, pairs=8, seed=1).batch(0)
        rows = [*batch.left, *batch.right]
        stored = torch.stack([torch.tensor(plain.input.read(symbols.values[i])) for i in rows])
        plain.train()
        u, v = plain.encoder(plain.input.tensor(stored)).chunk(2)
        loss(plain.metric(u, v), torch.from_numpy(batch.same)).backward()
        for wanted, got in zip(plain.parameters(), model.parameters(), strict=True):
            assert wanted.grad is not None
            expected = wanted.detach() - 0.05 * wanted.grad
            torch.testing.assert_close(got.detach(), expected, atol=1e-6, rtol=1e-5)

    def test_a_stopped_run_goes_on_to_the_same_bits(self, symbols: Items, tmp_path: Path) -> None:
        """The momentum's buffers are in the checkpoint."""

        def run(name: str, stop_at: int | None, *, resume: bool = False) -> Siamese:
            model = fresh()
            gemel.fit(
                model,
                symbols,
                loss=Stopping(stop_at),
                sampler=lambda train: Recorded(train, pairs=8),
                descent=MomentumSGD(rate=0.05, momentum=(0.5, 0.9), ramp=3),
                steps=9,
                validation=None,
                out=tmp_path / name,
                resume=resume,
            )
            return model

        whole = run("whole.gemel", None)
        with pytest.raises(KeyboardInterrupt):
            run("parts.gemel", 4)
        parts = run("parts.gemel", None, resume=True)
        for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
            assert torch.equal(one, other)

    def test_rate_and_descent_contradict(self, symbols: Items) -> None:
        with pytest.raises(SettingsError, match="`rate` or `descent`"):
            gemel.fit(fresh(), symbols, rate=1e-3, descent=AdamW(), steps=1)

    def test_they_are_what_fit_needs(self) -> None:
        assert isinstance(AdamW(), Descent)
        assert isinstance(MomentumSGD(), Descent)
