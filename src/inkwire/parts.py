"""What pages and API handlers are built from; `inkwire.hub` fills it."""

from dataclasses import dataclass

from inkwire.access.bucket import Buckets
from inkwire.access.gate import Gate
from inkwire.access.portal import PortalDoor
from inkwire.clock import Clock
from inkwire.config import Settings
from inkwire.connections.desk import ConnectionDesk
from inkwire.delivery.applications import ApplicationDesk
from inkwire.delivery.catalogue import Catalogue
from inkwire.delivery.desk import WebhookDesk
from inkwire.delivery.jobs import JobDesk
from inkwire.delivery.log import DeliveryLog
from inkwire.delivery.publish import Publisher
from inkwire.documents.desk import DocumentDesk
from inkwire.documents.evidence import EvidenceDesk
from inkwire.engine.desk import WorkDesk
from inkwire.integrations.crm_desk import CrmDesk
from inkwire.integrations.desk import IntegrationDesk
from inkwire.integrations.field_desk import FieldDesk
from inkwire.integrations.field_map_desk import FieldMapDesk
from inkwire.orders.desk import OrderDesk
from inkwire.orders.templates import TemplateDesk
from inkwire.providers.registry import Registry
from inkwire.sources.desk import SourceDesk
from inkwire.sources.inbox import Inbox
from inkwire.store.contract import Live, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The rooms and values that handlers call."""

    settings: Settings
    store: Store
    registry: Registry
    clock: Clock
    desk: SourceDesk
    inbox: Inbox
    gate: Gate
    portal: PortalDoor
    applications: ApplicationDesk
    webhooks: WebhookDesk
    catalogue: Catalogue
    publisher: Publisher
    deliveries: DeliveryLog
    jobs: JobDesk
    orders: OrderDesk
    templates: TemplateDesk
    documents: DocumentDesk
    evidence: EvidenceDesk
    connections: ConnectionDesk
    integrations: IntegrationDesk
    crm: CrmDesk
    fields: FieldDesk
    field_maps: FieldMapDesk
    work: WorkDesk
    #: How often each application may call this process's API.
    buckets: Buckets
    live: Live
