# SPDX-License-Identifier: BSD-3-Clause
"""The original, and how to have it beside this package."""
import importlib.util
import pathlib
import sys

# Where Debian's python3-smmap, python3-gitdb and python3-git are.
DEBIAN = pathlib.Path("/usr/lib/python3/dist-packages")


def load_package(directory, name):
    """Imports a package under a name of our choice."""
    spec = importlib.util.spec_from_file_location(
        name, directory / "__init__.py", submodule_search_locations=[str(directory)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
