"""No answer before the disk has it: proven by the system calls of the real process.

kill -9 keeps the page cache, so a missing fdatasync would not show there. It shows here.
"""

import asyncio

import psycopg
import pytest

from crash import trace
from crash.harness import Ledger, Sender, Site, process
from postgres_server import postgres_server, postgres_url  # noqa: F401 – fixtures

pytestmark = pytest.mark.crash


ENOUGH = 40


async def traced(site, tmp_path, *command):
    """The trace of a process under load until it acknowledged enough, however slow it is."""
    ledger, path = Ledger(), tmp_path / "trace"
    with process(site, *command, under=(*trace.STRACE, str(path))) as web:
        async with (
            asyncio.timeout(60),
            Sender(ledger, prefix="order").load(web.port, connections=8),
        ):
            while len(ledger.receipts()) < ENOUGH:
                await asyncio.sleep(0.05)
    with path.open(errors="replace") as lines:
        verdict = (trace.on_postgres if site.database_url else trace.on_sqlite)(lines)
    assert verdict.answers >= len(ledger.receipts()) >= ENOUGH
    return verdict


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request, tmp_path):
    """A prepared store of each kind."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = Site(data_dir=tmp_path / "data", database_url=url)
    made.prepare()
    return made


async def test_every_answer_follows_the_sync_of_its_own_row(site, tmp_path):
    """SQLite: row written, log synced, answered. PostgreSQL: row sent, COMMIT heard, answered."""
    verdict = await traced(site, tmp_path, "web")
    assert not verdict.early


async def test_an_answer_before_the_commit_is_seen_in_the_trace(site, tmp_path):
    """Negative control: with the safeguard off the same check must object."""
    verdict = await traced(site, tmp_path, "variant", "eager")
    assert len(verdict.early) > verdict.answers / 2


def test_postgres_itself_syncs_before_it_says_commit(postgres_url):  # noqa: F811
    """The other half of the proof is PostgreSQL's own promise, with the settings that give it."""
    with psycopg.connect(postgres_url) as conn:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert conn.execute(f"SHOW {setting}").fetchone() == ("on",)


RECEIPT = "rcp_0123456789abcdefghijklmn"
PAGE = f'7 pwrite64(7</d/inkwire.db-wal>, "..{RECEIPT}..", 4096, 0) = 4096'
ANSWER = f'8 write(9<socket:[1]>, "HTTP/1.1 200 OK\\r\\ninkwire-receipt: {RECEIPT}\\r\\n", 9) = 9'
SYNC = "7 fdatasync(7</d/inkwire.db-wal>) = 0"
SYNC_BEGINS = "7 fdatasync(7</d/inkwire.db-wal> <unfinished ...>"
SYNC_ENDS = "7 <... fdatasync resumed>) = 0"


@pytest.mark.parametrize(
    ("lines", "sound"),
    [
        ([PAGE, SYNC, ANSWER], True),
        ([PAGE, SYNC_BEGINS, SYNC_ENDS, ANSWER], True),
        ([SYNC, PAGE, ANSWER], False),
        ([PAGE, ANSWER, SYNC], False),
        ([PAGE, SYNC_BEGINS, ANSWER, SYNC_ENDS], False),
        ([SYNC_BEGINS, PAGE.replace("7 p", "9 p"), SYNC_ENDS, ANSWER], False),
        ([ANSWER], False),
        ([PAGE, SYNC.replace("-wal", ""), ANSWER], False),
    ],
)
def test_the_check_knows_right_from_wrong(lines, sound):
    """A sync counts if it is of the log, began after the row was there, and ended in time."""
    verdict = trace.on_sqlite(lines)
    assert verdict.answers == 1
    assert (not verdict.early) is sound
