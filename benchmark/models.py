"""The fitted method of a run."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import RunError, UsageError
from ..core.foreign import printable
from .method import Method, get_method, registered_method
from .runs import Run


def load_model(run: Run, method_file: str | None = None) -> Method:
    """The fitted method of a run.

    What the run itself names is looked up among the registered methods and never opened as a file: a run may come from
    anybody.

    Parameters
    ----------
    run : Run
        The run.
    method_file : str, optional
        The user's own ``path/to/file.py`` where the method is defined, if it is not registered.

    Returns
    -------
    Method
        On the CPU. RunError for a run without a model, or if the file defines another method; UsageError for a method
        that is not registered.
    """
    cls = _method_of(run) if method_file is None else get_method(method_file)
    if cls.name != run.method:
        raise RunError(f"{run.folder} is a run of {run.method}, but {method_file} defines {cls.name}.")
    if not run.model.is_dir():
        raise RunError(f"{run.folder} has no model/ folder (a submission has none): evaluate again.")
    if not Path(run.model).resolve().is_relative_to(run.folder.resolve()):
        raise RunError(f"{run.model} leads out of the run: refused.")
    return cls.load(run.model)


def _method_of(run: Run) -> type[Method]:
    try:
        return registered_method(run.method)
    except UsageError as error:
        if run.info.config.method_sha256 is None:
            raise
        raise UsageError(
            f"{printable(run.folder)}: its method '{run.method}' lives in a file of its own: give it with "
            "--method FILE."
        ) from error
