"""Measures the package side by side with others: ``make bench``, see docs/speed.md.

A folder of the checkout, not of the package. Each section (a to f) is a module with ``measure``,
which runs whole processes and returns numbers, and ``told``, which makes Markdown of them.
"""
