"""The engine in numbers, as Prometheus reads them; all of them are the whole system's.

Every figure comes from the database at the moment of asking, so that it does not matter which
host is asked: scrape one, not all.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workflows.health import COUNTED_MOST, Health, read_health
from workflows.models import Outcome, Reason, Status
from workflows.statements import execute
from workflows.statements.health import OPEN, TOTALS

RECORDED = "recorded"
OUTCOMES = (RECORDED, *Outcome.values)


class EngineCollector(Collector):
    """Asks the database once for each scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; a series that may be there is always there, with 0 if need be."""
        health = read_health()
        totals = dict(execute(TOTALS, {}))
        yield _instances()
        yield from _queue(health)
        yield from _drains(health)
        yield from _totals(totals)


def render(accept: str = "") -> tuple[bytes, str]:
    """Return the metrics as text, and its media type.

    Args:
        accept: the reader's Accept header; OpenMetrics only for those that ask for it.

    Raises:
        OperationalError: the database is away.
    """
    registry = CollectorRegistry()
    registry.register(EngineCollector())
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def _instances() -> Metric:
    counted = {(Status(status), reason): count for status, reason, count in execute(OPEN, {})}
    expected = [(status, "") for status in Status if status < Status.TERMINATED]
    expected.remove((Status.WAITING, ""))
    expected += [(Status.WAITING, reason.value) for reason in Reason]
    metric = GaugeMetricFamily(
        "workflows_instances",
        "Instances that are not complete or terminated, by state and by what they wait for",
        labels=("state", "reason"),
    )
    for status, reason in dict.fromkeys([*expected, *counted]):
        metric.add_metric((status.label, reason), counted.get((status, reason), 0))
    return metric


def _queue(health: Health) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "workflows_queue_age_seconds",
        "How long the oldest instance that wants a worker has waited for one",
        value=health.queue_age_seconds or 0,
    )
    yield GaugeMetricFamily(
        "workflows_due",
        f"Instances that want a worker now, counted up to {COUNTED_MOST}",
        value=health.due,
    )
    yield GaugeMetricFamily(
        "workflows_schedules_overdue",
        "Schedules that started nothing at their time",
        value=len(health.overdue_schedules),
    )


def _drains(health: Health) -> Iterator[Metric]:
    drains = GaugeMetricFamily(
        "workflows_drains",
        "Worker slots that have not ended; a lapsed one is taken for dead",
        labels=("state",),
    )
    leaving = sum(drain.leaving for drain in health.beating)
    drains.add_metric(("beating",), len(health.beating) - leaving)
    drains.add_metric(("leaving",), leaving)
    drains.add_metric(("lapsed",), len(health.lapsed))
    yield drains
    yield GaugeMetricFamily(
        "workflows_slots",
        "Threads of the living drains: how many instances can run at once",
        value=sum(drain.threads for drain in health.beating),
    )
    yield GaugeMetricFamily(
        "workflows_running",
        "Instances that living drains have claimed",
        value=sum(drain.owns for drain in health.beating),
    )


def _totals(totals: dict[str, int]) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "workflows_attempts_total",
        "Attempts at steps that ended, by outcome; lost ones died with their process",
        labels=("outcome",),
    )
    for outcome in OUTCOMES:
        attempts.add_metric((outcome.replace(" ", "_"),), totals.get(outcome, 0))
    yield attempts
    yield CounterMetricFamily(
        "workflows_leases_lost_total",
        "Drains that found their lease lapsed while they still ran",
        value=totals.get("leases_lost", 0),
    )
    yield CounterMetricFamily(
        "workflows_threads_abandoned_total",
        "Threads that were given up because their step never returned",
        value=totals.get("abandoned", 0),
    )
