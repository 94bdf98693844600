"""Whom a lane that has spent its day hurts: another lane's reserves beside one that keeps asking.

Who asks takes the processor from others, whatever it asks for; so the yardstick is as many threads
that read for as long and never meet the ledger. What stands above it is the ledger's own doing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from statistics import quantiles

from django.db import connection

from publishing.benches.pressing import pressing
from publishing.benches.report import BenchError, Figure
from publishing.benches.reserving import HOLD, TIMEOUT, Span, call_in, repeat, reserve_one
from publishing.ledger.reserve import Hold, reserve
from publishing.ledger.settle import lose
from publishing.models import Cap
from workflows.errors import Park

FULL = "full"  # the lane that has spent its day
PRESSERS = 8  # threads that ask for it
# What wakes parked instances lets go at most so many a second (publishing.ledger.waking.PACE).
WOKEN_A_SECOND = 200.0
# A refusal reads six times, and takes the time of so many plain reads of one row.
READS_OF_A_REFUSAL = 10

_Press = tuple[Callable[[], None], float | None]


def fill_lane() -> None:
    """Have a lane that has spent all of its day's cap."""
    Cap.objects.create(scope=Cap.Scope.LANE_DAY, name=FULL, cap_micros=HOLD)
    hold = reserve(call_in(FULL), HOLD, TIMEOUT, price_version="bench")
    if not isinstance(hold, Hold):
        raise BenchError("the first call of a lane was served without a hold")
    lose(hold.call, "spent by the bench")


def measure_neighbours(span: Span, done: Counter[str]) -> list[Figure]:
    """Time another lane's reserves alone, beside the full lane, and beside mere readers."""
    taken: dict[str, list[list[float]]] = {"alone": []}
    presses = dict(_presses())
    for _ in range(span.rounds):
        taken["alone"].append(repeat(reserve_one, span.seconds))
        for name, press in presses.items():
            with pressing(*press, threads=PRESSERS):
                taken.setdefault(name, []).append(repeat(reserve_one, span.seconds))
    done["held"] += sum(len(each) for rounds in taken.values() for each in rounds)
    return [*_figures(taken, 50), *_figures(taken, 99)]


def _presses() -> Iterator[tuple[str, _Press]]:
    for pace, each_second in (("200 a second", WOKEN_A_SECOND), ("without rest", None)):
        yield f"readers, {pace}", (_read, each_second)
        yield f"a full lane, {pace}", (_ask_for_full, each_second)


def _figures(taken: dict[str, list[list[float]]], rank: int) -> Iterator[Figure]:
    """Yield a percentile of each, and what it is beside the full lane to beside the readers."""
    found = {name: [_percentile(each, rank) for each in rounds] for name, rounds in taken.items()}
    for name, values in found.items():
        beside = name if name == "alone" else f"beside {name}"
        is_yardstick = name.startswith("readers")
        yield Figure(f"reserve p{rank}, {beside}", "ms", values, is_yardstick)
    for pace in ("200 a second", "without rest"):
        pairs = zip(found[f"a full lane, {pace}"], found[f"readers, {pace}"], strict=True)
        ratios = [beside_full / beside_readers for beside_full, beside_readers in pairs]
        yield Figure(f"reserve p{rank}, full lane to readers, {pace}", "x", ratios)


def _ask_for_full() -> None:
    try:
        reserve_one(FULL)
    except Park as parked:
        if parked.reason == "budget":
            return
        raise
    raise BenchError("a lane that has spent its day was given more")


def _read() -> None:
    """Read for as long as a refusal takes, without the ledger."""
    with connection.cursor() as cursor:
        for number in range(READS_OF_A_REFUSAL):
            cursor.execute("select * from publishing_price where id = %s", [number])
            cursor.fetchall()


def _percentile(values: list[float], rank: int) -> float:
    return quantiles(values, n=100, method="inclusive")[rank - 1]
