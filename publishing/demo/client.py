"""The demo as a routine: it posts briefs and reads instances over HTTP, like any other."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx2
from django.urls import reverse

from publishing.demo.errors import SilentSiteError, StandstillError

TIMEOUT_SECONDS = 30.0
LOOK_SECONDS = 0.15
# A site whose process is gone has been noticed by then; one that only restarts a worker answers.
SILENT_SECONDS = 10.0
# Longer than any step may take with its retry; a demo that stands still so long is broken.
STILL_SECONDS = 900.0
_ENDED = {"complete", "errored", "terminated", "paused"}
_STANDING_WAITS = {"budget", "operator", "event", "code", "sleep"}

Answer = dict[str, Any]


class RoutineClient:
    """A routine's view of the platform.

    Args:
        address: scheme and host of the site.
        key: the routine's bearer key.
        check: raises if going on makes no sense.
    """

    def __init__(self, address: str, key: str, *, check: Callable[[], None]) -> None:
        self.check = check
        # A proxy of the environment is not for the loopback.
        self._http = httpx2.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def post(self, brief: Answer) -> tuple[int, Answer]:
        """Post a brief; return the status and the answer."""
        response = self._request("POST", reverse("api:publish"), brief)
        return response.status_code, response.json()

    def get(self, instance_id: str) -> Answer:
        """Return the instance."""
        response = self._request("GET", reverse("api:instance", args=[instance_id]))
        if response.status_code != 200:
            raise SilentSiteError(f"reading {instance_id} was answered {response.status_code}")
        answer: Answer = response.json()
        return answer

    def status_of(self, url: str) -> int:
        """Return the status that a page answers with; 0 if nothing answers."""
        try:
            return int(self._http.get(url).status_code)
        except httpx2.TransportError:
            return 0

    def _request(self, method: str, path: str, sent: Answer | None = None) -> httpx2.Response:
        """Send it, again if the site is silent: a brief that is posted twice is one brief."""
        limit = time.monotonic() + SILENT_SECONDS
        while True:
            try:
                return self._http.request(method, path, json=sent)
            except httpx2.TransportError as error:
                self.check()
                if time.monotonic() > limit:
                    raise SilentSiteError(f"{method} {path}: {error}; see site.log") from error
                time.sleep(LOOK_SECONDS)


def follow(
    client: RoutineClient,
    instance_ids: Iterable[str],
    *,
    show: Callable[[Answer], None],
    until: Callable[[Answer], bool] | None = None,
) -> dict[str, Answer]:
    """Read the instances until each of them is at rest; return their last answers by ID.

    Args:
        client: reads them, as a routine may.
        instance_ids: of the instances.
        show: is given each answer that was read.
        until: ends it earlier, as soon as it is true of one answer.

    Raises:
        StandstillError: no instance has changed for 15 minutes.
    """
    answers: dict[str, Answer] = {}
    open_ids = list(instance_ids)
    changed_at = time.monotonic()
    while open_ids:
        client.check()
        for instance_id in list(open_ids):
            answer = client.get(instance_id)
            if answer != answers.get(instance_id):
                answers[instance_id], changed_at = answer, time.monotonic()
            show(answer)
            if until is not None and until(answer):
                return answers
            if is_at_rest(answer):
                open_ids.remove(instance_id)
        if time.monotonic() - changed_at > STILL_SECONDS:
            raise StandstillError(f"nothing has happened to {', '.join(open_ids)} for 15 minutes")
        time.sleep(LOOK_SECONDS)
    return answers


def is_at_rest(answer: Answer) -> bool:
    """Whether nothing will happen to the instance without somebody."""
    return answer["status"] in _ENDED or answer["waiting_for"] in _STANDING_WAITS


def is_live(answer: Answer) -> bool:
    """Whether readers see its article."""
    return answer["status"] == "complete" and answer["article"] is not None
