"""A method's card, read from the text of its module: importing a method loads torch, which takes seconds."""

from __future__ import annotations

import ast
from typing import Any


def read_card(source: str, fields: tuple[str, ...]) -> dict[str, Any] | None:
    """Some fields of ``card = MethodCard(...)`` in a module.

    Parameters
    ----------
    source : str
        The text of the module.
    fields : tuple of str
        Names of fields, given by keyword in the module.

    Returns
    -------
    dict or None
        Field -> value. None where the module does not say them in so many words; its class has to be asked then.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "MethodCard":
            values = {keyword.arg: keyword.value for keyword in node.keywords}
            try:
                return {field: ast.literal_eval(values[field]) for field in fields}
            except (KeyError, ValueError):
                return None
    return None
