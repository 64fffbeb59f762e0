# SPDX-License-Identifier: Apache-2.0
"""Open3D, imported so that it needs no library of the system: its wheel expects one for cameras."""

import ctypes
import warnings

from recon_node.engines.errors import require_package

# Loaded first, the library from PyPI answers to the name that Open3D links against.
ctypes.CDLL(str(require_package("libusb_package", extra="tsdf").get_library_path()))
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what its viewers import
    open3d = require_package("open3d", extra="tsdf")
