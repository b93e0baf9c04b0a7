"""From a graph to what a picture shows of it: vertices, their roles, and the two levels of detail."""
