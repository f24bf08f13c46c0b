"""Results of Bulk jobs as a server gives them that breaks off, cuts and garbles."""

import pytest

from fakes.salesforce_server import Reply
from inkwire.errors import Transient


class TestResultsOfAJob:
    """What a Bulk job made is read whole or not at all: what it does not name might be sent again."""

    PATH = "/jobs/ingest/750000000000001AAA/successfulResults"
    WHOLE = b'"sf__Id","sf__Created","Subject"\n"00T000000000001AAA","true","a"\n'

    def read(self, kit, reply):
        kit.on("GET", self.PATH, reply)
        return kit.crm.job_made("750000000000001AAA")

    def test_whole(self, kit):
        """As the API gives them."""
        [row] = self.read(kit, Reply(body=self.WHOLE))
        assert (row.result.id, row.fields) == ("00T000000000001AAA", {"Subject": "a"})

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(body=WHOLE * 50, fault="half"),
            Reply(body=WHOLE[:-1]),
            Reply(body=WHOLE[:-6]),
            Reply(body=b"<html>Service not available</html>"),
            Reply(body=b'"sf__Id","Subject"\n"","a"\n'),
        ],
        ids=["broken off", "no last end", "within a field", "html", "no id"],
    )
    def test_cut_or_garbled(self, kit, reply):
        """Read again later."""
        with pytest.raises(Transient):
            self.read(kit, reply)

    @pytest.mark.parametrize(
        ("error", "code", "message", "fields"),
        [
            ("UNABLE_TO_LOCK_ROW:unable to obtain: 001A:--", "UNABLE_TO_LOCK_ROW",
             "unable to obtain: 001A", ()),
            ("REQUIRED_FIELD_MISSING:Required fields are missing: [A, B]:A, B --",
             "REQUIRED_FIELD_MISSING", "Required fields are missing: [A, B]", ("A", "B")),
            ("STRANGE:no fields at its end", "STRANGE", "no fields at its end", ()),
            ("no code at all: really", "UNKNOWN", "no code at all: really", ()),
            ("", "UNKNOWN", "", ()),
        ],
    )  # fmt: skip
    def test_errors_of_rows(self, kit, error, code, message, fields):
        """`CODE:text:fields --`, as a row of Collections says it in parts."""
        path = "/jobs/ingest/750000000000001AAA/failedResults"
        body = f'"sf__Id","sf__Error","Subject"\n"","{error}","a"\n'.encode()
        kit.on("GET", path, Reply(body=body))
        [row] = kit.crm.job_refused("750000000000001AAA")
        found = row.result
        assert (found.ok, found.code, found.message, found.fields) == (False, code, message, fields)
