"""Django's Postgres backend, on the server of DATA_DIR."""

from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base

from publishing.embedded_postgres.cluster import PORT, USER, cluster_of
from publishing.embedded_postgres.server import ensure


class JoiningConnection(psycopg.Connection[Any]):
    """A pool's connection, which starts the server again if it has gone."""

    @classmethod
    def connect(cls, conninfo: str = "", **parameters: Any) -> "JoiningConnection":
        """Connect, at the second try if need be."""
        try:
            return super().connect(conninfo, **parameters)
        except psycopg.OperationalError:
            ensure(settings.DATA_DIR)
            return super().connect(conninfo, **parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose address is DATA_DIR; the settings name no host, port or user."""

    _has_joined = False  # of the process: later connections find out by failing

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        settings_dict |= {
            "HOST": str(cluster_of(settings.DATA_DIR).socket_folder),
            "PORT": str(PORT),
            "USER": USER,
        }
        if pool := settings_dict["OPTIONS"].get("pool"):
            pool["connection_class"] = JoiningConnection
        super().__init__(settings_dict, alias)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect to the server, which is started first if it is not up.

        Raises:
            EmbeddedPostgresError: it cannot be started or reached.
        """
        if not DatabaseWrapper._has_joined:
            ensure(settings.DATA_DIR)
            DatabaseWrapper._has_joined = True
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            # The pool has tried twice by itself; here it is only for an error that says why.
            ensure(settings.DATA_DIR)
            if self.pool:
                raise
            return super().get_new_connection(conn_params)
