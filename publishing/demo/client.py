"""The demo as a routine: it posts briefs and reads instances over HTTP, like any other."""

from typing import Any

import httpx2

TIMEOUT_SECONDS = 30.0
Answer = dict[str, Any]


class RoutineClient:
    """A routine's view of the platform.

    Args:
        address: scheme and host of the site.
        key: the routine's bearer key.
    """

    def __init__(self, address: str, key: str) -> None:
        self.address = address
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
        response = self._http.post("/api/admin/publish", json=brief)
        return response.status_code, response.json()

    def get(self, instance_id: str) -> Answer:
        """Return the instance."""
        response = self._http.get(f"/api/admin/instances/{instance_id}")
        response.raise_for_status()
        answer: Answer = response.json()
        return answer

    def status_of(self, url: str) -> int:
        """Return the status that a page answers with; 0 if nothing answers."""
        try:
            return int(self._http.get(url).status_code)
        except httpx2.TransportError:
            return 0
