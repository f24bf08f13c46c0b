"""Typst templates and their versions."""

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.order import Template, TemplateVersion
from inkwire.store import order_rows, rows
from inkwire.store import schema_orders as tables
from inkwire.store.contract import CONFIG, MAX_PAGE
from inkwire.store.database import Database
from inkwire.store.faults import Violated
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable

_templates = tables.templates
_versions = tables.template_versions
#: Greatest number of an INTEGER.
_MAX_VERSION = 2**31 - 1


class SqlTemplates:
    """See `ordering.Templates`."""

    def __init__(self, database: Database) -> None:
        """A template's source is the site's own and holds nobody's data: it is kept plain."""
        self._database = database

    def all(self) -> list[Template]:
        """Every template, by name."""
        with self._database.reading() as conn:
            found = conn.execute(sa.select(_templates).order_by(_templates.c.name, _templates.c.id))
            return [order_rows.template(row) for row in found]

    def get(self, template_id: str) -> Template:
        """One template. Raises NotFound."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_templates).where(_templates.c.id == clean(template_id))
            ).one_or_none()
        if row is None:
            raise _missing(template_id)
        return order_rows.template(row)

    def version(self, template_id: str, version: int | None = None) -> TemplateVersion:
        """A version, the newest for None. Raises NotFound."""
        wanted = _of(template_id).limit(1)
        if version is not None:
            wanted = wanted.where(_versions.c.version == max(0, min(version, _MAX_VERSION)))
        with self._database.reading() as conn:
            row = conn.execute(wanted).one_or_none()
        if row is None:
            named = template_id if version is None else f"{template_id} with version {version}"
            raise _missing(named)
        return order_rows.template_version(row)

    def versions(self, template_id: str) -> list[TemplateVersion]:
        """Newest first, at most 200."""
        with self._database.reading() as conn:
            found = conn.execute(_of(template_id).limit(MAX_PAGE))
            return [order_rows.template_version(row) for row in found]

    def save(
        self, template: Template, source: str, *, by: str, audit: AuditEntry
    ) -> TemplateVersion:
        """Keeps the next version (`template.version`); the first makes the template.

        Raises Conflict if that version is there, and NotFound if there is no version before it.
        """
        require_keepable(template.id, template.name, source, by)
        version = TemplateVersion(
            template_id=template.id,
            version=template.version,
            source=source,
            created_at=template.updated_at,
            created_by=by,
        )
        try:
            with self._database.writing() as conn:
                _put(conn, template)
                conn.execute(_versions.insert().values(_version_values(version)))
                rows.add_audit(conn, audit)
                self._database.bump(conn, CONFIG)
        except Violated:
            raise _changed(template) from None
        return version

    def delete(self, template_id: str, *, audit: AuditEntry) -> None:
        """Removes a template with its versions. Raises NotFound."""
        with self._database.writing() as conn:
            gone = conn.execute(_templates.delete().where(_templates.c.id == clean(template_id)))
            if gone.rowcount == 0:
                raise _missing(template_id)
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)


def _put(conn: sa.Connection, template: Template) -> None:
    """The template's row, if it stands at the version before. Raises NotFound, Conflict."""
    values = {
        "name": template.name,
        "version": template.version,
        "updated_at": template.updated_at,
    }
    if template.version == 1:
        conn.execute(
            _templates.insert().values(id=template.id, created_at=template.created_at, **values)
        )
        return
    here = _templates.c.id == template.id
    changed = conn.execute(
        _templates.update().where(here, _templates.c.version == template.version - 1).values(values)
    )
    if changed.rowcount == 0:
        if conn.scalar(sa.select(_templates.c.id).where(here)) is None:
            raise _missing(template.id)
        raise _changed(template)


def _of(template_id: str) -> sa.Select[tuple[object, ...]]:
    return (
        sa.select(_versions)
        .where(_versions.c.template_id == clean(template_id))
        .order_by(_versions.c.version.desc())
    )


def _version_values(version: TemplateVersion) -> dict[str, object]:
    return {
        "template_id": version.template_id,
        "version": version.version,
        "source": version.source,
        "created_at": version.created_at,
        "created_by": version.created_by,
    }


def _missing(template_id: str) -> NotFound:
    return NotFound(f"There is no template {template_id}.")


def _changed(template: Template) -> Conflict:
    return Conflict(
        f"Template {template.name} was changed by somebody else meanwhile; read it again and "
        "decide anew.",
        code="template_changed",
    )
