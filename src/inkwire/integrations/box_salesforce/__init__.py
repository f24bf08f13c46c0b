"""Box and Salesforce in step: files and activity one way, folders the other (R37–R86).

- settings.py: what can be set, and what can be wrong with it; trying.py: is it there at all?
- kind.py: which events and which clock start which workflow
- clients.py: Box and Salesforce as the integration's connections call them
- finding.py: the record of a file or folder: metadata, path rule, what is known
- rules.py: records that a folder's name may mean
- files.py: a file's event: its version onto its records; attaching.py: that one upload, never twice
- doubt.py: how long is looked before what was not answered is sent again
- settling.py: what was stored is compared, and linked to further records, in batches
- activity.py: what happened, as Tasks; tasks.py: a batch of them, never twice; tasks_bulk.py:
  thousands as one job; task_rows.py: what those two share
- stage.py: a contract was executed
- polling.py: which records are new or changed; provisioning.py: their folders, step by step
- tree.py: what folders are called, and where they stand (pure); seeing.py: a record, read once
- placing.py: what each step does; claiming.py: metadata says whose a folder is
- owners.py: who has access; linking.py: the folder's address on the record
- keeping.py: the webhook on the root folder; filling.py: what no webhook told of
"""

from inkwire.integrations.box_salesforce.kind import BoxSalesforce

INTEGRATION = BoxSalesforce()
