"""What django-q2 is told of its broker, from the one setting `Q_BROKER`."""

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

REDIS_SCHEMES = ("redis", "rediss")


def broker_options(named: str) -> dict[str, str]:
    """Return the broker's keys of `Q_CLUSTER`.

    Args:
        named: `orm`, or the address of a Redis server, `redis://[user:password@]host[:port][/db]`
            (`rediss://` with TLS).

    Raises:
        ImproperlyConfigured: it is neither. The message does not repeat it: it may hold a password.
    """
    if named == "orm":
        return {"orm": "default"}
    if not _is_redis(named):
        raise ImproperlyConfigured(
            "Q_BROKER is neither 'orm' nor the address of a Redis server, such as "
            "redis://127.0.0.1:6379/0. Leave it unset to let Postgres be the broker."
        )
    return {"redis": named}


def _is_redis(named: str) -> bool:
    try:
        parts = urlsplit(named)
        has_port = parts.port != 0  # one that is no number raises
    except ValueError:
        return False
    database = parts.path.strip("/") or "0"
    return (
        parts.scheme in REDIS_SCHEMES and bool(parts.hostname) and has_port and database.isdigit()
    )
