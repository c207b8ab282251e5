"""Where nodes and edges of the graph are drawn: pure functions of the topology and of stored positions."""
