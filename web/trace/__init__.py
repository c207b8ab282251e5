"""One trace: what its stored spans say together (semantics V1–V6). Pure functions over plain lists."""
