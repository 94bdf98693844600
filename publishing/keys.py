"""Routines' bearer keys: made, shown once, verified by digest, revoked but never deleted.

A key is `pw_` and 8 characters, which may be seen, then `_` and a secret of 256 bits. Only the
SHA-256 of the whole is stored: a secret of that size needs no slow hash.
"""

import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from publishing.models import Routine, RoutineKey

KEY = re.compile(r"(pw_[a-z0-9]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_ALPHABET = string.ascii_lowercase + string.digits
_USE_NOTED_EVERY = timedelta(minutes=1)  # a busy routine shall not write a row at each request


class UnknownKeyError(Exception):
    """The key was never made, or it was revoked; which of the two is not told."""


class KeyMadeError(Exception):
    """A key with this prefix was made before; prefixes are never given twice."""


def draw_prefix() -> str:
    """Return a prefix for a key that is still to be made."""
    return "pw_" + "".join(secrets.choice(_ALPHABET) for _ in range(8))


def make_key(routine: Routine, *, prefix: str | None = None) -> str:
    """Give the routine another key and return it; it cannot be shown again.

    Args:
        routine: who will use it.
        prefix: one that was drawn before, so that of two who ask with it one gets a key.

    Raises:
        KeyMadeError: there is a key with this prefix; nothing was made.
    """
    prefix = prefix or draw_prefix()
    key = f"{prefix}_{secrets.token_urlsafe(32)}"
    try:
        with transaction.atomic():
            RoutineKey.objects.create(routine=routine, prefix=prefix, digest=_digest(key))
    except IntegrityError as error:
        raise KeyMadeError(f"{prefix}… was made before; nothing was made now") from error
    return key


def revoke_key(key: RoutineKey) -> bool:
    """Refuse the key from now on; False if it was revoked before."""
    return _live_keys().filter(pk=key.pk).update(revoked_at=timezone.now()) == 1


def verify_key(key: str) -> RoutineKey:
    """Return the stored key, with its routine, and note that it was used.

    Raises:
        UnknownKeyError: no live key is this one.
    """
    parts = KEY.fullmatch(key)
    if parts is None:
        raise UnknownKeyError
    known = _live_keys().select_related("routine").filter(prefix=parts[1]).first()
    if known is None or not hmac.compare_digest(known.digest, _digest(key)):
        raise UnknownKeyError
    _note_use(known, timezone.now())
    return known


def _live_keys() -> QuerySet[RoutineKey]:
    return RoutineKey.objects.filter(revoked_at=None)


def _note_use(key: RoutineKey, now: datetime) -> None:
    if key.last_used_at is not None and key.last_used_at > now - _USE_NOTED_EVERY:
        return
    # Conditional, so that of many simultaneous requests one writes.
    unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
    RoutineKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=now)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
