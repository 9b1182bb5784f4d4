"""What a run carries and tells, whoever started it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterEvent

NOTED_TAG = "minsheng/noted"
"""On a run whose outcome is noted by whoever started it, and by no sensor."""
PROCESS_TAG = "minsheng/process"
"""The machine and the process in which a run is."""


def told_error(event: "DagsterEvent") -> str:
    """The innermost cause of the error that an event tells, in one line; empty if it tells none."""
    error = getattr(event.event_specific_data, "error", None)
    if error is None:
        return ""
    while error.cause is not None:
        error = error.cause
    message = str(error.message).strip().rpartition(f"{error.cls_name}: ")[2]
    return f"{event.step_key}: {message}" if event.step_key else message
