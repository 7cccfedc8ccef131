"""Ground that every package stands on: errors, files, formats, processes."""
