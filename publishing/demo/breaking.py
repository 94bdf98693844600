"""`demo --break`: workers are killed in mid-article, and one cover cannot be stored.

Both are real. The uploads of covers hang, so that SIGKILL meets the workers in mid-article; then
they work, and the articles go on where they were. For one more article the store answers 403
until its instance has given up; from then on a retry in the admin succeeds.
"""

import mimetypes
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from django.core.files.base import ContentFile
from django.db import connections

from publishing.demo.client import Answer
from publishing.demo.errors import DemoError
from publishing.demo.object_server import ObjectServer, Refusal, StoredObject
from publishing.demo.sample import SampleRun
from publishing.providers.objects import ContentAddressedFileStorage
from workflows.models import Drain
from workflows.processes import Process, descendants_of

BROKEN_LANE = "business"
BUCKET = "demo"
RETRY_AFTER_SECONDS = 1  # asked for with the 403, so that the last retry comes after seconds
KILLED_AT = "cover"
LOOK_SECONDS = 0.02


class BreakableStore(ObjectServer):
    """An S3 server whose uploads can hang or be refused; what it stores is kept in a folder.

    The folder is the one that the file storage uses, so that covers are there without it too.

    Attributes:
        hangs: uploads that come now are never answered; their sender is to be killed.
        refuses: uploads are answered with 403 AccessDenied.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.hangs = False
        self.refuses = False
        self._kept = ContentAddressedFileStorage(location=folder)
        for file in folder.rglob("*.*"):
            if file.is_file():
                name = f"{BUCKET}/{file.relative_to(folder)}"
                kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
                self.objects[name] = StoredObject(file.read_bytes(), {"Content-Type": kind})

    def put(self, name: str, stored: StoredObject, *, only_if_new: bool) -> Refusal | None:
        """Store the object, unless this is a time of trouble."""
        if self.hangs:
            threading.Event().wait()  # for ever: nobody is left to be answered
        if self.refuses:
            return Refusal(403, retry_after=RETRY_AFTER_SECONDS)
        refusal = super().put(name, stored, only_if_new=only_if_new)
        if refusal is None:
            self._kept.save(name.removeprefix(f"{BUCKET}/"), ContentFile(stored.body))
        return refusal

    def environment(self) -> dict[str, str]:
        """Return the settings of processes that keep their covers here."""
        return {
            "S3_ENDPOINT_URL": self.url,
            "S3_BUCKET": BUCKET,
            "S3_ACCESS_KEY_ID": "demo",
            "S3_SECRET_ACCESS_KEY": "demo",
            "S3_PUBLIC_URL": f"{self.url}/{BUCKET}",
        }


def publish_with_kill(
    run: SampleRun, briefs: Sequence[Answer], store: BreakableStore, workers: int
) -> None:
    """Publish the briefs, and kill the workers once an article has come as far as its cover.

    Args:
        run: posts and shows.
        briefs: to publish.
        store: where covers go.
        workers: pid of the workers' head, which stays alive.

    Raises:
        DemoError: a step that had finished before the kill ran again after it.
    """
    store.hangs = True
    instance_ids = [run.post(brief) for brief in briefs]
    run.follow(instance_ids, until=lambda answer: _stage_at_work(answer) == KILLED_AT)
    if not any(_stage_at_work(run.answers[instance_id]) for instance_id in instance_ids):
        store.hangs = False
        run.print("nothing was at work, so nobody was killed: set DATA_DIR to an empty folder")
        return
    killed = _kill_workers(workers)
    # Only now, that the dead can finish nothing more, and before anybody else gets past a cover.
    before = run.read(instance_ids)
    store.hangs = False
    run.print(f"\nkilled the workers in mid-article: SIGKILL to {', '.join(map(str, killed))}")
    run.follow(instance_ids)
    for answer in before:
        if _stage_at_work(answer):
            run.print(_told_resume(answer, run.answers[answer["instance_id"]]))


def publish_with_broken_cover(run: SampleRun, brief: Answer, store: BreakableStore) -> str | None:
    """Publish a brief whose cover is refused until its instance is errored.

    Returns its instance ID; None if the article is live, from an earlier run.
    """
    store.refuses = True
    run.print(f"\nnow the store refuses the cover of {brief['brief_id']}, until it is given up")
    instance_id = run.post(brief)
    run.follow([instance_id])
    store.refuses = False
    return instance_id if run.answers[instance_id]["status"] == "errored" else None


def _kill_workers(head: int) -> list[int]:
    """Send SIGKILL to the workers of this demo that hold a drain; return their pids."""
    own = descendants_of(head)
    standing = [
        Process(host=drain.host, pid=drain.pid, started=drain.process_started)
        for drain in Drain.objects.filter(ended_at=None, pid__in=own).order_by("pid")
    ]
    connections.close_all()
    killed = [process for process in standing if process.is_here() and not process.is_gone()]
    for process in killed:
        os.kill(process.pid, signal.SIGKILL)
    while not all(process.is_gone() for process in killed):
        time.sleep(LOOK_SECONDS)
    return [process.pid for process in killed]


def _told_resume(before: Answer, after: Answer) -> str:
    """Say where the instance resumed; what had finished must have kept its record."""
    finished = [step for step in before["steps"] if step["status"] == "complete"]
    again = [step["name"] for step in finished if step not in after["steps"]]
    if again:
        raise DemoError(f"{before['instance_id']}: {', '.join(again)} ran again after the kill")
    resumed = next((step for step in after["steps"] if step["attempts"] > 1), None)
    place = f"{resumed['name']}, attempt {resumed['attempts']}" if resumed else "its next stage"
    kept = ", ".join(step["name"] for step in finished) or "nothing yet"
    return f"{before['lane']:<10} resumed at {place}; no finished step ran again: {kept}"


def _stage_at_work(answer: Answer) -> str | None:
    running = (step["name"] for step in answer["steps"] if step["status"] == "running")
    return next(running, None)
