"""Fits of registers of decisions: counts of firms with like sequences, and their reports."""
