"""The four kinds of comparer, from training to file: what each allows, and what it measures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import gemel
from gemel import Items, Pairs, Siamese, encoders, evaluation, inputs, losses, metrics, trials
from gemel.embedded import Embedded
from gemel.encoders import Conv, Dense
from gemel.errors import BadItemsError, DataError, SettingsError
from gemel.inputs import read_items
from gemel.items import Side
from gemel.recipes import choose

SIZE = 16


def small(dim: int = 8) -> Conv:
    return Conv(width=(4, 8), dim=dim)


def make(form: str) -> Siamese:
    images = inputs.Images(SIZE, channels=1)
    match form:
        case "twin":
            return Siamese(images, small(), metrics.Cosine())
        case "pseudo-twin":
            return Siamese(images, encoders.Sides(small(), small()), metrics.Cosine())
        case "half-twin":
            given = inputs.Sides(images, inputs.Images(8, channels=1))
            both = encoders.Sides(small(), Conv(width=(8, 8), dim=8))
            return Siamese(given, both, metrics.Cosine())
        case _:
            return Siamese(images, encoders.Joint(small(1)))


FORMS = ["twin", "pseudo-twin", "half-twin", "joint comparer"]
each_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture
def few(symbols: Items) -> Items:
    """Two alphabets of six symbols by six drawers."""
    return symbols.take(np.isin(symbols.groups, np.unique(symbols.groups)[:2]), "few")


@each_form
def test_a_comparer_says_what_it_is_and_what_it_allows(form: str) -> None:
    found = make(form).form
    assert found.name == form
    assert "compare" in found.verbs
    assert ("embed" in found.verbs) == (form != "joint comparer")


@each_form
def test_distances_are_those_of_single_comparisons(form: str, few: Items) -> None:
    model = make(form)
    embedded = Embedded(model, read_items(model.input, few)[1])
    left, right = np.array([0, 3, 20, 41]), np.array([5, 3, 0, 7])
    one_by_one = [
        model.compare(few.values[a], few.values[b]).distance
        for a, b in zip(left, right, strict=True)
    ]
    np.testing.assert_allclose(embedded.distances(left, right), one_by_one, atol=2e-6)
    rows = embedded.to_all(left)
    assert rows.shape == (4, len(few))
    np.testing.assert_allclose(rows[np.arange(4), right], one_by_one, atol=2e-6)


def test_means_of_references_stand_on_the_right(few: Items) -> None:
    model = make("half-twin")
    embedded = Embedded(model, read_items(model.input, few)[1])
    query, support = np.array([40]), np.array([[[0, 1], [6, 7]]])
    found = embedded.comparison(2)(query, support)
    u, v = model.embed([few.values[40]], "left"), model.embed(few, "right")
    v = nn.functional.normalize(v, dim=1)
    cosine = nn.CosineSimilarity(dim=0)
    wanted = [1 - float(cosine(u[0], v[list(way)].mean(0))) for way in ([0, 1], [6, 7])]
    np.testing.assert_allclose(found, [wanted], atol=1e-5)


@each_form
@pytest.mark.parametrize("kind", ["pairs", "triplets", "labels", "labels in pairs"])
def test_training_tells_same_from_different(form: str, kind: str, few: Items) -> None:
    model = make(form)
    loss: nn.Module = {
        "pairs": losses.PairCrossEntropy(scale=4.0, threshold=0.5, learn=True),
        "triplets": losses.TripletHinge(margin=0.3),
        "labels": losses.SupervisedContrastive(),
        "labels in pairs": losses.NPair(),
    }[kind]
    if form == "joint comparer" and kind.startswith("labels"):
        with pytest.raises(SettingsError, match="a joint comparer has no embeddings for a loss"):
            gemel.fit(model, few, loss=loss, steps=1, validation=None)
        return
    left, right, same = trials.item_pairs(few, most=500, seed=0)

    def told_apart() -> float:
        embedded = Embedded(model, read_items(model.input, few)[1])
        return evaluation.auc(embedded.distances(left, right), same)

    before = told_apart()
    gemel.fit(model, few, loss=loss, steps=60, rate=1e-2, validation=None, seed=1)
    assert told_apart() > max(0.65, before + 0.1)


@each_form
def test_the_default_loss_trains_every_comparer(form: str, few: Items) -> None:
    model = make(form)
    done = gemel.fit(model, few, steps=10, validation=few, validations=1)
    assert done.validation is not None
    assert model.threshold is not None


@each_form
def test_saved_and_loaded_it_measures_the_same(form: str, few: Items, tmp_path: Path) -> None:
    model = make(form)
    model.save(tmp_path / "a.gemel")
    again = gemel.load(tmp_path / "a.gemel")
    assert again.form == model.form
    assert again.fingerprint == model.fingerprint
    a, b = few.values[0], few.values[20]
    assert again.compare(a, b) == model.compare(a, b)
    assert gemel.evaluate(again, few, trials=20).figures == (
        gemel.evaluate(model, few, trials=20).figures
    )


def test_a_foreign_part_inside_is_given_at_load(few: Items, tmp_path: Path) -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2 * SIZE * SIZE, 1)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.layer(batch.flatten(1))
            return out

    model = Siamese(inputs.Images(SIZE, channels=1), encoders.Joint(Own()))
    model.save(tmp_path / "own.gemel")
    again = gemel.load(tmp_path / "own.gemel", encoder=encoders.Joint(Own()))
    a, b = few.values[0], few.values[20]
    assert again.compare(a, b) == model.compare(a, b)


def test_a_joint_comparer_has_no_embedding() -> None:
    model = make("joint comparer")
    for ask in (lambda: model.embed([]), lambda: model.embed([], "left")):
        with pytest.raises(SettingsError, match=r"no gallery and no search; ask compare\(a, b\)"):
            ask()
    with pytest.raises(SettingsError, match="no metric between them"):
        model.distances(torch.rand(2, 3), torch.rand(2, 3))


def test_a_side_must_be_named_where_the_sides_differ(few: Items) -> None:
    model = make("pseudo-twin")
    with pytest.raises(SettingsError, match="this pseudo-twin has an encoder for each side"):
        model.embed(few)
    with pytest.raises(SettingsError, match="`side` must be 'left' or 'right'; got 'middle'"):
        model.embed(few, "middle")  # type: ignore[arg-type]
    assert not torch.equal(model.embed(few, "left"), model.embed(few, "right"))


PICTURES = inputs.Images(SIZE, channels=1)


@pytest.mark.parametrize(
    ("given", "encoder", "metric", "said"),
    [
        (PICTURES, encoders.Joint(small(1)), metrics.Cosine(), "leave the metric out"),
        (PICTURES, small(), None, "give a metric, such as"),
        (inputs.Sides(PICTURES, PICTURES), small(), metrics.Cosine(), "needs an encoder for each"),
        (
            PICTURES,
            encoders.Sides(small(4), small(5)),
            metrics.Cosine(),
            "embeddings of 4 numbers and the right one of 5",
        ),
    ],
)
def test_parts_that_do_not_go_together(
    given: inputs.AnyInput, encoder: nn.Module, metric: metrics.Metric | None, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        Siamese(given, encoder, metric)


def test_a_joint_comparer_averages_no_views() -> None:
    with pytest.raises(SettingsError, match="a joint comparer has no warped views"):
        Siamese(PICTURES, encoders.Joint(small(1)), views=2)


def test_two_encoders_keep_no_axiom_but_that_no_distance_is_negative(few: Items) -> None:
    model = make("pseudo-twin")
    embedded = Embedded(model, read_items(model.input, few)[1])
    d = embedded.to_some(np.arange(12), np.arange(12))
    assert (d >= 0).all()
    assert (d.diagonal() > 1e-4).all()  # f(x) is not g(x)
    assert np.abs(d - d.T).max() > 1e-3  # left to right is not right to left
    # only the mixed triangle is left: d(x, y) <= d(x, y') + d(x', y') + d(x', y), of a metric
    model = make("half-twin")
    d = Embedded(model, read_items(model.input, few)[1]).to_some(np.arange(12), np.arange(12))
    around = d[:, None, None, :] <= (
        d[:, :, None, None] + d.T[None, :, :, None] + d[None, None, :, :] + 1e-5
    )
    assert around.all()


def test_warps_may_differ_by_side(few: Items) -> None:
    seen: dict[str, set[tuple[int, ...]]] = {"left": set(), "right": set()}

    def noting(side: str) -> gemel.training.step.Warp:
        def warp(batch: torch.Tensor, _: torch.Generator) -> torch.Tensor:
            seen[side].add(tuple(batch.shape[1:]))
            return batch

        return warp

    warps: Mapping[Side, gemel.training.step.Warp | None]
    warps = {"left": noting("left"), "right": noting("right")}
    gemel.fit(make("half-twin"), few, augment=warps, steps=2, validation=None)
    assert seen == {"left": {(1, SIZE, SIZE)}, "right": {(1, 8, 8)}}


class TestPicturesAgainstNumbers:
    """A half-twin of two kinds: a drawing on the left, the numbers that name it on the right."""

    @pytest.fixture
    def pairs(self, few: Items) -> Pairs:
        """Each drawing with the one-hot row of its own class, and with that of another."""
        names = np.eye(len(few.classes))
        values = [*few.values, *names]
        rows = np.arange(len(few))
        other = (few.class_ids + 1 + rows % (len(names) - 1)) % len(names)
        return Pairs(
            values,
            left=np.concatenate([rows, rows]),
            right=len(few) + np.concatenate([few.class_ids, other]),
            same=np.repeat([True, False], len(few)),
            right_kind="numbers",
            name="drawn and named",
        )

    @pytest.fixture
    def model(self, few: Items) -> Siamese:
        given = inputs.Sides(inputs.Images(SIZE, channels=1), inputs.Numbers(len(few.classes)))
        return Siamese(given, encoders.Sides(small(), Dense((16,), 8)), metrics.Cosine())

    def test_it_learns_to_match_them(self, model: Siamese, pairs: Pairs) -> None:
        before = gemel.evaluate(model, pairs).verification.auc.value
        gemel.fit(model, pairs, steps=60, rate=1e-2, validation=None)
        after = gemel.evaluate(model, pairs).verification.auc.value
        assert after > max(0.9, before)
        assert model.compare(pairs.values[0], pairs.values[pairs.right[0]]).distance < 0.5

    def test_a_side_takes_its_own_kind(self, model: Siamese, few: Items, pairs: Pairs) -> None:
        with pytest.raises(SettingsError, match="few holds images as right items"):
            gemel.evaluate(model, few)
        twin = make("twin")
        with pytest.raises(SettingsError, match="drawn and named holds numbers"):
            gemel.evaluate(twin, pairs)
        assert model.embed(np.eye(len(few.classes)), "right").shape == (len(few.classes), 8)

    def test_bad_items_of_both_sides_are_named_together(
        self, model: Siamese, pairs: Pairs, tmp_path: Path
    ) -> None:
        values = list(pairs.values)
        values[3] = tmp_path / "missing.png"
        values[-1] = np.full(len(values[-1]), np.nan)
        bad = Pairs(values, pairs.left, pairs.right, pairs.same, right_kind="numbers")
        with pytest.raises(BadItemsError) as caught:
            read_items(model.input, bad)
        assert len(caught.value.problems) == 2
        known, prepared = read_items(model.input, bad, skip_bad=True)
        gone = (pairs.left == 3) | (pairs.right == len(values) - 1)
        assert len(known) == len(pairs) - gone.sum()
        assert len(prepared.skipped) == 2
        whole = Embedded(model, read_items(model.input, pairs)[1])
        left = Embedded(model, prepared).distances(known.left, known.right)
        right = whole.distances(pairs.left[~gone], pairs.right[~gone])
        np.testing.assert_allclose(left, right, atol=1e-6)

    def test_an_item_cannot_be_of_both_kinds(self, pairs: Pairs) -> None:
        with pytest.raises(DataError, match="stands on both sides"):
            Pairs(pairs.values, pairs.left, pairs.left, pairs.same, right_kind="numbers")

    def test_an_item_is_not_read_for_the_other_side(self, model: Siamese, pairs: Pairs) -> None:
        prepared = read_items(model.input, pairs)[1]
        with pytest.raises(SettingsError, match="stands on the other side of all its pairs"):
            Embedded(model, prepared).distances(pairs.right, pairs.left)

    def test_from_a_csv(self, few: Items, tmp_path: Path) -> None:
        from PIL import Image

        rows = ["left,right,same"]
        for item in (0, 1, 30, 31):
            Image.fromarray(np.asarray(few.values[item])).save(tmp_path / f"{item}.png")
            rows += [f"{item}.png,{item} 0.5 1,true", f"{item}.png,9 9 9,false"]
        (tmp_path / "pairs.csv").write_text("\n".join(rows))
        read = gemel.data.pairs_csv(tmp_path / "pairs.csv")
        assert (read.kind, read.right_kind, len(read)) == ("images", "numbers", 8)
        assert repr(read).endswith("of 9 images and numbers>")
        assert read.values[read.right[2]] == (1.0, 0.5, 1.0)


def test_a_model_is_ready_to_measure(few: Items, tmp_path: Path) -> None:
    """New and loaded models are in evaluation mode, where Hamming distances are counts of bits."""
    model = Siamese(inputs.Images(SIZE, channels=1), small(), metrics.Hamming())
    model.save(tmp_path / "a.gemel")
    for ready in (model, gemel.load(tmp_path / "a.gemel")):
        u = ready.embed(few)
        assert (ready.metric(u, u) == 0).all()
        assert not ready.training
    model.train()
    embedded = Embedded(model, read_items(model.input, few)[1])
    query, support = np.array([40]), np.array([[[0, 1, 2], [6, 7, 8]]])
    found = embedded.comparison(3)(query, support)
    bits = metrics.codes(u).float() * 2 - 1
    voted = bits[torch.from_numpy(support[0])].sum(1) > 0
    wanted = (voted != metrics.codes(u)[40]).sum(1)
    np.testing.assert_array_equal(found[0], wanted)


def test_a_joint_network_of_many_numbers_is_refused() -> None:
    with pytest.raises(SettingsError, match="Make it with dim=1"):
        Siamese(PICTURES, encoders.Joint(small(8)))


def test_numbers_of_two_lengths_make_a_half_twin(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = ["left_1,left_2,left_3,right_1,right_2,same"]
    for place in range(40):
        cells = ",".join(f"{value:.3f}" for value in generator.normal(size=5))
        rows.append(f"{cells},{'yes' if place % 2 else 'no'}")
    (tmp_path / "two.csv").write_text("\n".join(rows))
    pairs = gemel.data.pairs_csv(tmp_path / "two.csv")
    recipe = choose(pairs)
    model = Siamese(recipe.input, recipe.encoder, recipe.metric)
    gemel.fit(model, pairs, steps=2, validation=None)
    assert model.form.name == "half-twin"
    assert model.compare([1.0, 2.0, 3.0], [1.0, 2.0]).distance >= 0
