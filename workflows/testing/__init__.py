"""A kit for authors of steps: run a graph in the test's own process, and break it on purpose.

Everything goes through the real engine and the test's own database: the instance is created,
claimed, driven and recorded as a worker would. Nothing is patched; time is skipped by moving the
moments that the database holds. So the test must have no transaction around it: Django's
`TransactionTestCase`, or `@pytest.mark.django_db(transaction=True)`.

    ran = run_graph(
        [{"step": "fetch"}, {"wait": "approval"}, {"step": "store"}],
        workflow="report",
        envelope={"url": "https://example.org/"},
        events=[Sent("approval", {"by": "ann"})],
        forced={"fetch": [RetryableError("busy")], "store": [Crash(), Timeout()]},
    )
    assert ran.status == Status.COMPLETE
    assert ran.tries == [("fetch", "failed"), ("store", "lost"), ("store", "timed out")]

`run_instance` does the same to an instance that your own code has created.
`assert_replay_safe` looks at one step.
"""

from workflows.testing.graph_runs import GraphRun, run_graph, run_instance
from workflows.testing.replays import assert_replay_safe
from workflows.testing.scripts import Crash, Forced, Sent, Timeout

__all__ = [
    "Crash",
    "Forced",
    "GraphRun",
    "Sent",
    "Timeout",
    "assert_replay_safe",
    "run_graph",
    "run_instance",
]
