"""The printer of native programs: loops over entries, their compilation, and their cache on disk."""
