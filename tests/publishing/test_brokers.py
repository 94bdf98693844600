"""The one setting of the broker: two forms fit, and anything else says what would."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from publishing.brokers import broker_options


def test_orm_is_the_database_of_the_product() -> None:
    assert broker_options("orm") == {"orm": "default"}


@pytest.mark.parametrize(
    "address",
    [
        "redis://127.0.0.1",
        "redis://user:secret@queue.example:6380/2",
        "rediss://queue.example/0?ssl_cert_reqs=required",
        "redis://[::1]:6379",
    ],
)
def test_an_address_of_redis_is_handed_on_whole(address: str) -> None:
    assert broker_options(address) == {"redis": address}


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "ORM", "redis", "redis://", "redis://:secret@", "redis://h:x", "redis://h:0"),
        *("redis://h/a", "redis://h:99999", "redis://[::1", "http://h", "amqp://user:secret@h"),
    ],
)
def test_anything_else_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        broker_options(wrong)
    assert str(refused.value) == (
        "Q_BROKER is neither 'orm' nor the address of a Redis server, such as "
        "redis://127.0.0.1:6379/0. Leave it unset to let Postgres be the broker."
    )
