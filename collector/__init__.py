"""From the wire to calls: receivers, the linker, roll-ups and the live graph."""
