"""Templates: kept in versions, and made into PDFs without reaching anything but the order."""

import io
import subprocess
import sys
from dataclasses import replace

import pikepdf
import pytest

from inkwire.access.gate import CLI
from inkwire.errors import Conflict, Forbidden, InvalidInput, NotFound, Permanent
from inkwire.model.access import Caller
from inkwire.model.order import OrderBlock, OrderLine, Party
from inkwire.model.work import Integration, IntegrationState
from inkwire.orders.data import template_data
from inkwire.orders.sample import SAMPLE
from inkwire.orders.templates import default_source, named
from inkwire.orders.typst_apart import told

ORDER = "#let order = json(bytes(sys.inputs.order))\n"
NOBODY = Caller(actor="key:0", scopes=frozenset())


@pytest.fixture
def desk(office):
    """Templates with the time that they have in a hub."""
    return office.templates()


def wrong(desk, source, order=None) -> str:
    """What is said of a source."""
    with pytest.raises(InvalidInput) as caught:
        desk.preview(source, order)
    assert set(caught.value.fields) == {"source"}
    return caught.value.fields["source"]


def pages(pdf: bytes) -> int:
    """How many pages a PDF has; it must be whole."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert document.check_pdf_syntax() == []
        return len(document.pages)


@pytest.mark.parametrize(
    "name", ["👩‍👩‍👧 Family 😀", "Иван Петров", "محمد بن علي", "山田太郎", "[[s|2]] #panic() */ $"]
)
def test_the_default_template_takes_every_name(desk, name):
    """No customer's name breaks the document, whatever script or markup it is written in."""
    order = replace(
        SAMPLE,
        customer=Party(name=name, address=f"{name}\n{name}"),
        company=Party(),
        blocks=(OrderBlock(title=name, lines=(OrderLine(description=name),)),),
        fields={},
    )
    assert pages(desk.preview(default_source(), order)) == 1


def test_the_default_template_goes_over_pages(desk):
    """500 lines and no line: both are documents."""
    lines = (OrderLine(description="x" * 200, amount="-999999999999.123456"),) * 250
    long = replace(SAMPLE, blocks=(OrderBlock(lines=lines),) * 2)
    assert pages(desk.preview(default_source(), long)) > 10
    assert pages(desk.preview(default_source(), replace(SAMPLE, blocks=()))) == 1


def test_the_default_template_asks_for_a_signature(desk):
    """Box's tags for signature and name stand in it as text, in the colour of the paper."""
    assert '"[[s|1]]"' in default_source()
    assert '"[[t|1|id:customer_name|n:Name]]"' in default_source()
    assert "fill: white" in default_source()


def test_the_same_order_gives_the_same_bytes(office, desk):
    """A run that is repeated uploads the same file; edits that no template sees change nothing."""
    template = desk.add(CLI, name="Order", source=default_source())
    order = office.add(fields={"sign_request_id": ""})
    made = desk.render(template.id, order)
    office.rooms.clock.advance(seconds=7200)
    later = replace(order, version=9, updated_at=office.rooms.clock.now())
    assert desk.render(template.id, later) == made
    other = replace(order, customer=Party(name="John"))
    assert desk.render(template.id, other).pdf != made.pdf
    assert (made.template, made.version) == (template, 1)


def test_a_template_sees_the_order(desk):
    """All of it, by the names that the page about templates gives; amounts are text."""
    seen = {
        "number": "2026/1042",
        "date": "2026-11-22",
        "created": "2026-11-22",
        "customer.email": "jane.doe@example.com",
        "company.city": "3024 SG Rotterdam",
        "currency": "EUR",
        "blocks.at(0).lines.at(1).amount": "756.00",
        "blocks.at(0).total": "1236.00",
        "total": "1300.00",
        "fields.purchase_order": "PO-7731",
    }
    checks = [f'#assert.eq(order.{path}, "{value}")' for path, value in seen.items()]
    today = '#assert.eq(datetime.today().display(), "2026-11-22")'
    assert pages(desk.preview("\n".join([ORDER, *checks, today]))) == 1
    assert "2026/1042" in wrong(desk, ORDER + '#assert.eq(order.number, "7")')


def test_an_order_cannot_smuggle_in_a_field_of_box():
    """What a customer types must not become somebody's signature field."""
    order = replace(SAMPLE, customer=Party(name="[[[s|2]]"), fields={"a": "x[[c|1]]"})
    data = template_data(order)
    assert "[[" not in repr((data["customer"], data["fields"]))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("= Title\n\n  #ordr.number", "line 3, column 4: unknown variable: ordr"),
        (ORDER + "#order.nmber", "line 2, column 8: dictionary does not contain key"),
        ("#let x = (", "line 1, column 10: unclosed delimiter"),
        ('#panic("no e-mail")', "line 1, column 2: panicked with: no e-mail"),
        ('#panic("a\nerror: b")', "line 1, column 2: panicked with: a"),
        ("#let f(x) = f(x)\n#f(1)", "line 1, column 13: maximum function call depth"),
        ("#while true {}", "line 1, column 8: condition is always true"),
    ],
)
def test_errors_have_line_and_column(desk, source, says):
    """As an editor counts them: both from 1."""
    assert wrong(desk, source).startswith(says)


def test_several_errors_are_told_at_once():
    """The first five, and how many more; warnings and calls are no errors."""
    report = "warning: odd\n  ┌─ a/b.typ:9:9\n\n" + "".join(
        f"error: bad {n}\n  ┌─ a/b.typ:{n}:0\n  │\n  = hint: try\n\n" for n in range(1, 8)
    )
    text = told(report + "help: while calling `f`\n  ┌─ a/b.typ:9:9\n")
    assert text.startswith("line 1, column 1: bad 1 (try); line 2, column 1: bad 2 (try); ")
    assert text.endswith("line 5, column 1: bad 5 (try); and 2 more")


@pytest.mark.parametrize(
    "source",
    [
        '#read("/etc/passwd")',
        '#read("order_confirmation.typ")',
        '#image("/etc/logo.png")',
        '#include "../data.py"',
        '#plugin("a.wasm")',
        '#import "@preview/example:0.1.0": *',
        '#import "@local/example:0.1.0": *',
        '#eval("read(\\"/etc/passwd\\")")',
        '#let p = "@pre" + "view/example:0.1.0"\n#eval("import \\"" + p + "\\"")',
    ],
)
def test_a_template_reaches_no_file_and_no_package(desk, source):
    """The answer says what to do instead, and names no folder of this machine."""
    text = wrong(desk, source)
    assert "a template cannot read files or packages" in text
    assert "/work" not in text
    assert "passwd" not in text


def test_the_process_of_a_template_has_neither_files_nor_sockets():
    """Not by typst's own rules alone: the system refuses every new one."""
    script = (
        "import socket, sys\n"
        "from inkwire.orders.typst_apart import alone\n"
        "alone()\n"
        "for reach in (lambda: open('/etc/passwd'), socket.socket):\n"
        "    try:\n"
        "        reach()\n"
        "        print('reached')\n"
        "    except OSError as error:\n"
        "        print(error.strerror)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["Too many open files"] * 2


def test_an_endless_template_is_ended(office):
    """It costs its time and no more; the next one works."""
    desk = office.templates(timeout_s=1)
    endless = "#for a in range(100000) { for b in range(100000) { let c = a * b } }"
    assert "more than 1 seconds" in wrong(desk, endless)
    assert pages(desk.preview("hi")) == 1


def test_a_greedy_template_is_ended(desk):
    """Memory has an end; the process that made it has not."""
    assert "memory" in wrong(desk, "#let a = range(400000000)")


def test_documents_wait_for_their_turn(office):
    """Two at a time in a process: a rush of previews does not take the machine."""
    desk = office.templates()
    for _ in range(2):
        assert desk._turns.acquire(blocking=False)
    assert not desk._turns.acquire(blocking=False)
    desk._turns.release()
    assert pages(desk.preview("hi")) == 1


@pytest.mark.parametrize("source", ["", " \n", "a\x00", "a\ud800", "x" * 200_001, "\ufeffa"])
def test_what_is_no_source_is_refused(desk, source):
    """Before a process is started for it."""
    assert wrong(desk, source)


def test_templates_are_kept_in_versions(desk):
    """The newest counts, the earlier ones stay; who was slower is told."""
    made = desk.add(CLI, name="Quote 😀/1", source="one")
    second = desk.change(CLI, made.id, name=None, source="two", expected=1)
    assert (second.version, second.name) == (2, "Quote 😀/1")
    assert desk.get(CLI, made.id) == second
    assert desk.source(CLI, made.id).source == "two"
    assert desk.source(CLI, made.id, 1).source == "one"
    assert [one.version for one in desk.versions(CLI, made.id)] == [2, 1]
    with pytest.raises(Conflict) as caught:
        desk.change(CLI, made.id, name="x", source="three", expected=1)
    assert caught.value.code == "template_changed"
    assert desk.all(CLI) == [second]


def test_what_does_not_compile_is_not_kept(desk):
    """Neither as a first nor as a next version."""
    with pytest.raises(InvalidInput):
        desk.add(CLI, name="Bad", source="#nope")
    with pytest.raises(InvalidInput):
        desk.add(CLI, name="", source="fine")
    made = desk.add(CLI, name="Good", source="fine")
    with pytest.raises(InvalidInput):
        desk.change(CLI, made.id, name="Bad", source="#nope", expected=1)
    assert desk.all(CLI) == [made]


def test_a_template_that_fails_for_one_order_says_which(office, desk):
    """The run stops with a sentence that leads a person to the line."""
    source = ORDER + '#if order.number == "1042" { panic("no terms") }'
    made = desk.add(CLI, name="Terms", source=source)
    with pytest.raises(Permanent) as caught:
        desk.render(made.id, office.add())
    for part in ("Terms", made.id, "version 1", "1042", "line 2, column", "no terms", "retry"):
        assert part in caught.value.message
    with pytest.raises(NotFound):
        desk.render("tpl_none", office.add("2"))


def test_a_template_in_use_is_not_deleted(office, desk):
    """The setting `templates` of an integration holds it; which one, the answer says."""
    kept, free = (desk.add(CLI, name=name, source="x") for name in ("Kept", "Free"))
    now = office.rooms.clock.now()
    office.rooms.store.integrations.add(
        Integration(
            id=0,
            kind="box_sign_orders",
            name="Sign",
            state=IntegrationState.INACTIVE,
            settings={"templates": f"tpl_other, {kept.id}"},
            connection_id=None,
            created_at=now,
            updated_at=now,
        ),
        audit=office.entry(),
    )
    with pytest.raises(Conflict, match="int_1"):
        desk.delete(CLI, kept.id)
    desk.delete(CLI, free.id)
    assert desk.all(CLI) == [kept]
    with pytest.raises(NotFound):
        desk.delete(CLI, free.id)
    assert named(" a,b\nc ,") == ["a", "b", "c"]
    assert named(None) == named(7) == named("") == []


def test_nothing_works_without_the_scope(desk):
    """Reading needs `orders:read`, changing `integrations:write`."""
    for call, scope in (
        (lambda: desk.all(NOBODY), "orders:read"),
        (lambda: desk.get(NOBODY, "tpl_1"), "orders:read"),
        (lambda: desk.source(NOBODY, "tpl_1"), "orders:read"),
        (lambda: desk.versions(NOBODY, "tpl_1"), "orders:read"),
        (lambda: desk.add(NOBODY, name="a", source="a"), "integrations:write"),
        (
            lambda: desk.change(NOBODY, "tpl_1", name="a", source="a", expected=1),
            "integrations:write",
        ),
        (lambda: desk.delete(NOBODY, "tpl_1"), "integrations:write"),
    ):
        with pytest.raises(Forbidden, match=scope):
            call()
