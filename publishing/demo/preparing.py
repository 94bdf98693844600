"""What has to be there before anything listens: tables, lanes, a routine, an admin user."""

import secrets
from io import StringIO

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction

from lanes.models import Lane
from publishing.keys import make_key, revoke_key
from publishing.models import Routine

ROUTINE = "demo"
ADMIN = "admin"
_LOCAL_HOSTS = {"", "localhost", "127.0.0.1", "::1"}


def prepare_database() -> None:
    """Bring the tables up to date and load the lanes; twice changes nothing."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("load_lanes", verbosity=0, stdout=StringIO())
    if not settings.DEBUG:
        call_command("collectstatic", verbosity=0, interactive=False)


def make_routine_key() -> str:
    """Return a fresh key of the demo's routine, which may post to all lanes; older ones end."""
    with transaction.atomic():
        routine, _ = Routine.objects.get_or_create(name=ROUTINE)
        routine.lanes.set(Lane.objects.all())
        for key in routine.keys.filter(revoked_at=None):
            revoke_key(key)
        return make_key(routine)


def make_admin() -> str | None:
    """Give the user `admin` a fresh password and return it; None where that would be a danger.

    Only for development on one's own machine: with DEBUG, and a database on this host.
    """
    if not settings.DEBUG or not _is_local(str(connection.settings_dict["HOST"])):
        return None
    password = secrets.token_urlsafe(12)
    user, _ = get_user_model().objects.get_or_create(username=ADMIN)
    user.is_active = user.is_staff = user.is_superuser = True
    user.set_password(password)
    user.save()
    return password


def _is_local(host: str) -> bool:
    return host in _LOCAL_HOSTS or host.startswith("/")
