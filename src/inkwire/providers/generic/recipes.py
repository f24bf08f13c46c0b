"""Senders whose signatures are documented, each as settings to start from. Data.

Every recipe has a sample in `cases/`, so the contract tests prove that its settings fit.
"""

from inkwire.providers.contract import Recipe

RECIPES = (
    Recipe(
        name="github",
        title="GitHub",
        note="Repository or organisation > Settings > Webhooks > Add webhook. Paste the address, "
        "choose the content type application/json, and enter the secret of this source. GitHub "
        "signs no time and repeats nothing by itself: «Recent deliveries» sends one again, under "
        "the same X-GitHub-Delivery.",
        settings={
            "signature_name": "X-Hub-Signature-256",
            "signature_prefix": "sha256=",
            "type_at": "header:X-GitHub-Event action",
            "id_at": "header:X-GitHub-Delivery",
            "dedupe": "hard",
            "entity_kind": "repository",
            "entity_at": "repository.full_name organization.login",
            "time_at": "head_commit.timestamp",
        },
    ),
    Recipe(
        name="stripe",
        title="Stripe",
        note="Workbench > Webhooks > Add destination. Paste the address, then reveal the signing "
        "secret of that destination and enter it here, with its whsec_. Test and live mode have "
        "destinations and secrets of their own: make a source for each, and mark the one for "
        "tests as such.",
        settings={
            "signature_name": "Stripe-Signature",
            "signature_separator": ",",
            "signature_prefix": "v1=",
            "content": "timestamp-body",
            "timestamp_in": "signature",
            "timestamp_name": "t=",
            "id_at": "id",
            "dedupe": "hard",
            "entity_at": "data.object.id",
            "time_at": "created",
        },
    ),
    Recipe(
        name="shopify",
        title="Shopify",
        note="For an app, webhooks are signed with its client secret: enter that. For those made "
        "by hand (Settings > Notifications > Webhooks), Shopify shows the key below the list. "
        "Choose JSON. X-Shopify-Event-Id is the same for all topics of one act and for repeats, so "
        "topic and id together tell an event.",
        settings={
            "signature_name": "X-Shopify-Hmac-SHA256",
            "encoding": "base64",
            "type_at": "header:X-Shopify-Topic",
            "id_at": "header:X-Shopify-Topic header:X-Shopify-Event-Id",
            "dedupe": "hard",
            "entity_at": "admin_graphql_api_id id",
            "time_at": "header:X-Shopify-Triggered-At updated_at created_at",
        },
    ),
    Recipe(
        name="docusign",
        title="DocuSign Connect",
        note="Settings > Connect > Add configuration > Custom. Paste the address, choose the data "
        "format REST v2.1 (JSON) and switch on «Include HMAC signature»; make the key under "
        "Connect keys and enter it as it is shown, undecoded. DocuSign signs once for each of its "
        "keys, in X-DocuSign-Signature-1, -2 and so on; one that fits is enough. Events carry no "
        "id, and a repeat differs from the first in retryCount.",
        settings={
            "signature_name": "X-DocuSign-Signature-*",
            "encoding": "base64",
            "type_at": "event",
            "id_at": "event data.envelopeId data.recipientId "
            "data.envelopeSummary.statusChangedDateTime",
            "entity_kind": "envelope",
            "entity_at": "data.envelopeId",
            "time_at": "generatedDateTime",
        },
    ),
    Recipe(
        name="pandadoc",
        title="PandaDoc",
        note="Dev Center > Configuration > Create webhook. Paste the address, save, and copy the "
        "shared key of the webhook into this source. PandaDoc adds signature=… to the address by "
        "itself. Events carry no id and come as a list.",
        settings={
            "signature_in": "query",
            "signature_name": "signature",
            "type_at": "event",
            "entity_kind": "document",
            "entity_at": "data.id",
            "time_at": "data.action_date data.date_modified",
        },
    ),
)
