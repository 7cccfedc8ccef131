"""What only the share model needs once it is fitted: tables, sentences, pictures, sections."""

from __future__ import annotations
