"""Real processes of the product under a bench: on its scratch database, in a folder of their own.

Nothing of the operator's reaches them but the address of the server: no key, no bucket, no broker.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx2
from django.conf import settings
from django.db import connection

from publishing.benches.report import BenchError
from publishing.demo.running import GUNICORN, HOST

STARTS_WITHIN_SECONDS = 60.0
ENDS_WITHIN_SECONDS = 45.0  # more than the grace of running steps
_LAST_CHARACTERS = 2_000  # of a log, where a child has failed
_NOT_THE_OPERATORS = {
    "DJANGO_SETTINGS_MODULE": "publishing.settings",
    "DEBUG": "0",
    "ALLOWED_HOSTS": HOST,
    "SITE_URL": f"http://{HOST}",
    "Q_BROKER": "orm",
    **dict.fromkeys(
        (
            "ANTHROPIC_API_KEY",
            "CLOUDFLARE_ACCOUNT_ID",
            "CLOUDFLARE_API_TOKEN",
            "IMAGE_MODEL",
            "OPENAI_API_KEY",
            "S3_BUCKET",
            "S3_PUBLIC_URL",
            "VOYAGE_API_KEY",
        ),
        "",
    ),
}


@contextmanager
def serving(*, settings_module: str = "publishing.settings") -> Iterator[int]:
    """Run gunicorn as `dev` does until the block ends; yield its port once it answers.

    Raises:
        BenchError: it does not answer; the error has the end of its log.
    """
    listener = socket.create_server((HOST, 0))
    port: int = listener.getsockname()[1]
    held = listener.fileno()
    arguments = [*GUNICORN, "--bind", f"fd://{held}"]
    chosen = {"DJANGO_SETTINGS_MODULE": settings_module}
    with running(arguments, chosen, pass_fds=[held]) as log:
        listener.close()  # so that nobody listens any more if gunicorn ends
        try:
            httpx2.get(
                f"http://{HOST}:{port}/robots.txt", timeout=STARTS_WITHIN_SECONDS, trust_env=False
            )
        except httpx2.TransportError as error:
            raise BenchError(f"gunicorn did not answer ({error}): {_end_of(log)}") from error
        yield port


@contextmanager
def running(
    arguments: Sequence[str], environment: Mapping[str, str], *, pass_fds: Sequence[int] = ()
) -> Iterator[Path]:
    """Run `python` with the arguments until the block ends; yield its log.

    Args:
        arguments: what `python` is given.
        environment: what it gets beyond the scratch database.
        pass_fds: descriptors that it inherits, under their numbers.
    """
    with tempfile.TemporaryDirectory(prefix="presswork-bench-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=settings.BASE_DIR,
                env=os.environ | _NOT_THE_OPERATORS | _own(folder) | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
            )
        try:
            yield log
            if process.poll() is not None:
                raise BenchError(f"{arguments} ended by itself: {_end_of(log)}")
        finally:
            _end(process)


def _own(folder: str) -> dict[str, str]:
    return {
        "DATA_DIR": folder,
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": _scratch_url(),
    }


def _scratch_url() -> str:
    """Return the address of the database that this process works on."""
    of = connection.settings_dict
    login = quote(of["USER"], safe="")
    if of["PASSWORD"]:
        login += f":{quote(of['PASSWORD'], safe='')}"
    port = f":{of['PORT']}" if of["PORT"] else ""
    place = f"{quote(of['HOST'], safe='')}{port}/{quote(of['NAME'], safe='')}"
    options = {name: value for name, value in of["OPTIONS"].items() if isinstance(value, str)}
    return f"postgres://{login}@{place}" + (f"?{urlencode(options)}" if options else "")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENDS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-_LAST_CHARACTERS:] or "it printed nothing"
