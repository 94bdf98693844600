"""The peers' own benches, beside ours: each a script that prints one JSON document."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from publishing.benches.engine.yardsticks import connect
from publishing.benches.report import BenchError, Figure

SCRIPTS = {"DBOS": "bench_dbos.py", "Absurd": "bench_absurd.py"}
PATIENCE_SECONDS = 900


def measure_peers(folder: Path) -> list[Figure]:
    """Run those scripts of the folder that this machine can, on the server of the bench.

    Args:
        folder: holds `bench_dbos.py` and `bench_absurd.py`; their libraries are those of the
            Python that PEERS_PYTHON names, else of this one.

    Raises:
        BenchError: none of them could be run; with the reason of each.
    """
    figures: list[Figure] = []
    reasons: list[str] = []
    for name, script in SCRIPTS.items():
        try:
            figures += _measure(name, folder / script)
        except BenchError as error:
            reasons.append(str(error))
    if not figures:
        raise BenchError(f"no peer could be run: {'; '.join(reasons)}")
    return figures


def _measure(name: str, script: Path) -> Iterator[Figure]:
    with connect() as session:
        info = session.info
        host = quote(info.host, safe="")  # a socket's folder stands in the place of the host
        address = f"postgresql://{info.user}@{host}:{info.port}/postgres"
    ran = subprocess.run(
        [os.environ.get("PEERS_PYTHON", sys.executable), str(script), "backlog"],
        env=os.environ | {"PEERS_DSN": os.environ.get("PEERS_DSN", address)},
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if ran.returncode:
        raise BenchError(f"{script} ended with {ran.returncode}: {ran.stderr.strip()[-500:]}")
    for path, value in _numbers(json.loads(ran.stdout)):
        if "per_s" in path or "cpu_ms" in path:
            unit = "1/s" if "per_s" in path else "ms"
            yield Figure(f"{name}: {path}", unit, [value], is_yardstick=True)


def _numbers(document: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield from _numbers(value, f"{path}.{name}" if path else name)
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield path, float(document)
