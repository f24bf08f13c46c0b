"""What describe tells of objects and fields."""

from inkwire.providers.salesforce.sandbox.schema import Field, SObject
from inkwire.providers.sandboxing import Doc

_SOAP = {
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "base64": "xsd:base64Binary",
    "id": "tns:ID",
    "reference": "tns:ID",
}


def summary(one: SObject, version: str) -> Doc:
    """An object as the list of objects has it."""
    base = f"/services/data/v{version}/sobjects/{one.name}"
    return {
        "name": one.name,
        "label": one.label,
        "labelPlural": f"{one.label}s",
        "keyPrefix": one.prefix,
        "custom": one.name.endswith("__c"),
        "createable": one.create,
        "updateable": one.update,
        "deletable": one.delete,
        "queryable": True,
        "retrieveable": True,
        "replicateable": True,
        "undeletable": one.delete,
        "urls": {
            "sobject": base,
            "describe": f"{base}/describe",
            "rowTemplate": f"{base}/{{ID}}",
        },
    }


def described(one: SObject, version: str) -> Doc:
    """An object with all its fields."""
    children = (
        [
            {
                "childSObject": "ContentDocumentLink",
                "field": "LinkedEntityId",
                "relationshipName": "ContentDocumentLinks",
                "cascadeDelete": True,
            }
        ]
        if one.files
        else []
    )
    fields = [_field(field) for field in one.fields.values()]
    return summary(one, version) | {
        "fields": fields,
        "childRelationships": children,
        "recordTypeInfos": [],
    }


def _field(field: Field) -> Doc:
    many = field.type in ("picklist", "combobox")
    values = [
        {
            "active": True,
            "defaultValue": value == field.default,
            "label": value,
            "value": value,
            "validFor": None,
        }
        for value in field.values
    ]
    return {
        "name": field.name,
        "label": field.shown,
        "type": field.type,
        "soapType": _SOAP.get(field.type, "xsd:string"),
        "length": field.length,
        "byteLength": field.length * 3,
        "createable": field.create,
        "updateable": field.update,
        "nillable": not field.required and field.type != "boolean",
        "defaultedOnCreate": field.default is not None or field.name == "OwnerId",
        "filterable": field.filter,
        "sortable": field.filter,
        "custom": field.name.endswith("__c"),
        "externalId": field.external,
        "idLookup": field.external or field.name == "Id",
        "unique": field.unique,
        "caseSensitive": False,
        "calculated": False,
        "referenceTo": list(field.refers),
        "relationshipName": field.relation or None,
        "picklistValues": values if many else [],
        "restrictedPicklist": field.restricted,
        "precision": 18 if field.type in ("currency", "double", "percent") else 0,
        "scale": 2 if field.type == "currency" else 0,
    }
