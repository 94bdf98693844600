"""`bench engine`: what the engine costs, beside plain psycopg doing the same durable writes.

Through the same `create`, drains and contracts as production, with history on; the rows are
counted in SQL after each part.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from publishing.benches.engine import accidents, claiming, creating, crowd, throughput
from publishing.benches.engine.peers import measure_peers
from publishing.benches.report import BenchError, Figure, Report, Size
from publishing.benches.scratch import scratch_database

PARTS: Mapping[str, Callable[[Size, Counter[str]], list[Figure]]] = {
    "throughput": throughput.measure,
    "alone": throughput.measure_alone,
    "creates": creating.measure,
    "claims": claiming.measure,
    "accidents": accidents.measure,
    "crowd": crowd.measure,
}


def measure(size: Size, *, only: Collection[str] = (), peers: Path | None = None) -> Report:
    """Run the parts in a scratch database.

    Args:
        only: names of parts; none means all.
        peers: folder with the peers' benches, run beside; None leaves them out.

    Raises:
        BenchError: no part has such a name, or the database does not hold what was counted.
    """
    if unknown := set(only) - PARTS.keys():
        raise BenchError(f"no part is named {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    done, figures = Counter[str](), list[Figure]()
    with scratch_database():
        for name, part in PARTS.items():
            if name in only or not only:
                figures += part(size, done)
        if peers is not None:
            figures += measure_peers(peers)
    return Report("engine", size, figures, dict(done))
