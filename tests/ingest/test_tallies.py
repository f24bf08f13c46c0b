"""What several web processes count together, through files in one folder."""

from concurrent.futures import ThreadPoolExecutor

from inkwire.ingest.metrics import Metrics
from inkwire.ingest.tallies import Share, Tallies
from inkwire.model.verdict import Reason

FIRST, SECOND = Share(number=1, joins=False), Share(number=2, joins=True)


def _counted(accepted, *, stale=0, rows=1):
    counts = Metrics(accepted=accepted)
    counts.refused[Reason.STALE] += stale
    counts.batch(rows, seconds=0.5)
    return counts


def test_each_tells_the_sum(tmp_path):
    """Its own counts as they are now, and those of the others as they were last written."""
    mine = _counted(3, stale=1)
    first = Tallies(tmp_path / "tallies", mine, FIRST)
    second = Tallies(tmp_path / "tallies", _counted(40, stale=2, rows=9), SECOND)
    second.write()
    mine.accepted += 1
    total = first.total()
    assert total.accepted == 44
    assert total.refused == {Reason.STALE: 3}
    assert total.batch_sizes == {1: 1, 16: 1}
    assert (total.commits, total.commit_seconds) == (2, 1.0)
    assert mine.accepted == 4
    assert second.total().accepted == 44


def test_what_was_told_is_told_by_the_others_too(tmp_path):
    """Else the sum falls from one question to the next, and a count that falls began anew."""
    mine = _counted(3)
    first = Tallies(tmp_path, mine, FIRST)
    second = Tallies(tmp_path, _counted(40), SECOND)
    mine.accepted += 7
    assert first.total().accepted == 10
    assert second.total().accepted == 50
    mine.accepted += 1
    assert first.total().accepted == 51
    again = Tallies(tmp_path, Metrics(), Share(number=1, joins=True))  # the first was killed
    assert again.total().accepted == 51


def test_many_ask_at_once(tmp_path):
    """Nobody reads half of what another writes, and none of them an older count."""
    mine = _counted(0)
    first = Tallies(tmp_path, mine, FIRST)
    second = Tallies(tmp_path, Metrics(), SECOND)
    told = []

    def ask():
        for _ in range(50):
            mine.accepted += 1
            first.total()

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask) for _ in range(4)]
        while not all(one.done() for one in asking):
            told.append(second.total().accepted)
        for one in asking:
            one.result()
    assert told == sorted(told)
    assert second.total().accepted == mine.accepted


def test_who_takes_a_dead_ones_place_goes_on_from_its_counts(tmp_path):
    """Prometheus takes a count that falls for a restart of all."""
    Tallies(tmp_path, _counted(3), FIRST).write()
    Tallies(tmp_path, _counted(40), SECOND).write()
    again = Tallies(tmp_path, _counted(5), SECOND)
    assert again.total().accepted == 48
    again.write()
    assert Tallies(tmp_path, Metrics(), Share(number=1, joins=True)).total().accepted == 48


def test_a_new_start_begins_at_nothing(tmp_path):
    """The first process of all drops what an earlier run has left, of more processes even."""
    Tallies(tmp_path, _counted(3), FIRST).write()
    Tallies(tmp_path, _counted(40), Share(number=7, joins=True)).write()
    assert Tallies(tmp_path, Metrics(), FIRST).total() == Metrics()


def test_a_file_that_nobody_can_read_counts_for_nothing(tmp_path):
    """Cut off, of another release, or gone: `/metrics` still answers."""
    own = Tallies(tmp_path, _counted(3), FIRST)
    (tmp_path / "2.json").write_text('{"accepted": 4')
    (tmp_path / "3.json").write_text('{"accepted": 4, "refused": {"odd": 1}, "batch_sizes": {}}')
    (tmp_path / "4.json").write_text('{"accepted": 4, "invented": 1}')
    (tmp_path / "5.json").write_text('{"accepted": "4", "refused": {}, "batch_sizes": {}}')
    (tmp_path / "6.json").write_text("[]")
    assert own.total().accepted == 3


def test_a_folder_that_is_gone_stops_nothing(tmp_path):
    """A disk that cannot be written delays what the others hear."""
    own = Tallies(tmp_path / "tallies", _counted(3), FIRST)
    (tmp_path / "tallies").rmdir()
    own.write()
    assert own.total().accepted == 3
