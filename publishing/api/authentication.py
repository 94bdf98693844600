"""Routines authenticate with `Authorization: Bearer <key>`."""

from dataclasses import dataclass
from typing import ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from lanes.models import Lane
from publishing.intake.submit import Sender
from publishing.keys import UnknownKeyError, verify_key
from publishing.models import RoutineKey


@dataclass(frozen=True)
class RoutineSender(Sender):
    """A routine that was recognised by its key; what DRF calls the user."""

    is_authenticated: ClassVar[bool] = True


class KeyAuthentication(BaseAuthentication):
    """Recognises a routine by a live bearer key."""

    def authenticate(self, request: Request) -> tuple[RoutineSender, RoutineKey] | None:
        """Return the routine with its lanes, or None where no Authorization was sent."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, given = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("the Authorization header is not of the Bearer scheme")
        try:
            key = verify_key(given.strip(" "))
        except UnknownKeyError:
            raise AuthenticationFailed("this key is not known, or it was revoked") from None
        lanes = Lane.objects.filter(routines=key.routine_id).values_list("name", flat=True)
        sender = RoutineSender(trigger="api", lanes=frozenset(lanes), routine=key.routine)
        return sender, key

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge, whose presence makes DRF answer 401 and not 403."""
        return "Bearer"
