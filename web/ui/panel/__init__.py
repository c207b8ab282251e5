"""The panel beside the graph: figures of an edge or node, its policy, and the editor of its rule."""
