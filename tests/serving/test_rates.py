"""Rates: against a bucket of exact fractions, and what many names gain."""

import threading
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import SettingsError
from gemel.serving.rates import Rates, client_of


class Clock:
    """Seconds, set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    st.sampled_from([15, 30, 60, 240]),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=60),
)
def test_as_a_bucket_of_fractions(
    per_minute: int, burst: int, asked: list[tuple[str, int]]
) -> None:
    """Steps of an eighth of a second, whose sums are exact."""
    clock = Clock()
    rates = Rates(per_minute, burst, clock=clock)
    tokens = dict.fromkeys("abc", Fraction(burst))
    for client, eighths in asked:
        clock.now += eighths / 8
        gained = Fraction(eighths, 8) * Fraction(per_minute, 60)
        tokens = {name: min(one + gained, Fraction(burst)) for name, one in tokens.items()}
        if tokens[client] >= 1:
            assert rates.wait(client) == 0.0
            tokens[client] -= 1
        else:
            expected = (1 - tokens[client]) / Fraction(per_minute, 60)
            assert rates.wait(client) == pytest.approx(float(expected))


@given(st.floats(0.01, 1e5), st.integers(1, 20), st.floats(0, 1e6))
def test_who_waits_as_told_is_let_in(per_minute: float, burst: int, start: float) -> None:
    clock = Clock()
    clock.now = start
    rates = Rates(per_minute, burst, clock=clock)
    assert [rates.wait("a") for _ in range(burst)] == [0.0] * burst
    seconds = rates.wait("a")
    assert seconds == pytest.approx(60 / per_minute)
    clock.now += seconds / 2
    assert rates.wait("a") == pytest.approx(seconds / 2, rel=1e-4)
    clock.now += seconds * 0.501
    assert rates.wait("a") == 0.0


def test_the_seconds_told_are_enough_whatever_their_rounding() -> None:
    clock = Clock()
    clock.now = 123_456.7
    for per_minute in range(1, 61):
        rates = Rates(per_minute, 1, clock=clock)
        assert rates.wait("a") == 0.0
        clock.now += rates.wait("a")
        assert rates.wait("a") == 0.0


def test_a_clock_that_falls_neither_fills_nor_locks_out() -> None:
    clock = Clock()
    clock.now = 1000.0
    rates = Rates(60, 2, clock=clock)
    assert [rates.wait("a"), rates.wait("a")] == [0.0, 0.0]
    clock.now = 10.0
    assert rates.wait("a") == 1.0
    clock.now = 11.0
    assert rates.wait("a") == 0.0
    assert rates.wait("a") == 1.0


def test_memory_is_bounded_and_the_longest_silent_goes() -> None:
    clock = Clock()
    rates = Rates(60, 2, most_clients=3, clock=clock)
    for client in "abca":
        assert rates.wait(client) == 0.0
    clock.now = 1.0  # b and c are full again, a is not
    assert rates.wait("d") == 0.0
    assert len(rates) == 3
    assert rates.wait("a") == 0.0
    assert rates.wait("a") == 1.0  # a was remembered: b went


def test_ever_new_names_gain_what_one_name_has() -> None:
    clock = Clock()
    rates = Rates(60, 5, most_clients=20, clock=clock)
    for number in range(20):
        for _ in range(5):
            assert rates.wait(f"a{number}") == 0.0
    assert sum(rates.wait(f"b{number}") == 0.0 for number in range(1000)) == 5
    assert len(rates) == 20
    clock.now = 2.0
    assert sum(rates.wait(f"c{number}") == 0.0 for number in range(1000)) == 2


@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0, 0, 0, 1, 9])), max_size=200),
)
def test_many_names_get_no_more_than_those_with_room_and_one(
    room: int, burst: int, asked: list[tuple[int, int]]
) -> None:
    """However names come and go: a bucket for each that there is room for, and a shared one."""
    clock = Clock()
    rates = Rates(60, burst, most_clients=room, clock=clock)
    admitted = dict.fromkeys(range(13), 0)
    for number, seconds in asked:
        clock.now += seconds
        admitted[number] += rates.wait(str(number)) == 0.0
        assert len(rates) <= room
        bucket = burst + clock.now
        assert sum(admitted.values()) <= (room + 1) * bucket
        assert all(one <= 2 * bucket for one in admitted.values())


def test_who_is_limited_gains_little_by_a_flood() -> None:
    """At most the bucket that strangers share, and that only by outrunning all of them."""
    clock = Clock()
    rates = Rates(6, 5, most_clients=20, clock=clock)
    admitted = 0
    for second in range(60):
        clock.now = float(second)
        admitted += sum(rates.wait("me") == 0.0 for _ in range(6))
        for number in range(30):
            rates.wait(f"{second} {number}")
    own = 5 + 6 * 59 / 60
    assert 5 <= admitted <= 2 * own


def test_one_that_was_forgotten_begins_with_nothing() -> None:
    clock = Clock()
    rates = Rates(60, 4, most_clients=1, clock=clock)
    assert [rates.wait("a") for _ in range(4)] == [0.0] * 4
    assert rates.wait("b") == 0.0  # from the bucket that strangers share
    assert rates.wait("b") == 1.0
    assert rates.wait("a") == 0.0
    assert rates.wait("a") == 1.0


def test_threads_share_one_bucket() -> None:
    rates = Rates(1, 500, clock=lambda: 0.0)
    passed: list[int] = []

    def ask() -> None:
        passed.append(sum(rates.wait("a") == 0.0 for _ in range(400)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 500


@pytest.mark.parametrize("rate", [0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none(rate: float) -> None:
    with pytest.raises(SettingsError, match="requests a minute"):
        Rates(rate, 1)


@pytest.mark.parametrize(("burst", "most"), [(0, 1), (1, 0)])
def test_numbers_that_are_too_small(burst: int, most: int) -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        Rates(1, burst, most)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_who_is_behind_an_address(address: str, client: str) -> None:
    assert client_of(address) == client
