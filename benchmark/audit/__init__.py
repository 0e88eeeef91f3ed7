"""What trivial attributors can do with a dataset: if colours name the generator, a high score says nothing of traces.

A *probe* (:mod:`.probe`, one file each in :mod:`.probes`) turns an image into a few numbers that no forensic method
should need: its metadata, the size of its file, its colours, its layout. Three standard classifiers learn from them
under the protocol of the dataset, and once more across weights where there are several. A *gate* says how much a probe
may find; only the probe of traces must find something, or the dataset shows nothing that belongs to an architecture.

::

    audit = audit_dataset(Dataset.open("data"))
    audit.ok, audit.gates, audit.probes

Nothing here needs torch.
"""

from .probe import Batch, Gate, Probe, get_probe, probe_names, register_probe
from .report import audit_dataset, audit_text

__all__ = [
    "Batch",
    "Gate",
    "Probe",
    "audit_dataset",
    "audit_text",
    "get_probe",
    "probe_names",
    "register_probe",
]
