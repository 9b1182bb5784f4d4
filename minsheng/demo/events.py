"""Shocks: what happened to a household or a person, when, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minsheng.demo.reference import Integers

SHOCK_KINDS = (
    "illness",
    "disability",
    "job_loss",
    "business_failure",
    "benefit_stopped",
    "dropout",
    "uninsured",
)
(
    ILLNESS,
    DISABILITY,
    JOB_LOSS,
    BUSINESS_FAILURE,
    BENEFIT_STOPPED,
    DROPOUT,
    UNINSURED,
) = range(len(SHOCK_KINDS))


@dataclass(frozen=True)
class Events:
    """Shocks as parallel arrays.

    `household` and `person` are positions within the chunk, -1 for none. `month` counts from
    January 2017. `amount_fen` is -1 where the shock has no amount.
    """

    kind: Integers
    household: Integers
    person: Integers
    month: Integers
    amount_fen: Integers

    @staticmethod
    def of(
        kind: int,
        household: Integers,
        month: Integers,
        amount_fen: Integers | None = None,
        person: Integers | None = None,
    ) -> Events:
        """Shocks of one kind."""
        none = np.full(len(household), -1, dtype=np.int64)
        return Events(
            kind=np.full(len(household), kind, dtype=np.int64),
            household=household,
            person=none if person is None else person,
            month=month,
            amount_fen=none if amount_fen is None else amount_fen,
        )

    @staticmethod
    def concatenate(parts: list[Events]) -> Events:
        """All shocks of `parts`."""
        return Events(
            kind=np.concatenate([part.kind for part in parts]),
            household=np.concatenate([part.household for part in parts]),
            person=np.concatenate([part.person for part in parts]),
            month=np.concatenate([part.month for part in parts]),
            amount_fen=np.concatenate([part.amount_fen for part in parts]),
        )
