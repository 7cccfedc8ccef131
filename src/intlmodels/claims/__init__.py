"""What a publication says, held against what it printed: verdicts that are computed."""
