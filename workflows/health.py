"""What a supervisor asks: do workers live, do they take what is due, and what should be done?

Only what workers themselves are to blame for is a failure; a worker of another host that vanished
or a deploy half done is a warning, so that a supervisor does not restart those that are well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from workflows.registry import code_version
from workflows.statements import execute
from workflows.statements.health import DRAINS, OVERDUE_SCHEDULES, QUEUE, WAITING_FOR_CODE

COUNTED_MOST = 10_000  # more instances than these are "10000 or more"
LEASES_UNCLAIMED = 2  # a drain with a free thread takes what is due within 0.2 s
SCHEDULE_PATIENCE = timedelta(minutes=1)  # every keeper of workers starts what is due each second


@dataclass(frozen=True)
class DrainHealth:
    """One drain that has not ended.

    Attributes:
        beats: False if its lease has lapsed: it is taken for dead.
        beat_seconds_ago: since its last beat.
        abandoned: its threads that were given up because their step never returned.
        owns: instances that it has claimed.
    """

    id: int
    cluster: str
    host: str
    pid: int
    code_version: str
    threads: int
    leaving: bool
    beats: bool
    beat_seconds_ago: float
    abandoned: int
    owns: int


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        code: a stable word for programs.
        remedy: what to do, in the imperative.
        is_failure: whether health fails for it; else it is a warning.
    """

    code: str
    message: str
    remedy: str
    is_failure: bool


@dataclass(frozen=True)
class Health:
    """The state of the workers at one moment, on the database's clock.

    Attributes:
        drains: that have not ended, lapsed ones included.
        due: instances that want a worker now, counted up to `COUNTED_MOST`.
        queue_age_seconds: how long the oldest of them has waited; None if none is due.
        open_age_seconds: the same of those that no limit of 0 holds back.
        overdue_schedules: names, the longest overdue first.
        waiting_for_code: instances that no living worker can run, counted up to `COUNTED_MOST`.
    """

    at: datetime
    drains: list[DrainHealth]
    due: int
    queue_age_seconds: float | None
    open_age_seconds: float | None
    overdue_schedules: list[str]
    waiting_for_code: int
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_healthy(self) -> bool:
        """Whether workers live and take what is due."""
        return not any(finding.is_failure for finding in self.findings)

    @property
    def beating(self) -> list[DrainHealth]:
        """The drains that live."""
        return [drain for drain in self.drains if drain.beats]

    @property
    def lapsed(self) -> list[DrainHealth]:
        """The drains that are taken for dead and have not ended."""
        return [drain for drain in self.drains if not drain.beats]


def read_health() -> Health:
    """Look at the engine's tables, and judge.

    Four statements, each bounded by an index: as quick at 2,000,000 instances as at none.

    Raises:
        OperationalError: the database is away.
    """
    at, due, age, open_age = execute(QUEUE, {"most": COUNTED_MOST})[0]
    health = Health(
        at=at,
        drains=[DrainHealth(*row) for row in execute(DRAINS, {})],
        due=due,
        queue_age_seconds=age,
        open_age_seconds=open_age,
        overdue_schedules=[
            row[0] for row in execute(OVERDUE_SCHEDULES, {"patience": SCHEDULE_PATIENCE})
        ],
        waiting_for_code=execute(WAITING_FOR_CODE, {"most": COUNTED_MOST})[0][0],
    )
    health.findings.extend(_findings(health))
    return health


def in_words(count: int) -> str:
    """Return a count that was bounded, as people read it."""
    return f"{count} or more" if count >= COUNTED_MOST else str(count)


def _findings(health: Health) -> Iterator[Finding]:
    yield from _about_beats(health)
    yield from _about_the_queue(health)
    yield from _about_lapsed(health)
    yield from _about_threads(health)
    yield from _about_code(health)


def _about_beats(health: Health) -> Iterator[Finding]:
    if health.beating:
        return
    wanted = f"{in_words(health.due)} instances are due" if health.due else "nothing is due"
    yield Finding(
        "no-drain",
        f"no drain beats; {wanted}",
        "start manage.py qcluster; if it runs, restart it: its cluster has wedged "
        "(django-q2 issue 23)",
        is_failure=True,
    )


def _about_the_queue(health: Health) -> Iterator[Finding]:
    drives = any(drain.owns for drain in health.beating)
    unclaimed = LEASES_UNCLAIMED * settings.WORKFLOWS_LEASE_SECONDS
    if health.beating and not drives and (health.open_age_seconds or 0) > unclaimed:
        yield Finding(
            "not-claiming",
            f"{len(health.beating)} drains beat and drive nothing, though an instance has been "
            f"due for {health.open_age_seconds:.0f} s",
            "restart manage.py qcluster on every host, and look into its log",
            is_failure=True,
        )
    if health.overdue_schedules:
        yield Finding(
            "schedules-overdue",
            f"schedules started nothing at their time: {', '.join(health.overdue_schedules)}",
            "start manage.py qcluster, which starts them; if it runs, its log says why they fail",
            is_failure=True,
        )


def _about_lapsed(health: Health) -> Iterator[Finding]:
    left = sum(drain.owns for drain in health.lapsed)
    late = LEASES_UNCLAIMED * settings.WORKFLOWS_LEASE_SECONDS
    if health.beating and any(d.owns and d.beat_seconds_ago > late for d in health.lapsed):
        yield Finding(
            "not-taken-over",
            f"{in_words(left)} instances are still owned by drains that are gone",
            "restart manage.py qcluster on every host: living drains take them over each second",
            is_failure=True,
        )
    if health.lapsed:
        hosts = ", ".join(sorted({drain.host for drain in health.lapsed}))
        yield Finding(
            "drains-lapsed",
            f"{len(health.lapsed)} drains stopped beating without having ended, on {hosts}",
            "look whether these hosts are up; what the drains drove goes on elsewhere, and their "
            "rows are forgotten after a week",
            is_failure=False,
        )


def _about_threads(health: Health) -> Iterator[Finding]:
    hung = [drain for drain in health.beating if drain.abandoned]
    if hung:
        named = ", ".join(f"{d.id} on {d.host} pid {d.pid} ({d.abandoned})" for d in hung)
        yield Finding(
            "threads-abandoned",
            f"steps never returned in drains {named}",
            "give what the steps wait for a timeout of its own (their attempts say 'timed out'); "
            "restart these workers when it suits",
            is_failure=False,
        )


def _about_code(health: Health) -> Iterator[Finding]:
    others = [drain for drain in health.beating if drain.code_version != code_version()]
    if others:
        hosts = ", ".join(sorted({drain.host for drain in others}))
        yield Finding(
            "other-code",
            f"{len(others)} drains run other code than this command's, on {hosts}",
            "finish the deploy: restart manage.py qcluster there",
            is_failure=False,
        )
    if health.waiting_for_code:
        yield Finding(
            "waiting-for-code",
            f"{in_words(health.waiting_for_code)} instances wait for code that can run them",
            "run manage.py check_instances, which says what does not fit; deploy code that does",
            is_failure=False,
        )
