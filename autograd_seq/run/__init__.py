"""Programs that run: compiled graphs, streams and carries, their feeds, workspaces and threads."""
