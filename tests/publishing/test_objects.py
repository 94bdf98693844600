"""Object stores: a key is written once; what may pass is told apart from what is wrong for good."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx2
import pytest
from django.core.files.base import ContentFile
from moto.server import ThreadedMotoServer

from publishing.demo.object_server import ObjectServer
from publishing.providers.objects import ContentAddressedFileStorage, ContentAddressedS3Storage
from workflows.errors import NonRetryableError, RetryableError

KEY = "covers/ab/abcdef.webp"
BUCKET = "press"
DIES_HALF_WAY = """
import os, signal, sys
from django.conf import settings
from django.core.files.base import ContentFile
settings.configure()
from publishing.providers.objects import ContentAddressedFileStorage

class Half(ContentFile):
    def chunks(self, chunk_size=None):
        yield b"ha"
        os.kill(os.getpid(), signal.SIGKILL)

ContentAddressedFileStorage(location=sys.argv[1]).save(sys.argv[2], Half(b"half"))
"""


@contextmanager
def store_at(endpoint: str, **options: Any) -> Iterator[ContentAddressedS3Storage]:
    storage = ContentAddressedS3Storage(
        endpoint_url=endpoint,
        bucket_name=BUCKET,
        access_key="AKIA-TEST",
        secret_key="hush-hush",
        **options,
    )
    try:
        yield storage
    finally:
        storage.connection.meta.client.close()


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    with ObjectServer() as running:
        yield running


@pytest.fixture
def store(server: ObjectServer) -> Iterator[ContentAddressedS3Storage]:
    with store_at(server.url) as storage:
        yield storage


@pytest.fixture
def moto() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    url = f"http://{host}:{port}"
    # moto keeps its buckets in the process, beyond the server that made them.
    httpx2.post(f"{url}/moto-api/reset", trust_env=False).raise_for_status()
    yield url
    running.stop()


def test_the_first_put_stores_and_the_second_changes_nothing(
    server: ObjectServer, store: ContentAddressedS3Storage
) -> None:
    assert store.save(KEY, ContentFile(b"first")) == KEY
    assert store.save(KEY, ContentFile(b"second")) == KEY
    assert server.objects[f"{BUCKET}/{KEY}"].body == b"first"
    assert [request.status for request in server.requests] == [200, 412]
    assert server.writes == {f"{BUCKET}/{KEY}": 1}


def test_moto_agrees_that_a_key_is_written_once(moto: str) -> None:
    owner = boto3.client(
        "s3",
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    owner.create_bucket(Bucket=BUCKET)
    with store_at(moto) as storage:
        assert storage.save(KEY, ContentFile(b"first")) == KEY
        assert storage.save(KEY, ContentFile(b"second")) == KEY
    found = owner.get_object(Bucket=BUCKET, Key=KEY)
    assert found["Body"].read() == b"first"
    assert found["ContentType"] == "image/webp"
    assert found["CacheControl"] == "public, max-age=31536000, immutable"
    owner.close()


def test_moto_without_the_bucket_is_tried_again_and_names_it(moto: str) -> None:
    with store_at(moto) as storage, pytest.raises(RetryableError, match="S3_BUCKET") as caught:
        storage.save(KEY, ContentFile(b"first"))
    assert str(caught.value) == (
        f"press/{KEY} was not stored: the store answered 404 NoSuchBucket;"
        " check S3_BUCKET and S3_ENDPOINT_URL: the bucket has to exist"
    )


def test_what_goes_over_the_wire_is_what_r2_takes(
    server: ObjectServer, store: ContentAddressedS3Storage
) -> None:
    store.save(KEY, ContentFile(b"body"))
    (request,) = server.requests
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert request.path == f"/{BUCKET}/{KEY}"
    assert sent["if-none-match"] == "*"
    assert sent["content-type"] == "image/webp"
    assert sent["cache-control"] == "public, max-age=31536000, immutable"
    assert "/auto/s3/aws4_request" in sent["authorization"]
    assert [name for name in sent if "checksum" in name or "acl" in name] == []


def test_of_many_writers_at_once_one_writes(server: ObjectServer) -> None:
    barrier = threading.Barrier(8)

    def write(number: int) -> str:
        with store_at(server.url) as storage:
            barrier.wait()
            return str(storage.save(KEY, ContentFile(b"%d" % number)))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(8))) == [KEY] * 8
    assert server.puts == {f"{BUCKET}/{KEY}": 8}
    assert server.writes == {f"{BUCKET}/{KEY}": 1}


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 503])
def test_what_may_pass_is_retryable_sent_once_and_keeps_the_secret(
    server: ObjectServer, store: ContentAddressedS3Storage, status: int
) -> None:
    server.refuse(times=1, status=status)
    with pytest.raises(RetryableError) as caught:
        store.save(KEY, ContentFile(b"body"))
    assert f"press/{KEY} was not stored: the store answered {status}" in str(caught.value)
    assert "hush-hush" not in str(caught.value)
    assert "AKIA-TEST" not in str(caught.value)
    assert server.puts == {f"{BUCKET}/{KEY}": 1}
    assert server.objects == {}


@pytest.mark.parametrize("status", [301, 400, 405, 413])
def test_what_is_wrong_for_good_stops(
    server: ObjectServer, store: ContentAddressedS3Storage, status: int
) -> None:
    server.refuse(times=1, status=status)
    with pytest.raises(NonRetryableError) as caught:
        store.save(KEY, ContentFile(b"body"))
    assert caught.value.data["status"] == status
    assert server.objects == {}


def test_a_store_that_asks_for_patience_gets_it(
    server: ObjectServer, store: ContentAddressedS3Storage
) -> None:
    server.refuse(times=1, status=429, retry_after=7)
    with pytest.raises(RetryableError) as caught:
        store.save(KEY, ContentFile(b"body"))
    assert caught.value.delay == timedelta(seconds=7)


def test_a_store_that_is_not_there_is_tried_again() -> None:
    with ObjectServer() as gone:
        endpoint = gone.url
    with store_at(endpoint) as storage, pytest.raises(RetryableError, match="S3_ENDPOINT_URL"):
        storage.save(KEY, ContentFile(b"body"))


def test_a_refusal_lasts_as_long_as_it_is_told(
    server: ObjectServer, store: ContentAddressedS3Storage
) -> None:
    closed = threading.Event()
    closed.set()
    server.refuse_while(closed.is_set)
    with pytest.raises(RetryableError, match="403 AccessDenied"):
        store.save(KEY, ContentFile(b"body"))
    closed.clear()
    assert store.save(KEY, ContentFile(b"body")) == KEY


def test_readers_are_sent_to_the_public_address(server: ObjectServer) -> None:
    with store_at(server.url, public_url="https://img.standing.example") as storage:
        assert storage.url(KEY) == f"https://img.standing.example/{KEY}"


def test_without_a_public_address_readers_are_sent_to_the_bucket(
    server: ObjectServer, store: ContentAddressedS3Storage
) -> None:
    store.save(KEY, ContentFile(b"body"))
    assert store.url(KEY) == f"{server.url}/{BUCKET}/{KEY}"
    answer = httpx2.get(store.url(KEY), trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"body")
    assert answer.headers["content-type"] == "image/webp"
    head = httpx2.head(store.url(KEY), trust_env=False)
    assert (head.headers["content-length"], head.content) == ("4", b"")
    assert httpx2.get(f"{server.url}/{BUCKET}/none", trust_env=False).status_code == 404


def test_what_was_stored_can_be_read_back(store: ContentAddressedS3Storage) -> None:
    assert not store.exists(KEY)
    store.save(KEY, ContentFile(b"body"))
    assert store.exists(KEY)
    with store.open(KEY) as found:
        assert found.read() == b"body"


def test_a_file_is_written_once(tmp_path: Path) -> None:
    folder = ContentAddressedFileStorage(location=tmp_path, base_url="/media/")
    assert folder.save(KEY, ContentFile(b"first")) == KEY
    assert folder.save(KEY, ContentFile(b"second")) == KEY
    assert (tmp_path / KEY).read_bytes() == b"first"
    assert folder.url(KEY) == f"/media/{KEY}"
    assert files_in(tmp_path) == [KEY]


def test_of_many_writers_of_a_file_one_writes_and_all_succeed(tmp_path: Path) -> None:
    folder = ContentAddressedFileStorage(location=tmp_path)
    barrier = threading.Barrier(8)

    def write(number: int) -> str:
        barrier.wait()
        return folder.save(KEY, ContentFile(b"%d" % number * 9_000))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(8))) == [KEY] * 8
    body = (tmp_path / KEY).read_bytes()
    assert len(body) == 9_000
    assert len(set(body)) == 1
    assert files_in(tmp_path) == [KEY]


def test_a_writer_that_dies_half_way_leaves_no_object(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES_HALF_WAY, str(tmp_path), KEY], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / KEY).exists()
    folder = ContentAddressedFileStorage(location=tmp_path)
    assert folder.save(KEY, ContentFile(b"whole")) == KEY
    assert (tmp_path / KEY).read_bytes() == b"whole"


def test_a_file_can_be_read_by_the_web_server(tmp_path: Path) -> None:
    ContentAddressedFileStorage(location=tmp_path).save(KEY, ContentFile(b"body"))
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o644


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
