"""Whether a cluster's server answers, found out by connecting."""

import psycopg

from publishing.embedded_postgres.cluster import PORT, USER, Cluster


def connect(cluster: Cluster, database: str) -> psycopg.Connection[tuple[object, ...]]:
    """Open a connection of our own, in autocommit mode."""
    return psycopg.connect(
        host=str(cluster.socket_folder),
        port=PORT,
        user=USER,
        dbname=database,
        connect_timeout=5,
        autocommit=True,
    )


def answers(cluster: Cluster, database: str) -> bool:
    """Whether the server is up and has the database."""
    try:
        connect(cluster, database).close()
    except psycopg.OperationalError:
        return False
    return True
