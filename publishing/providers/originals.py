"""Paid images as they came, in the object store under the digest of their bytes.

They are stored before the call is settled, so that cost, digest and memo are still one statement
and no row of the ledger holds an image. Where the store refuses, nothing is lost: the whole answer
stays in the memo, and the digest is None. The price is the time of one write between answer and
settling (33 s at most, within what a hold outlives its call); a worker killed in it loses one
image, which counts in full like any lost answer.
"""

import hashlib
import logging
import re

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from workflows.errors import NonRetryableError, RetryableError, WorkflowError

logger = logging.getLogger(__name__)

_DIGEST = re.compile("[0-9a-f]{64}")


def keep(body: bytes) -> str | None:
    """Store the bytes and return their SHA-256, or None where the store does not take them."""
    digest = hashlib.sha256(body).hexdigest()
    try:
        default_storage.save(_key(digest), ContentFile(body))
    except (WorkflowError, OSError):
        logger.exception("a paid image (%s) was not stored; its memo holds it whole", digest)
        return None
    return digest


def load(digest: str) -> bytes:
    """Return what was kept under a digest.

    Raises:
        NonRetryableError: the store has no such object, or another one.
        RetryableError: the store does not answer.
    """
    if not _DIGEST.fullmatch(digest):
        raise NonRetryableError(f"{digest[:80]!r} is no digest of a paid image")
    try:
        with default_storage.open(_key(digest)) as stored:
            body = stored.read()
    except FileNotFoundError as error:
        raise NonRetryableError(
            f"the paid image {digest} is not in the store; bring {_key(digest)} back, or regenerate"
        ) from error
    except (BotoCoreError, ClientError, OSError) as error:
        raise RetryableError(f"the paid image {digest} could not be read: {error}") from error
    if hashlib.sha256(body).hexdigest() != digest:
        raise NonRetryableError(f"what is stored as the paid image {digest} is something else")
    return bytes(body)


def _key(digest: str) -> str:
    return f"originals/{digest[:2]}/{digest}"
