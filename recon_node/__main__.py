# SPDX-License-Identifier: Apache-2.0
"""`python -m recon_node` is the command `recon`."""

import sys

from recon_node.cli import main

if __name__ == "__main__":
    sys.exit(main())
