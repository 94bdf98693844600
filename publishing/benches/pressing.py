"""A process of its own that asks, in several threads and without end, for what it does not get."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from django.db import connection

from publishing.benches.report import BenchError
from publishing.benches.scratch import let_connections_go

_START_SECONDS = 20.0


@contextmanager
def pressing(
    act: Callable[[], None], each_second: float | None, *, threads: int
) -> Iterator["Synchronized[int]"]:
    """Have a fork of this process do the act until the block ends; yield how often it was done.

    Args:
        act: is done once at a time by each thread, on a connection that it then gives back.
        each_second: how often by all threads together; None for as often as it can.
    """
    let_connections_go()
    context = multiprocessing.get_context("fork")
    done: Synchronized[int] = context.Value("q", 0)
    stopping, started = context.Event(), context.Event()
    pause = threads / each_second if each_second else 0.0
    process = context.Process(
        target=_press, args=(act, threads, pause, done, started, stopping), daemon=True
    )
    process.start()
    try:
        if not started.wait(_START_SECONDS):
            raise BenchError(f"nothing was asked for within {_START_SECONDS} s")
        yield done
    finally:
        stopping.set()
        process.join()
    if process.exitcode:
        raise BenchError("what was to be asked for without end failed; see above")


def _press(
    act: Callable[[], None],
    threads: int,
    pause: float,
    done: "Synchronized[int]",
    started: Event,
    stopping: Event,
) -> None:
    parent = os.getppid()  # if it is killed, nobody will say when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def work() -> None:
        while not stopping.is_set() and os.getppid() == parent:
            begun = time.monotonic()
            act()
            connection.close()
            with done.get_lock():
                done.value += 1
            started.set()
            stopping.wait(max(0.0, begun + pause - time.monotonic()) if pause else 0)

    with ThreadPoolExecutor(threads) as pool:
        workers = [pool.submit(work) for _ in range(threads)]
        for worker in workers:
            worker.result()  # one that fails ends the process with its traceback
    let_connections_go()
