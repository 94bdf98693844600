"""Routine keys: shown once, stored as a digest, revoked for good."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from publishing.keys import KEY, UnknownKeyError, make_key, revoke_key, verify_key
from publishing.models import Routine, RoutineKey

pytestmark = pytest.mark.django_db


@pytest.fixture
def routine() -> Routine:
    """A routine without keys."""
    return Routine.objects.create(name="Newsroom")


def test_only_the_prefix_and_the_digest_of_a_key_are_stored(routine: Routine) -> None:
    key = make_key(routine)
    assert KEY.fullmatch(key)
    stored = RoutineKey.objects.get()
    assert (stored.prefix, stored.digest) == (key[:11], hashlib.sha256(key.encode()).hexdigest())


def test_a_key_is_verified_with_its_routine(routine: Routine) -> None:
    assert verify_key(make_key(routine)).routine == routine


@pytest.mark.parametrize("change", [lambda k: k[:-1] + "~", lambda k: k + "\n", lambda k: k[:11]])
def test_anything_else_is_unknown(routine: Routine, change: Callable[[str], str]) -> None:
    key = make_key(routine)
    with pytest.raises(UnknownKeyError):
        verify_key(change(key))


def test_a_key_with_a_known_prefix_and_another_secret_is_unknown(routine: Routine) -> None:
    first, second = make_key(routine), make_key(routine)
    with pytest.raises(UnknownKeyError):
        verify_key(first[:11] + second[11:])


def test_a_revoked_key_is_unknown_and_its_row_stays(routine: Routine) -> None:
    key = make_key(routine)
    assert revoke_key(RoutineKey.objects.get()) is True
    assert revoke_key(RoutineKey.objects.get()) is False
    with pytest.raises(UnknownKeyError):
        verify_key(key)
    assert RoutineKey.objects.count() == 1


def test_a_routine_may_have_two_live_keys(routine: Routine) -> None:
    keys = [make_key(routine), make_key(routine)]
    assert [verify_key(key).routine for key in keys] == [routine, routine]


def test_its_use_is_noted_at_most_once_a_minute(routine: Routine) -> None:
    key = make_key(routine)
    verify_key(key)
    noted = RoutineKey.objects.get().last_used_at
    verify_key(key)
    assert RoutineKey.objects.get().last_used_at == noted
    earlier = timezone.now() - timedelta(seconds=61)
    RoutineKey.objects.update(last_used_at=earlier)
    verify_key(key)
    noted = RoutineKey.objects.get().last_used_at
    assert noted is not None
    assert noted > earlier
