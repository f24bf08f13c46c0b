"""After a long outage of a vendor upkeep is back within the hour, not after half a day."""

import pytest

from engine.acting import Toy, engine, settled, site
from inkwire.config import load_settings
from inkwire.engine.runner import UPKEEP_WAIT_S
from inkwire.errors import Transient
from inkwire.store.open import migrate


async def fails(run):
    """The vendor is still down."""

    def fail():
        raise Transient("Down.", retry_after_s=61)  # too long for a pause within the run

    await run.step("fails", fail)


@pytest.mark.parametrize(("entity", "most"), [("integration:1:sweep", UPKEEP_WAIT_S), ("o", 1e6)])
async def test_failing_upkeep_is_tried_each_hour(tmp_path, entity, most):
    """While it waits no other slot is made, so it may not wait as long as other work does."""
    migrate(load_settings(data_dir=tmp_path))
    with site(tmp_path) as place:
        row = place.work(place.integration(), "sweep", entity_key=entity, failures=6)
        async with engine(place, Toy({"sweep": fails})):
            ended = await settled(place, row)
    waits_s = (ended.due_at - ended.started_at).total_seconds()
    assert (waits_s <= most * 1.1 + 10) is True
    assert (waits_s > 36_000) is (entity == "o")
