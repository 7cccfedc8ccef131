"""Whether a model and its conclusions can be trusted: calibration, comparison, sensitivity."""
