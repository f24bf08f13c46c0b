"""The blob store keeps its promises on a local folder and on a real S3 server alike."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from moto.server import ThreadedMotoServer

from inkwire.config import load_settings
from inkwire.documents.blobs import Blobs
from inkwire.errors import ConfigError, InvalidInput, NotFound, StoreError, StoreFull

ONE, TWO = "doc_" + "0" * 24, "doc_" + "1" * 24


@pytest.fixture(scope="module")
def s3():
    """A real S3 server on a port of this machine, and the variables that lead to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    given = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        import boto3

        client = boto3.client("s3", endpoint_url=given["AWS_ENDPOINT_URL"])
        client.create_bucket(Bucket="documents")
        yield client
        client.close()
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def blobs(request, tmp_path):
    """An empty blob store of each kind."""
    if request.param == "folder":
        return Blobs(folder=tmp_path / "data" / "blobs")
    client = request.getfixturevalue("s3")
    for one in client.list_objects_v2(Bucket="documents").get("Contents", []):
        client.delete_object(Bucket="documents", Key=one["Key"])
    return Blobs(url="s3://documents/hub/one")


@pytest.mark.parametrize("size", [0, 1, 100_000, 12 * 1024 * 1024])
def test_bytes_come_back_as_they_went(blobs, size):
    """Of any size: nothing, and more than one part of an upload."""
    content = os.urandom(size)
    blobs.put(ONE, content)
    assert blobs.get(ONE) == content
    assert blobs.exists(ONE)
    assert not blobs.exists(TWO)


def test_the_same_name_again_replaces(blobs):
    """A step that is repeated after a crash finds no obstacle."""
    blobs.put(ONE, b"first")
    blobs.put(ONE, b"second")
    assert blobs.get(ONE) == b"second"


def test_what_is_deleted_is_gone(blobs):
    """And deleting it again is no error."""
    blobs.put(ONE, b"x")
    blobs.put(TWO, b"y")
    blobs.delete(ONE)
    blobs.delete(ONE)
    with pytest.raises(NotFound, match="restore it from a backup"):
        blobs.get(ONE)
    assert list(blobs.names(before=_soon())) == [TWO]


def test_the_list_holds_what_is_old_enough(blobs):
    """A blob that was put just now may be about to get its row."""
    assert list(blobs.names(before=_soon())) == []
    blobs.put(ONE, b"x")
    blobs.put(TWO, b"y")
    assert sorted(blobs.names(before=_soon())) == [ONE, TWO]
    assert list(blobs.names(before=_soon() - timedelta(hours=2))) == []


def _soon():
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("name", ["../evil", "doc_1", "", "/etc/passwd", f"{ONE}/a", f"{ONE}\n"])
def test_only_ids_of_documents_are_names(blobs, name):
    """No text from outside ever becomes a path."""
    for call in (blobs.get, blobs.exists, blobs.delete, lambda one: blobs.put(one, b"")):
        with pytest.raises(InvalidInput):
            call(name)


def test_objects_stand_under_the_prefix_only(s3):
    """Two hubs share a bucket by their prefixes, and other people's objects are not listed."""
    s3.put_object(Bucket="documents", Key="hub/one/readme.txt", Body=b"x")
    one, two = Blobs(url="s3://documents/hub/one"), Blobs(url="s3://documents/hub/two")
    one.put(ONE, b"1")
    assert not two.exists(ONE)
    assert ONE in list(one.names(before=_soon()))
    assert "readme.txt" not in list(one.names(before=_soon()))
    assert s3.get_object(Bucket="documents", Key=f"hub/one/{ONE}")["Body"].read() == b"1"


def test_a_bucket_that_is_not_there_is_said(s3):
    """An operator's mistake is not taken for a document that was lost."""
    blobs = Blobs(url="s3://missing-bucket")
    with pytest.raises(StoreError, match="no such bucket"):
        blobs.put(ONE, b"x")
    with pytest.raises(StoreError, match="no such bucket"):
        blobs.get(ONE)


def test_a_server_that_is_gone_is_busy(monkeypatch):
    """Nothing listens: the run that stores a document tries again later."""
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match="tried again later"):
        Blobs(url="s3://documents").get(ONE)


def test_files_are_private_and_nothing_is_left_beside_them(tmp_path):
    """Only the hub's user reads them; no half-written file stays."""
    blobs = Blobs(folder=tmp_path / "blobs")
    blobs.put(ONE, b"x")
    (file,) = (tmp_path / "blobs").iterdir()
    assert file.name == ONE
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_disk_keeps_nothing(tmp_path):
    """StoreFull, what was there stays, and no part of the new one is left."""
    blobs = Blobs(folder=tmp_path / "blobs")
    blobs.put(ONE, b"before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StoreFull, match="free some room"):
            blobs.put(ONE, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert blobs.get(ONE) == b"before"
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [ONE]


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    """Something else stands in its place."""
    (tmp_path / "blobs").write_text("a file")
    with pytest.raises(StoreError, match="Check the folder"):
        Blobs(folder=tmp_path / "blobs").put(ONE, b"x")


def test_the_bytes_are_on_the_disk_before_put_returns(tmp_path):
    """Seen in the trace: written, synced, renamed, the folder synced; in this order."""
    assert shutil.which("strace")
    trace, folder = tmp_path / "trace", tmp_path / "blobs"
    code = (
        "import pathlib; from inkwire.documents.blobs import Blobs; "
        f"Blobs(folder=pathlib.Path({str(folder)!r})).put({ONE!r}, b'x' * 1000)"
    )
    command = ["strace", "-f", "-y", "-o", trace, "-e", "trace=write,fsync,fdatasync,rename"]
    subprocess.run([*command, sys.executable, "-c", code], check=True, timeout=60)
    seen = [
        line.split("(")[0].split()[-1] + (" folder" if f"<{folder}>" in line else "")
        for line in trace.read_text().splitlines()
        if str(folder) in line
    ]
    assert seen == ["write", "fsync", "rename", "fsync folder"]


def test_the_setting_is_checked():
    """A URL that leads nowhere is refused at start, as are credentials in it."""
    assert load_settings(blob_url="s3://bucket/prefix/").blob_url == "s3://bucket/prefix"
    for wrong in ("bucket", "file:///tmp/x", "https://x.example", "s3://", "s3://key:secret@b"):
        with pytest.raises(ConfigError, match="INKWIRE_BLOB_URL") as caught:
            load_settings(blob_url=wrong)
        assert "key:secret" not in caught.value.message
