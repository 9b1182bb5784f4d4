"""YAML documents: what policies, contracts and settings are written in."""

from pathlib import Path

import yaml


class DocumentFault(ValueError):
    """A document that is no YAML; the message names the file and the line."""


def read_document(path: Path) -> object:
    """What a YAML file holds. Raises DocumentFault."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except UnicodeDecodeError as fault:
        raise DocumentFault(f"{path}: byte {fault.start} is no UTF-8") from None
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise DocumentFault(f"{path}{line}: {fault.problem or fault.context}") from None
    except yaml.YAMLError as fault:
        raise DocumentFault(f"{path}: {' '.join(str(fault).split())}") from None
