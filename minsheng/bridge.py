"""From a delivered row to the keys of its person and its household, without what names them.

The vault knows identities as delivered, so only the step that links opens it. It leaves these
tables behind: what comes after finds a row by its delivery and its number, and needs no vault.
"""

from collections.abc import Sequence

from minsheng.contracts import Contract
from minsheng.linkage import is_personal
from minsheng.notions import NOTIONS
from minsheng.quoting import literal, quoted

LAYER = "bridge"
OF_THE_ROW = ("source", "delivery_id", "row_number", "household_notion")


def table_selects(bridge: Contract, sources: Sequence[Contract]) -> Sequence[str]:
    """The SELECTs whose rows are the bridge's table, one a source to hold the memory of one."""
    selects = {"person": _person_selects, "household": _household_selects}
    return selects[bridge.table](bridge, sources)


def _person_selects(bridge: Contract, sources: Sequence[Contract]) -> list[str]:
    said = ", ".join(f"identity.{name}" for name in _said(bridge))
    return [
        f"""
        select {literal(source.table)} as source, record.delivery_id, record.row_number, {said}
        from {_staged(source)} as record
        join vault.identity as identity on identity.source = {literal(source.table)}
            and identity.record_identity = record.record_identity
        """
        for source in sources
        if is_personal(source)
    ]


def _household_selects(bridge: Contract, sources: Sequence[Contract]) -> list[str]:
    said = ", ".join(f"household.{name}" for name in _said(bridge))
    return [
        f"""
        select {literal(source.table)} as source, record.delivery_id, record.row_number,
            {literal(notion)} as household_notion, {said}
        from {_staged(source)} as record
        join vault.household as household on household.household_identity = record.{identity}
        """
        for source in sources
        for identity, notion in NOTIONS.items()
        if any(column.name == identity for column in source.columns)
    ]


def _said(bridge: Contract) -> list[str]:
    """Columns that the vault's table gives; those that name somebody are not among them."""
    return [column.name for column in bridge.columns if column.name not in OF_THE_ROW]


def _staged(source: Contract) -> str:
    return f"staged.{quoted(source.table)}"
