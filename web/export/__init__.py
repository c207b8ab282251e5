"""The graph document in the formats of other programs."""
