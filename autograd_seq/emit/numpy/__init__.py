"""The printer of NumPy programs: a call for all steps, loops over rows, arrays that are allocated once."""
