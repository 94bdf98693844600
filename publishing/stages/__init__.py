"""The stages, one file each; importing this package registers them, and the workflow they serve."""

import importlib
import pkgutil
from datetime import timedelta

from lanes.contracts import BundleSpecs
from lanes.selection import WORKFLOW, load_bundle
from publishing.payloads import Brief
from workflows.registry import Retention, register_workflow

register_workflow(
    WORKFLOW,
    provides={
        Brief: lambda envelope: Brief.model_validate(envelope["brief"]),
        BundleSpecs: lambda envelope: load_bundle(envelope["bundle"]),
    },
    # What an article rests on (its revision, sources, calls) is publishing's own and stays.
    retention=Retention(success=timedelta(days=90), error=timedelta(days=365)),
    schedulable=False,  # its keys are the routines' brief_ids
)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
