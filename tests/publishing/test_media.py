"""Stored objects over HTTP."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client


@pytest.mark.django_db
def test_a_stored_object_is_served_and_may_be_kept_for_ever(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    (tmp_path / "cover.webp").write_bytes(b"RIFF")
    response = client.get("/media/cover.webp")
    assert b"".join(response.streaming_content) == b"RIFF"  # type: ignore[attr-defined]
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    response.close()


@pytest.mark.django_db
def test_nothing_outside_of_the_store_is_served(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MEDIA_ROOT.mkdir()
    (tmp_path / "secret").write_text("x")
    # The site's own page of a 404 reads the lanes, hence the database.
    for path in ("/media/../secret", "/media/%2e%2e/secret", "/media/", "/media/none"):
        assert client.get(path).status_code in {400, 404}
