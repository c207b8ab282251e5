"""A second linker, slow and obvious, written from the rules: what the fast one is compared with."""
