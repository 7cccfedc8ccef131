"""Registers: rows in files of any size, read by DuckDB as counts of cells, and fits of these."""

from __future__ import annotations
