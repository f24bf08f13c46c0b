"""The OpenAPI document: clean, public, and true (schemathesis tries every operation by it)."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from documents.kit import keep
from fakes.acting import acting_ids
from fakes.subscriber import LABEL, answer_all, subscriber
from inkwire.model.verdict import Reason

#: Ids of objects that exist, by the name of the path's parameter.
real = {}


@pytest.fixture(scope="module")
def hub(busy):
    """A hub with one of everything; its client may do everything."""
    rooms, client = busy
    client.post(
        "/v1/sources",
        {
            "id": "acme-main",
            "provider": "acme",
            "name": "Acme",
            "secrets": {"primary": "primary-key-1"},
        },
    )
    intake = rooms.receive()
    rooms.receive(key=b"2", quarantine=Reason.STALE)
    client.post("/v1/users", {"name": "ada", "password": "correct horse battery", "role": "viewer"})
    source = client.get("/v1/sources/acme-main").json()
    ours = subscriber(rooms)
    webhook = ours.webhook()
    own = type(client)(client.app, ours.key())
    assert own.post(f"/v1/webhooks/{webhook.id}/queue", chunks=[LABEL]).status == 201
    (attempt_id,) = answer_all(rooms)
    message = client.get("/v1/messages").json()["items"][0]
    order = client.post("/v1/orders", {"number": "2026-7", "customer": {"name": "Jane"}}).json()
    template = client.post("/v1/templates", {"name": "Offer", "source": "fine"}).json()
    task = {"kind": "recover", "webhook_id": webhook.id, "since": "2026-01-01T00:00:00Z"}
    client.own_key = own.key
    real.update(
        application_id=ours.id,
        webhook_id=webhook.id,
        message_id=message["id"],
        delivery_id=client.get("/v1/deliveries").json()["items"][0]["id"],
        attempt_id=attempt_id,
        job_id=client.post("/v1/jobs", task).json()["id"],
        topic_name="shipments_label",
        source_id="acme-main",
        secret_id=source["secrets"][0]["id"],
        event_id=intake.events[0].id,
        receipt_id=intake.receipt_id,
        key_id=client.get("/v1/api-keys").json()["items"][0]["id"],
        name="ada",
        order_id=order["id"],
        template_id=template["id"],
        document_id=keep(rooms, rooms.store.orders.get(order["id"]), "a.pdf", b"%PDF").id,
    )
    real.update(acting_ids(rooms))
    return client


#: A body that is too large is rejected, too: with a 413, before anybody reads what is wrong in it.
REJECTED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429"]
RULES = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": REJECTED}}}
)
TRIES = settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_operation_keeps_to_the_document(hub, mode):
    """No input, right or wrong, gives a 5xx or an answer that the document does not describe."""
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", hub.app, config=RULES)
    tried = set()

    def keeps(case):
        boxc = case.operation.path.startswith("/v1/webhooks")
        headers = {"Authorization": f"Bearer {hub.own_key if boxc else hub.key}"}
        tried.add(case.operation.label)
        # What only the hub knows (which providers there are) no document can say: 422 is right then.
        beyond = [] if case.method == "GET" and not boxc else [positive_data_acceptance]
        case.call_and_validate(headers=headers, excluded_checks=beyond)
        if case.path_parameters and case.method != "DELETE":
            case.path_parameters = {name: real[name] for name in case.path_parameters}
            assert case.call(headers=headers).status_code < 500

    for operation in (result.ok() for result in schema.get_all_operations()):
        TRIES(given(case=operation.as_strategy(generation_mode=mode))(keeps))()
    assert len(tried) >= (115 if mode is GenerationMode.POSITIVE else 90)


def test_the_document_is_clean(app, idle):
    """Public, without a key; every operation has a summary, a tag, and its errors."""
    idle_without_key = type(idle)(app)
    answer = idle_without_key.get("/v1/openapi.json")
    assert answer.status == 200
    document = answer.json()
    names = set()
    for path, operations in document["paths"].items():
        assert path.startswith("/v1/")
        for operation in operations.values():
            names.add(operation["operationId"])
            assert operation["summary"]
            assert operation["description"]
            assert operation["tags"]
            wrong = "400" if path.startswith("/v1/webhooks") else "422"
            assert {"401", "403", wrong, "503"} <= set(operation["responses"])
    assert len(names) == sum(len(operations) for operations in document["paths"].values())
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    problem = document["components"]["responses"]["Problem422"]["content"]
    assert list(problem) == ["application/problem+json"]


def test_secrets_are_marked_as_such(app):
    """Tools that show forms hide what the document calls a password."""
    schemas = app.openapi()["components"]["schemas"]
    value = schemas["SecretIn"]["properties"]["value"]["anyOf"][0]
    secrets = schemas["SourceIn"]["properties"]["secrets"]["additionalProperties"]
    for field in (value, secrets, schemas["UserIn"]["properties"]["password"]):
        assert field["format"] == "password"
        assert field["writeOnly"] is True


def test_what_is_sent_may_hold_no_unknown_field(app):
    """Every body that the API takes refuses fields it does not know."""
    document = app.openapi()
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        for operations in document["paths"].values()
        for operation in operations.values()
        if "requestBody" in operation and "queue" not in operation["operationId"]
    }
    assert len(bodies) >= 7
    for name in bodies:
        assert document["components"]["schemas"][name]["additionalProperties"] is False, name
