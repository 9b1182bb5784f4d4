"""Minsheng 民生: an open poverty-monitoring pipeline and analytics warehouse.

The library: plain functions and frozen dataclasses. Nothing here imports Dagster.
"""
