"""Policies: planned, published, watched, taken back, written down. ``publish`` is the one write path."""
