"""The stages, one file each; importing this package registers them, and the workflow they serve."""

import importlib
import pkgutil

from lanes.contracts import BundleSpecs
from lanes.selection import WORKFLOW, load_bundle
from publishing.payloads import Brief
from workflows.registry import register_workflow

register_workflow(
    WORKFLOW,
    provides={
        Brief: lambda envelope: Brief.model_validate(envelope["brief"]),
        BundleSpecs: lambda envelope: load_bundle(envelope["bundle"]),
    },
)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
