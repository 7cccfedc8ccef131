"""Fits: sampled, checked, stored."""
