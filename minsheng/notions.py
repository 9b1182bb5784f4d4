"""Three notions of a household: the roll's, civil affairs' co-living one, the registration's.

Each is numbered by another department; a number of one is never taken for one of another.
"""

from collections.abc import Sequence

from minsheng import linkage
from minsheng.contracts import Contract
from minsheng.pseudonyms import mint

NUMBERED_APART = ("co_living_identity", "registration_identity")
"""Staged columns that tell the households of a notion apart, beside the roll's."""


def household_select(sources: Sequence[Contract], secret: bytes) -> str:
    """The SELECT of `vault.household`: one row per household of any notion that a source names."""
    selects = [linkage.household_select(sources, secret)]
    for identity in NUMBERED_APART:
        delivered = " union all ".join(
            f"select {identity} as household_identity from {source.name}"
            for source in sources
            if any(column.name == identity for column in source.columns)
        )
        if delivered:
            key = mint(secret, "'household|' || household_identity")
            selects.append(
                f"select household_identity, {key} as household_id "
                f"from (select distinct household_identity from ({delivered})) "
                "where household_identity is not null"
            )
    return " union all ".join(selects)
