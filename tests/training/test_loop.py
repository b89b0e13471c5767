"""Training: it learns, repeats to the bit, survives kills, and says what goes wrong."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gemel
from gemel import Items, Pairs, Siamese, encoders, inputs, losses, metrics, sampling, training
from gemel.errors import DataError, NonFiniteLossError, SettingsError, TrainingError
from gemel.inputs import read_items
from gemel.training import Budget, CollapseWarning, rate_at
from gemel.training.checkpoint import State, path_for
from gemel.training.interrupt import Interrupt
from gemel.training.loop import thinned
from gemel.training.validation import Validator, hold_out_items

KILLED_RUN = Path(__file__).with_name("killed_run.py")


def fresh(dim: int = 16) -> Siamese:
    return Siamese(
        inputs.Images(16, channels=1), encoders.Conv(width=(8, 16), dim=dim), metrics.Cosine()
    )


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


class TestLearning:
    def test_beats_the_untrained_network_on_unseen_classes(self, symbols: Items) -> None:
        train, unseen = symbols.split_classes(0.7, seed=0)
        model = fresh()
        before = gemel.one_shot(model, unseen, ways=5, trials=300, within_groups=False)
        done = gemel.fit(model, train, steps=150, validation=None)
        after = gemel.one_shot(model, unseen, ways=5, trials=300, within_groups=False)
        assert after.value > before.value + 0.1
        assert done.steps == 150
        assert done.stopped == "budget"

    @pytest.mark.parametrize(
        "loss",
        [
            losses.Contrastive(margin=0.5),
            losses.TripletHinge(margin=0.2),
            losses.PairCrossEntropy(learn=True),
            losses.Triplet(metrics.Cosine(), margin=0.2),
            losses.SupervisedContrastive(),
        ],
        ids=lambda loss: type(loss).__name__,
    )
    def test_every_kind_of_loss_goes_down(self, symbols: Items, loss: nn.Module) -> None:
        done = gemel.fit(fresh(), symbols, loss=loss, steps=40, validation=None)
        values = [record["loss"] for record in done.history]
        assert values[-1] < values[0]

    @pytest.mark.parametrize(
        "name", ["ContrastiveLoss", "TripletMarginLoss", "MultiSimilarityLoss"]
    )
    def test_losses_of_another_library(self, symbols: Items, name: str) -> None:
        library = pytest.importorskip("pytorch_metric_learning.losses")
        done = gemel.fit(fresh(), symbols, loss=getattr(library, name)(), steps=40, validation=None)
        assert done.history[-1]["loss"] < done.history[0]["loss"]

    def test_learns_from_pairs(self, symbols: Items) -> None:
        left, right, same = gemel.trials.item_pairs(symbols, most=300, seed=0)
        pairs = Pairs(symbols.values, left, right, same)
        model = fresh()
        before = gemel.evaluate(model, pairs).verification.auc.value
        done = gemel.fit(model, pairs, steps=60, validation=pairs)
        assert done.validation is not None
        assert gemel.evaluate(model, pairs).verification.auc.value > max(before, 0.8)
        assert model.threshold is not None

    def test_first_step_is_adamw(self, symbols: Items) -> None:
        """One step of `fit` against the same step written out."""
        model, plain = fresh(), fresh()
        descent = training.AdamW(rate=1e-2, weight_decay=0.1)
        gemel.fit(model, symbols, steps=1, descent=descent, validation=None, seed=3)
        batch = sampling.ClassesByItems(symbols, classes=64, per_class=4, groups=4, seed=3).batch(0)
        stored = torch.from_numpy(
            np.stack([plain.input.read(symbols.values[i]) for i in batch.items])
        )
        plain.train()
        value = losses.SupervisedContrastive()(
            plain.encoder(plain.input.tensor(stored)), torch.from_numpy(batch.labels)
        )
        value.backward()
        rate = 1e-2 * rate_at(0.0)
        for wanted, got in zip(plain.parameters(), model.parameters(), strict=True):
            assert wanted.grad is not None
            decay = 0.1 if wanted.ndim > 1 else 0.0
            step = wanted.grad / (wanted.grad.abs() + 1e-8)
            expected = wanted.detach() * (1 - rate * decay) - rate * step
            torch.testing.assert_close(got.detach(), expected, atol=1e-6, rtol=1e-5)

    def test_weights_of_a_loss_are_trained(self, symbols: Items) -> None:
        loss = losses.PairCrossEntropy(learn=True)
        before = weights(loss)
        gemel.fit(fresh(), symbols, loss=loss, steps=5, validation=None)
        assert not equal(before, weights(loss))


class TestHistory:
    def test_the_model_keeps_it(self, symbols: Items, tmp_path: Path) -> None:
        train, held = symbols.split_classes(0.7, seed=0)
        model, out = fresh(), tmp_path / "m.gemel"
        done = gemel.fit(model, train, validation=held, steps=20, validations=2, out=out)
        kept = gemel.load(out).training_summary
        assert kept["history"] == done.history
        assert [one["step"] for one in kept["history"]] == [10, 20]
        assert kept["settings"]["budget"] == {"steps": 20, "epochs": None, "minutes": None}
        assert kept["settings"]["sampler"].startswith("ClassesByItems(")
        assert kept["versions"]["gemel"] == gemel.__version__

    @pytest.mark.parametrize(("judged", "kept"), [(0, 0), (10, 10), (100, 100), (1000, 100)])
    def test_thinned_evenly(self, judged: int, kept: int) -> None:
        history = [{"step": step, "loss": 1.0} for step in range(1, 1001)]
        for number in range(judged):
            history[(number + 1) * 1000 // judged - 1]["validation"] = 0.5
        found = thinned(history)
        steps = [one["step"] for one in found]
        assert steps == sorted(set(steps))
        assert len(found) == (200 if judged < 1000 else 100)
        assert sum("validation" in one for one in found) == kept
        assert max(np.diff(steps)) <= 30
        assert steps[-1] >= 999
        assert thinned(history[:200]) == history[:200] or judged == 1000


class TestRepeating:
    def test_same_seed_same_weights(self, symbols: Items) -> None:
        models = [fresh(), fresh(), fresh()]
        for model, seed in zip(models, (1, 1, 2), strict=True):
            gemel.fit(model, symbols, steps=8, augment=inputs.Warp(), seed=seed)
        assert equal(weights(models[0]), weights(models[1]))
        assert not equal(weights(models[0]), weights(models[2]))

    def test_leaves_the_global_generator_alone(self, symbols: Items) -> None:
        torch.manual_seed(5)
        wanted = torch.rand(1)
        torch.manual_seed(5)
        gemel.fit(fresh(), symbols, steps=2, validation=None)
        assert torch.equal(torch.rand(1), wanted)

    def test_killed_and_resumed_equals_uninterrupted(self, tmp_path: Path) -> None:
        """A real process, killed with SIGKILL in the middle, then resumed."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}

        def start(out: Path, *words: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, str(KILLED_RUN), str(out), *words], env=environment
            )

        whole, broken = tmp_path / "whole.gemel", tmp_path / "broken.gemel"
        assert start(whole).wait(120) == 0
        process = start(broken, "slow")
        checkpoint = tmp_path / "broken.gemel.checkpoint"
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert checkpoint.exists()
        assert not broken.exists()
        assert start(broken, "resume").wait(120) == 0
        assert equal(weights(gemel.load(whole)), weights(gemel.load(broken)))
        assert not checkpoint.exists()
        lines = [json.loads(line) for line in (tmp_path / "broken.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == sorted({line["step"] for line in lines})

    def test_a_checkpoint_of_another_run_is_refused(self, symbols: Items, tmp_path: Path) -> None:
        out = tmp_path / "a.gemel"
        with pytest.raises(KeyboardInterrupt):
            gemel.fit(fresh(), symbols, steps=9, out=out, loss=_Interrupting(3), validation=None)
        with pytest.raises(TrainingError, match=r"AdamW\(rate=0.002, .*AdamW\(rate=0.5"):
            gemel.fit(
                fresh(),
                symbols,
                steps=9,
                out=out,
                loss=_Interrupting(99),
                rate=0.5,
                resume=True,
                validation=None,
            )


class TestStopping:
    def test_interrupt_leaves_model_and_checkpoint(self, symbols: Items, tmp_path: Path) -> None:
        out = tmp_path / "a.gemel"
        model = fresh()
        with pytest.raises(KeyboardInterrupt):
            gemel.fit(model, symbols, steps=9, out=out, loss=_Interrupting(4), validation=None)
        assert gemel.load(out).training_summary["steps"] == 4
        assert equal(weights(gemel.load(out)), weights(model))
        done = gemel.fit(
            fresh(), symbols, steps=9, out=out, loss=_Interrupting(99), resume=True, validation=None
        )
        assert done.steps == 9
        whole = fresh()
        gemel.fit(whole, symbols, steps=9, loss=_Interrupting(99), validation=None)
        assert equal(weights(gemel.load(out)), weights(whole))

    def test_early_stop_keeps_the_best_weights(self, symbols: Items) -> None:
        train, held = symbols.split_classes(0.6, seed=1)
        model = fresh()
        done = gemel.fit(
            model, train, steps=200, validations=50, patience=2, validation=held, rate=0.05
        )
        figures = [record["validation"] for record in done.history if "validation" in record]
        assert done.stopped == "no better figure"
        assert done.steps < 200
        assert done.validation == max(figures)
        best = max(i for i, f in enumerate(figures) if f == max(figures))
        assert len(figures) - 1 - best >= 2
        assert done.steps >= 100  # fewer show nothing
        again = Validator(model, *read_items(model.input, held), seed=0)
        assert again.figure() == done.validation

    def test_a_loss_that_is_no_number(self, symbols: Items) -> None:
        def broken(embeddings: Tensor, labels: Tensor) -> Tensor:
            return embeddings.sum() * math.nan

        with pytest.raises(NonFiniteLossError, match=r"the loss of step 1 is nan; its batch of"):
            gemel.fit(fresh(), symbols, loss=broken, steps=3, validation=None)

    def test_collapse_is_said_in_words(self, symbols: Items) -> None:
        model = fresh()
        nn.init.zeros_(model.encoder.get_parameter(_last_weight(model)))
        with pytest.warns(CollapseWarning, match="all embeddings have been alike"):
            gemel.fit(model, symbols, steps=60, rate=1e-12, validation=None)


class TestSettings:
    @pytest.mark.parametrize(
        "budget", [{"steps": 0}, {"steps": 2, "minutes": 1.0}, {"minutes": -1.0}]
    )
    def test_budget(self, budget: dict[str, float]) -> None:
        with pytest.raises(SettingsError, match="exactly one of steps, epochs and minutes"):
            Budget(**budget)  # type: ignore[arg-type]

    def test_progress(self) -> None:
        state = State(step=30, seconds=90.0)
        assert Budget(steps=60).progress(state, 10) == 0.5
        assert Budget(epochs=6.0).progress(state, 10) == 0.5
        assert Budget(minutes=3.0).progress(state, 10) == 0.5

    def test_rate(self) -> None:
        assert rate_at(0.0) == pytest.approx(0.02)
        assert rate_at(0.5) == pytest.approx(0.5)
        assert rate_at(1.0) == pytest.approx(0.0)

    def test_label_loss_on_pairs(self, symbols: Items) -> None:
        pairs = Pairs(symbols.values, np.array([0, 1]), np.array([2, 40]), np.array([True, False]))
        with pytest.raises(SettingsError, match="needs items with labels"):
            gemel.fit(fresh(), pairs, loss=losses.SupervisedContrastive(), steps=1, validation=None)

    def test_batches_of_another_kind(self, symbols: Items) -> None:
        with pytest.raises(SettingsError, match="does not take batches of pairs"):
            gemel.fit(
                fresh(),
                symbols,
                loss=losses.SupervisedContrastive(),
                sampler=lambda items: sampling.BalancedPairs(items, pairs=8, seed=0),
                steps=1,
                validation=None,
            )

    def test_a_loss_that_is_no_scalar(self, symbols: Items) -> None:
        with pytest.raises(SettingsError, match="must give one scalar tensor"):
            gemel.fit(fresh(), symbols, loss=lambda z, _: z, steps=1, validation=None)

    def test_bad_items_are_named_before_training(self, symbols: Items, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_text("no picture")
        values = [*symbols.values, tmp_path / "bad.png"]
        items = Items(values, np.append(symbols.labels, symbols.labels[0]))
        with pytest.raises(gemel.errors.BadItemsError, match=r"bad.png"):
            gemel.fit(fresh(), items, steps=1, validation=None)
        done = gemel.fit(fresh(), items, steps=1, validation=None, skip_bad=True)
        assert len(done.skipped) == 1


def _last_weight(model: Siamese) -> str:
    return [name for name, value in model.encoder.named_parameters() if value.ndim == 2][-1]


class _Interrupting(losses.SupervisedContrastive):
    """A loss at whose n-th call somebody presses Ctrl-C."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return super().forward(embeddings, labels)


class TestInterrupt:
    def test_second_ctrl_c_does_not_wait(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        with Interrupt() as interrupt:
            assert not interrupt.asked
            signal.raise_signal(signal.SIGINT)
            assert interrupt.asked
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is before

    def test_outside_the_main_thread_it_does_nothing(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        seen = []

        def work() -> None:
            with Interrupt():
                seen.append(signal.getsignal(signal.SIGINT))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [before]


class TestKeeper:
    def test_saves_when_due(self, symbols: Items, tmp_path: Path) -> None:
        out = tmp_path / "a.gemel"
        seen = []

        def loss(embeddings: Tensor, labels: Tensor) -> Tensor:
            seen.append(path_for(out).exists())
            return losses.SupervisedContrastive()(embeddings, labels)

        gemel.fit(fresh(), symbols, loss=loss, steps=4, out=out, checkpoint_seconds=0.0)
        assert seen == [False, True, True, True]
        assert not path_for(out).exists()

    def test_another_margin_is_another_run(self, symbols: Items, tmp_path: Path) -> None:
        out = tmp_path / "a.gemel"

        class Stopping(losses.Triplet):
            def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
                os.kill(os.getpid(), signal.SIGINT)
                return super().forward(embeddings, labels)

        def start(margin: float, **words: bool) -> None:
            loss = Stopping(metrics.Cosine(), margin=margin)
            gemel.fit(fresh(), symbols, loss=loss, steps=5, out=out, **words)

        with pytest.raises(KeyboardInterrupt):
            start(0.2)
        with pytest.raises(
            TrainingError, match=r"loss = .*margin=0\.2.*this one has .*margin=0\.4"
        ):
            start(0.4, resume=True)

    def test_a_complete_run_is_not_resumed(self, symbols: Items, tmp_path: Path) -> None:
        out = tmp_path / "a.gemel"
        gemel.fit(fresh(), symbols, steps=1, out=out)
        with pytest.raises(TrainingError, match=r"is complete: there is no .*checkpoint to resume"):
            gemel.fit(fresh(), symbols, steps=1, out=out, resume=True)

    def test_nowhere_to_write(self, symbols: Items, tmp_path: Path) -> None:
        for out, what in ((tmp_path, "is a folder"), (tmp_path / "no" / "a", "does not exist")):
            with pytest.raises(SettingsError, match=what):
                gemel.fit(fresh(), symbols, steps=1, out=out)

    @pytest.mark.parametrize(
        "words", [{"rate": -1.0}, {"patience": 0}, {"validations": 0}, {"rate": math.inf}]
    )
    def test_impossible_settings(self, symbols: Items, words: dict[str, float]) -> None:
        with pytest.raises(SettingsError, match=f"`{next(iter(words))}` must be"):
            gemel.fit(fresh(), symbols, steps=1, **words)  # type: ignore[arg-type]

    def test_resume_without_a_checkpoint_starts_anew(self, symbols: Items, tmp_path: Path) -> None:
        done = gemel.fit(fresh(), symbols, steps=2, out=tmp_path / "a.gemel", resume=True)
        assert done.steps == 2


def test_reversed_pairs_are_refused_before_training(symbols: Items, small_model: Siamese) -> None:
    left, right, same = gemel.trials.item_pairs(symbols, most=300, seed=0)
    backwards = Pairs(symbols.values, left, right, ~same)
    with pytest.raises(DataError, match="the other way round"):
        gemel.fit(small_model, backwards, steps=1)


def test_one_class_is_refused_before_it_is_read(small_model: Siamese) -> None:
    one = Items(["absent.png", "gone.png"], np.array(["ada", "ada"]), name="photos")
    with pytest.raises(DataError, match="photos: expected two or more classes, got one class only"):
        gemel.fit(small_model, one, steps=1)


def test_marks_hold_all_that_was_looked_at(symbols: Items, small_model: Siamese) -> None:
    first, second = symbols.split_classes(0.5, seed=0)
    gemel.fit(small_model, first, validation=second, steps=1)
    for part in (first, second):
        assert any("were" in warning for warning in gemel.evaluate(small_model, part).warnings)
    other = gemel.data.drawn(alphabets=2, characters=4, drawers=4, size=16, seed=99)
    assert gemel.evaluate(small_model, other).warnings == ()
    gemel.fit(small_model, other, validation=None, steps=1)
    assert gemel.evaluate(small_model, first).warnings  # not forgotten


def test_pairs_of_one_kind_are_not_held_out(symbols: Items) -> None:
    left, right, same = gemel.trials.item_pairs(symbols, most=9, seed=0)
    chosen = np.concatenate([np.arange(9), [9]])  # nine same pairs, and one different
    few = Pairs(symbols.values, left, right, same).take(chosen)
    kept, held = hold_out_items(few, 0.2, 0)
    assert held is None
    assert kept is few
