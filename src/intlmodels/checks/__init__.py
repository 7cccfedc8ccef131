"""Whether a model and its conclusions can be trusted: calibration, leave-one-out, sensitivity."""

from __future__ import annotations
