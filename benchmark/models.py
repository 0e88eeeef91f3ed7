"""The fitted method of a run."""

from __future__ import annotations

from ..core.errors import OsbenchError, RunError, UsageError
from ..core.foreign import check_regular
from ..core.text import printable
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
    _check_files(run)
    try:
        return cls.load(run.model)
    except Exception as error:  # a model folder may come from anybody: any error is one line
        kind = "" if isinstance(error, OsbenchError) else f"{type(error).__name__}: "
        raise RunError(f"{printable(run.model)} cannot be loaded: {kind}{printable(error, 400)}") from error


def _check_files(run: Run) -> None:
    """RunError for a model folder with something else than regular files of its own: links out, pipes, devices."""
    root = run.folder.resolve()
    for path in [run.model, *run.model.rglob("*")]:
        if not path.resolve().is_relative_to(root):
            raise RunError(f"{printable(path)} leads out of the run: refused.")
        if not path.is_dir():
            check_regular(path, RunError)


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
