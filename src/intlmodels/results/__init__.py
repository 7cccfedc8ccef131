"""Tables of results, read from stored fits."""
