"""`python -m autograd_seq` is `autograd-seq`."""

import sys

from autograd_seq.cli import main

if __name__ == "__main__":
    sys.exit(main())
