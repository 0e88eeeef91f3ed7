"""The seven generator families of paper 1, each one module."""

import importlib
import pkgutil

from .base import Generator, families, family_class, load_safetensors_generator, register_family, save_generator

__all__ = [
    "Generator",
    "families",
    "family_class",
    "load_safetensors_generator",
    "register_family",
    "save_generator",
]

# A new family is one new file: whatever module lies in this folder registers itself.
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
