"""A hub without its pages: the store, and the rooms that work on it.

Apart from `inkwire.app`, because a worker and the command line need no web framework: that is half
of their memory and of their start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from inkwire.access.bucket import Buckets
from inkwire.access.gate import Gate
from inkwire.access.passwords import Passwords
from inkwire.access.portal import PortalDoor
from inkwire.clock import Clock, ShiftedClock, SystemClock
from inkwire.config import Settings
from inkwire.connections.desk import ConnectionDesk, guarded_sessions
from inkwire.delivery.applications import ApplicationDesk
from inkwire.delivery.catalogue import Catalogue
from inkwire.delivery.desk import WebhookDesk
from inkwire.delivery.jobs import JobDesk
from inkwire.delivery.log import DeliveryLog
from inkwire.delivery.publish import Publisher
from inkwire.documents.blobs import Blobs
from inkwire.documents.desk import DocumentDesk
from inkwire.documents.evidence import EvidenceDesk
from inkwire.engine.contract import IntegrationKind, Services
from inkwire.engine.desk import WorkDesk
from inkwire.engine.planning import order_plans
from inkwire.ids import Ids, SortableIds
from inkwire.integrations.crm_desk import CrmDesk
from inkwire.integrations.desk import IntegrationDesk
from inkwire.integrations.field_desk import FieldDesk
from inkwire.integrations.field_map_desk import FieldMapDesk
from inkwire.integrations.registry import kinds as installed_kinds
from inkwire.orders.desk import OrderDesk
from inkwire.orders.templates import TemplateDesk
from inkwire.outbound.guard import Guard
from inkwire.outbound.knock import knocker
from inkwire.outbound.networks import networks
from inkwire.outbound.resolving import Resolver, system_resolver
from inkwire.parts import Parts
from inkwire.providers.registry import Registry, registry
from inkwire.sources.desk import SourceDesk
from inkwire.sources.inbox import Inbox
from inkwire.store.contract import Live, Store
from inkwire.store.open import open_store


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """Everything one process needs, opened; use it in a `with` block."""

    settings: Settings
    clock: Clock
    ids: Ids
    registry: Registry
    store: Store
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
    #: The installed business processes by name, and what their workflows call.
    kinds: Mapping[str, IntegrationKind]
    services: Services

    def parts(self, live: Live) -> Parts:
        """What pages and API handlers of this process are built from."""
        return Parts(
            settings=self.settings,
            store=self.store,
            registry=self.registry,
            clock=self.clock,
            desk=self.desk,
            inbox=self.inbox,
            gate=self.gate,
            portal=self.portal,
            applications=self.applications,
            webhooks=self.webhooks,
            catalogue=self.catalogue,
            publisher=self.publisher,
            deliveries=self.deliveries,
            jobs=self.jobs,
            orders=self.orders,
            templates=self.templates,
            documents=self.documents,
            evidence=self.evidence,
            connections=self.connections,
            integrations=self.integrations,
            crm=self.crm,
            fields=self.fields,
            field_maps=self.field_maps,
            work=self.work,
            buckets=Buckets(
                self.clock,
                size=self.settings.api_burst,
                per_second=self.settings.api_per_second,
            ),
            live=live,
        )

    def close(self) -> None:
        """Closes the sessions at vendors, and the store."""
        self.connections.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_hub(settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None) -> Hub:
    """Opens the store and builds what works on it.

    Raises ConfigError or CipherError if the store or its master key cannot be opened. Does not
    migrate: see `inkwire.store.open.migrate`.
    """
    if clock is None:
        clock = ShiftedClock(settings.clock_file) if settings.clock_file else SystemClock()
    ids = ids or SortableIds(clock)
    return hub_of(settings, open_store(settings, clock=clock, ids=ids), clock=clock, ids=ids)


def hub_of(
    settings: Settings,
    store: Store,
    *,
    clock: Clock,
    ids: Ids,
    providers: Registry | None = None,
    kinds: Mapping[str, IntegrationKind] | None = None,
    passwords: Passwords | None = None,
    resolver: Resolver = system_resolver,
) -> Hub:
    """The rooms around an open store.

    For tests: `providers` and `kinds` others than those installed, `passwords` with other costs,
    `resolver` that knows names of its own. Raises ConfigError if `outbound_allow` is wrong.
    """
    providers = providers or registry()
    guard = open_guard(settings, resolver)
    catalogue = Catalogue(store.subscribers, providers)
    webhooks = WebhookDesk(
        store=store,
        catalogue=catalogue,
        clock=clock,
        ids=ids,
        look=guard.look,
        most=settings.webhooks_per_application,
    )
    kinds = installed_kinds() if kinds is None else kinds
    plans = order_plans(store.integrations, kinds, clock, ids)
    orders = OrderDesk(store=store, catalogue=catalogue, clock=clock, ids=ids, plans=plans)
    templates = TemplateDesk(store=store, clock=clock, ids=ids)
    documents = open_documents(settings, store, clock=clock, ids=ids)
    sessions = guarded_sessions(
        guard, proxy=settings.outbound_proxy, ca_file=settings.outbound_ca_file
    )
    connections = ConnectionDesk(
        store=store, registry=providers, clock=clock, ids=ids, sessions=sessions
    )

    services = Services(
        store=store,
        orders=orders,
        templates=templates,
        documents=documents,
        connections=connections,
        clock=clock,
        ids=ids,
        base_url=settings.base_url,
        knock=knocker(sessions),
    )
    return Hub(
        settings=settings,
        clock=clock,
        ids=ids,
        registry=providers,
        store=store,
        desk=SourceDesk(
            store=store,
            registry=providers,
            clock=clock,
            ids=ids,
            base_url=settings.base_url,
            max_body_bytes=settings.max_body_bytes,
        ),
        inbox=Inbox(store=store, clock=clock, ids=ids),
        gate=Gate(
            store=store,
            clock=clock,
            ids=ids,
            session_hours=settings.session_hours,
            passwords=passwords,
        ),
        portal=PortalDoor(store=store, clock=clock, ids=ids, session_hours=settings.session_hours),
        applications=ApplicationDesk(store=store, catalogue=catalogue, clock=clock, ids=ids),
        webhooks=webhooks,
        catalogue=catalogue,
        publisher=Publisher(store=store, catalogue=catalogue, clock=clock, ids=ids),
        deliveries=DeliveryLog(store=store, clock=clock, ids=ids),
        jobs=JobDesk(store=store, webhooks=webhooks, clock=clock, ids=ids),
        orders=orders,
        templates=templates,
        documents=documents,
        evidence=EvidenceDesk(store=store, documents=documents, clock=clock),
        connections=connections,
        integrations=IntegrationDesk(
            store=store,
            kinds=kinds,
            services=services,
            clock=clock,
            ids=ids,
        ),
        crm=CrmDesk(store=store, clock=clock, ids=ids),
        fields=FieldDesk(store=store, clock=clock, ids=ids),
        field_maps=FieldMapDesk(store=store, clock=clock, ids=ids),
        work=WorkDesk(store=store, clock=clock, ids=ids),
        kinds=kinds,
        services=services,
    )


def open_documents(settings: Settings, store: Store, *, clock: Clock, ids: Ids) -> DocumentDesk:
    """The desk of documents, on the blob store that the settings name; opened on first use."""
    local = None if settings.blob_url else settings.data_dir / "blobs"
    return DocumentDesk(
        store=store,
        blobs=Blobs(folder=local, url=settings.blob_url),
        clock=clock,
        ids=ids,
        max_bytes=settings.max_document_bytes,
    )


def open_guard(settings: Settings, resolver: Resolver = system_resolver) -> Guard:
    """The guard of every outbound address. Raises ConfigError for an allow-list that is none."""
    return Guard(
        networks(settings.outbound_allow),
        None if settings.outbound_proxy else resolver,
    )
