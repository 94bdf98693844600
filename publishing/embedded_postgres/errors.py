"""The one error of the embedded server."""

from django.core.management.base import CommandError
from django.db.utils import OperationalError


class EmbeddedPostgresError(CommandError, OperationalError):
    """The server of DATA_DIR cannot be started, joined or stopped; the message says what to do.

    A command prints it without a traceback, and whoever handles a database that is away handles
    this too.
    """
