"""Storages for objects whose key is made of their content: S3 or R2, and files on disk.

Both write a key once and for ever: a second write of it succeeds and leaves what is there.
"""

import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage
from django.utils.encoding import filepath_to_uri
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from workflows.errors import NonRetryableError, RetryableError

CONNECT_SECONDS, READ_SECONDS = 3, 30
FOR_EVER = "public, max-age=31536000, immutable"
CLIENT = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    # R2 refuses the checksum trailers that boto3 sends by default since 1.36.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    retries={"total_max_attempts": 1, "mode": "standard"},  # the engine owns retries
)
_EXISTS = 412  # what `If-None-Match: *` answers for a key that is there
# 401, 403 and 404 (no such bucket) pass once an operator has mended key or bucket.
_MAY_PASS = frozenset({401, 403, 404, 408, 409, 425, 429})
_WAYS_OUT = {
    401: "check S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY",
    403: "check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and that the key may write to the bucket",
    404: "check S3_BUCKET and S3_ENDPOINT_URL: the bucket has to exist",
    409: "another writer was at it; it is tried again",
    429: "the store asks for patience; it is tried again",
}


class ContentAddressedS3Storage(S3Storage):  # type: ignore[misc]
    """A bucket of S3 or R2.

    Options: those of django-storages' S3Storage, and `public_url`, the address under which the
    bucket's objects are read (R2: its custom domain); without it, endpoint and bucket are.
    """

    bucket_name: str
    endpoint_url: str | None
    public_url: str
    region_name: str | None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.endpoint_url and not self.region_name:
            self.region_name = "auto"

    def get_default_settings(self) -> dict[str, Any]:
        """Return django-storages' defaults, with those of a content-addressed store over them."""
        return {
            **super().get_default_settings(),
            "public_url": "",
            "default_acl": None,  # R2 has no ACLs
            "querystring_auth": False,
            "file_overwrite": True,  # a name is never altered; If-None-Match keeps the object
            "object_parameters": {"CacheControl": FOR_EVER},
            "client_config": CLIENT,
        }

    def url(self, name: str, *args: Any, **options: Any) -> str:
        """Return the address at which readers find the object."""
        base = self.public_url
        if not base and self.endpoint_url:
            base = f"{self.endpoint_url.rstrip('/')}/{self.bucket_name}"
        if not base:
            return str(super().url(name, *args, **options))
        key = self._normalize_name(clean_name(name))
        return f"{base.rstrip('/')}/{filepath_to_uri(key)}"

    def _save(self, name: str, content: "File[bytes]") -> str:
        cleaned = str(clean_name(name))
        key = self._normalize_name(cleaned)
        content.seek(0)
        try:
            self.connection.meta.client.put_object(
                Bucket=self.bucket_name,
                Key=key,
                Body=content.read(),
                IfNoneMatch="*",
                **self._get_write_parameters(key, content),
            )
        except ClientError as error:
            if _status(error) != _EXISTS:
                _raise_refusal(f"{self.bucket_name}/{key}", error)
        except BotoCoreError as error:
            _raise_failure(f"{self.bucket_name}/{key}", error)
        return cleaned


class ContentAddressedFileStorage(FileSystemStorage):
    """A folder. An object appears whole or not at all, whoever is killed while writing it."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return the name as it is: equal keys have equal content."""
        return name

    def _save(self, name: str, content: "File[bytes]") -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part") as part:
            for chunk in content.chunks():
                part.write(chunk)
            part.flush()
            os.fchmod(part.fileno(), self.file_permissions_mode or 0o644)
            os.fsync(part.fileno())
            with suppress(FileExistsError):  # the link decides: the first writer's file stands
                os.link(part.name, path)
        return name


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _raise_refusal(object_: str, error: ClientError) -> NoReturn:
    """Tell the engine whether what the store answered may pass; its words are not repeated."""
    status, code = _status(error), str(error.response.get("Error", {}).get("Code", ""))
    way_out = _WAYS_OUT.get(status, "see the store's own log")
    message = f"{object_} was not stored: the store answered {status} {code}; {way_out}"
    if status in _MAY_PASS or status >= 500:
        raise RetryableError(message, delay=_asked_delay(error)) from error
    raise NonRetryableError(message, data={"status": status, "code": code}) from error


def _raise_failure(object_: str, error: BotoCoreError) -> NoReturn:
    kind = type(error).__name__
    if isinstance(error, NoConnectionError | HTTPClientError):
        message = f"{object_} was not stored: no answer ({kind}); check S3_ENDPOINT_URL"
        raise RetryableError(message) from error
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        message = f"{object_} was not stored: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY"
        raise RetryableError(message) from error
    message = f"{object_} was not stored: {kind}; check S3_BUCKET and S3_ENDPOINT_URL"
    raise NonRetryableError(message, data={"error": kind}) from error


def _asked_delay(error: ClientError) -> timedelta | None:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    seconds = str(headers.get("retry-after", ""))
    return timedelta(seconds=int(seconds)) if seconds.isdecimal() else None
