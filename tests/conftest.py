"""The whole suite compiles to NumPy where a test does not ask for native code, which would be compiled for each test anew."""

from __future__ import annotations

import os

# Set here, not by a fixture: doctests and the programs that tests start read it too.
os.environ.setdefault("AUTOGRAD_SEQ_BACKEND", "numpy")
