"""The tree of errors, what their messages hold, and that they survive a trip between processes."""

import copy
import pickle

import pytest

from gemel import errors
from gemel.errors import BadItemsError, DataError, GemelError, Problem

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, BaseException)
]
PROBLEMS = [Problem(f"a.csv row {row}", "the label is empty") for row in range(2, 14)]


def test_one_base_catches_all() -> None:
    assert len(KINDS) >= 10
    assert all(issubclass(kind, GemelError) for kind in KINDS)


def test_tree_in_the_docstring_is_the_tree() -> None:
    """Each error stands in the drawing, right of its parent, in the order of definition."""
    lines = [line for line in (errors.__doc__ or "").splitlines() if "Error" in line]
    drawn = {line.lstrip("│├└─ ").split()[0]: line for line in lines if "──" in line}
    below_root = [kind.__name__ for kind in KINDS if kind is not GemelError]
    assert list(drawn) == below_root
    depth = {name: line.index(name) for name, line in drawn.items()} | {"GemelError": 0}
    for kind in KINDS[1:]:
        parent = next(base for base in kind.__bases__ if issubclass(base, GemelError))
        assert depth[kind.__name__] == depth[parent.__name__] + 4


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.SettingsError, ValueError),
        (errors.DataError, ValueError),
        (errors.EvaluationError, ValueError),
        (errors.MissingExtraError, ImportError),
    ],
)
def test_builtin_that_a_caller_may_expect(kind: type[GemelError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="told"):
        raise kind("told")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not BadItemsError])
def test_plain_errors_pickle(kind: type[GemelError]) -> None:
    back = pickle.loads(pickle.dumps(kind("what is wrong")))
    assert type(back) is kind
    assert str(back) == "what is wrong"


def test_problem_in_words() -> None:
    assert str(Problem("b.png", "is truncated")) == "b.png: is truncated"
    assert str(Problem("b.png", "is truncated", "copy it")) == "b.png: is truncated (copy it)"


class TestBadItems:
    def test_message(self) -> None:
        error = BadItemsError("a.csv", [Problem("a.csv row 2", "no label", "give one")])
        assert str(error).splitlines() == [
            "1 bad item in a.csv:",
            "  a.csv row 2: no label (give one)",
            "Mend them, or go on without them where it is offered: skip_bad (--skip-bad).",
        ]
        assert isinstance(error, DataError)

    @pytest.mark.parametrize("count", [0, 2, 10, 11, 12])
    def test_shows_ten_and_keeps_all(self, count: int) -> None:
        error = BadItemsError("a.csv", PROBLEMS[:count])
        lines = str(error).splitlines()
        assert error.problems == tuple(PROBLEMS[:count])
        assert lines[0] == f"{count} bad items in a.csv:"
        assert lines[1 : 1 + min(count, 10)] == [f"  {p}" for p in PROBLEMS[: min(count, 10)]]
        assert lines[11:-1] == ([f"  ... and {count - 10} more"] if count > 10 else [])

    @pytest.mark.parametrize("through", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
    def test_copies_and_pickles(self, through: object) -> None:
        assert callable(through)
        error = BadItemsError("a.csv", PROBLEMS)
        back = through(error)
        assert type(back) is BadItemsError
        assert back.problems == error.problems
        assert str(back) == str(error)
