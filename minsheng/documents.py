"""YAML documents: what policies, contracts and settings are written in."""

import pickle
from functools import lru_cache
from pathlib import Path

import yaml


class DocumentFault(ValueError):
    """A document that is no YAML; the message names the file and the line."""


def read_document(path: Path) -> object:
    """What a YAML file holds, which is the caller's own. Raises DocumentFault."""
    return pickle.loads(_parsed(path, path.read_bytes()))


@lru_cache(maxsize=1024)
def _parsed(path: Path, content: bytes) -> bytes:
    """What the file of these bytes holds, parsed once a process; YAML takes its time."""
    try:
        return pickle.dumps(yaml.load(content.decode("utf-8"), Loader=yaml.CSafeLoader))
    except UnicodeDecodeError as fault:
        raise DocumentFault(f"{path}: byte {fault.start} is no UTF-8") from None
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise DocumentFault(f"{path}{line}: {fault.problem or fault.context}") from None
    except yaml.YAMLError as fault:
        raise DocumentFault(f"{path}: {' '.join(str(fault).split())}") from None
