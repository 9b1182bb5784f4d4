"""Freshness: by when Dagster expects each asset to have been made again."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

NIGHTLY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=36), warn_window=timedelta(hours=26)
)
"""The nightly refresh makes everything; how late a department is stands in `meta.source`."""


def with_freshness(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets, each expected once a night."""
    return [
        asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=NIGHTLY))
        for asset in assets
    ]
