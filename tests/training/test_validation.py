"""What is held out, and the figure that it gives."""

from pathlib import Path

import numpy as np
import pytest

from gemel import Items, Pairs, Siamese, inputs, measure, trials
from gemel.errors import BadItemsError
from gemel.inputs import read_items
from gemel.training.validation import Validator, hold_out, hold_out_items, read_both


def test_classes_are_disjoint(symbols: Items) -> None:
    kept, held = hold_out(symbols, 0.2, 0)
    assert isinstance(held, Items)
    assert not set(kept.classes) & set(held.classes)  # type: ignore[union-attr]
    assert len(held.classes) == 7


def test_too_few_classes_hold_out_items_instead(symbols: Items) -> None:
    few = symbols.take(np.arange(18))
    kept, held = hold_out(few, 0.1, 0)
    assert isinstance(held, Items)
    assert kept.classes == held.classes  # type: ignore[union-attr]
    assert held.name.endswith("/held-out")
    assert hold_out(symbols, 0.0, 0) == (symbols, None)


def test_groups_of_two_classes_are_not_torn_apart() -> None:
    labels = [f"s{n // 8}/{'forged' if n % 2 else 'genuine'}" for n in range(160)]
    groups = [label.split("/")[0] for label in labels]
    items = Items(np.zeros((160, 3)), np.array(labels), np.array(groups), kind="numbers")
    kept, held = hold_out(items, 0.1, 0)
    assert isinstance(held, Items)
    assert len(held.classes) == 4
    assert set(held.class_groups).isdisjoint(kept.class_groups)  # type: ignore[union-attr]
    assert len(set(held.class_groups)) == 2


def test_held_out_classes_can_be_paired() -> None:
    labels = np.array([f"c{i}" for i in range(30)] + ["c0"])
    items = Items(np.zeros((31, 4, 4), np.uint8), labels)
    assert hold_out(items, 0.2, 0) == (items, None)  # 29 classes have one item


def test_pairs_that_hang_together(symbols: Items) -> None:
    chain = Pairs(symbols.values, np.arange(9), np.arange(1, 10), np.array([True] * 8 + [False]))
    assert hold_out(chain, 0.3, 0) == (chain, None)  # else one part would be of one kind
    chain = Pairs(
        symbols.values, np.arange(9), np.arange(1, 10), np.array([True] * 6 + [False] * 3)
    )
    kept, held = hold_out(chain, 0.34, 0)
    assert (len(kept), len(held or ())) == (6, 3)


def test_bad_items_of_both_parts_are_named_together(symbols: Items, tmp_path: Path) -> None:
    parts = []
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_text("no picture")
        values = [tmp_path / f"{name}.png", *symbols.values[:8]]
        parts.append(Items(values, symbols.labels[:9]))
    with pytest.raises(BadItemsError) as caught:
        read_both(inputs.Images(16), *parts, skip_bad=False)
    assert [Path(problem.where).name for problem in caught.value.problems] == ["a.png", "b.png"]
    (train, read), other = read_both(inputs.Images(16), *parts, skip_bad=True)
    assert other is not None
    assert len(train.values) == len(read) == len(other[1]) == 8


def test_items_of_known_classes(symbols: Items) -> None:
    kept, held = hold_out_items(symbols, 0.1, 0)
    assert isinstance(held, Items)
    assert isinstance(kept, Items)
    assert kept.classes == held.classes
    assert np.bincount(held.class_ids).tolist() == [2] * 36
    assert len(kept) + len(held) == len(symbols)
    lonely = symbols.take(np.concatenate([np.arange(3), np.arange(6, 12)]))
    assert hold_out_items(lonely, 0.5, 0) == (lonely, None)
    assert hold_out_items(symbols, 0.0, 0) == (symbols, None)


def test_few_items_of_a_class_need_no_drawers(symbols: Items, small_model: Siamese) -> None:
    assert "drawer" in symbols.details
    _, held = hold_out_items(symbols, 0.1, 0)
    assert isinstance(held, Items)
    validator = Validator(small_model, *read_items(small_model.input, held), seed=0)
    assert 0 < validator.figure() <= 1


def test_pairs_by_pair(symbols: Items) -> None:
    left, right, same = trials.item_pairs(symbols, most=50, seed=0)
    kept, held = hold_out_items(Pairs(symbols.values, left, right, same), 0.2, 0)
    assert isinstance(held, Pairs)
    assert (len(kept), len(held)) == (80, 20)
    assert held.same.sum() == 10


@pytest.mark.parametrize("as_pairs", [True, False])
def test_figure_and_threshold(symbols: Items, small_model: Siamese, as_pairs: bool) -> None:
    left, right, same = trials.item_pairs(symbols, most=200, seed=0)
    held: Items | Pairs = Pairs(symbols.values, left, right, same) if as_pairs else symbols
    validator = Validator(small_model, *read_items(small_model.input, held), seed=0)
    assert validator.figure() == validator.figure()
    if not as_pairs:
        left, right, same = trials.item_pairs(symbols, seed=0)
        assert validator.figure() == measure.one_shot(small_model, symbols, trials=1000).value
    found = small_model.distances(*[small_model.embed(symbols)] * 2).numpy()[left, right]
    accuracies = [((found <= cut) == same).mean() for cut in found]
    assert ((found <= validator.threshold()) == same).mean() == pytest.approx(max(accuracies))
