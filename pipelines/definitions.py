"""The code location: what Dagster knows of the deployment that the environment names."""

from minsheng.settings import load_settings
from pipelines.catalog import definitions_of

defs = definitions_of(load_settings().deployment)
