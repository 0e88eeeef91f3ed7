"""Weight files of other projects, read without executing anything in them."""

from .inspect import inspect_checkpoint
from .load import LoadedGenerator, load_generator

__all__ = ["LoadedGenerator", "inspect_checkpoint", "load_generator"]
