"""The printer of native programs: loops over array entries, their compilation by LLVM, and the cache on disk."""
