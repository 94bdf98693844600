"""A worker that stands by its row alone, and takes nothing up."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from workflows.processes import Process
from workflows.statements import drains, execute


@contextmanager
def standing_drain() -> Iterator[None]:
    """Let a drain's row beat for an hour: whoever creates then calls for none, as in production."""
    me = Process.current()
    row = {"cluster": "bench", "host": me.host, "pid": me.pid, "process_started": me.started}
    parameters = {"code_version": "", "threads": 0, "lease": timedelta(hours=1)}
    ((drain,),) = execute(drains.ENTER, row | parameters)
    yield
    execute(drains.END, {"drains": [drain]})
