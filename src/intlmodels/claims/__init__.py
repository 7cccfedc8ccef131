"""What a publication says, held against what it printed: verdicts that are computed."""

from __future__ import annotations
