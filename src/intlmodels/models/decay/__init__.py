"""What only the decay model needs: the sampler of tables and parameters, and what follows."""

from __future__ import annotations
