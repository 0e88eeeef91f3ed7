"""Generator families, each one module of this folder, imported when it is asked for."""

from .base import Generator, families, family_class, load_safetensors_generator, register_family, save_generator

__all__ = [
    "Generator",
    "families",
    "family_class",
    "load_safetensors_generator",
    "register_family",
    "save_generator",
]
