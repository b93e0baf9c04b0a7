"""What users of the package do not need: other libraries to measure it beside, and scripts that each measure one thing.

Run scripts from the root of the checkout; what they printed, and where, is in ``RESULTS.md``.
"""
