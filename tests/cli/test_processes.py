"""What the processes of a hub set up for themselves."""

import gc

from inkwire.cli.processes import settle


def test_requests_under_way_do_not_keep_the_collector_busy():
    """Hundreds of them make thousands of objects, which at Python's own 700 are looked through."""
    before = gc.get_threshold()
    try:
        settle()
        assert gc.isenabled()
        assert gc.get_threshold()[0] >= 10_000
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
