"""The attribution methods of the board, one file each.

Importing this package registers every method that lies in this folder (``benchmark.method.get_method`` then finds
them by name), so a new method is one new file.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
