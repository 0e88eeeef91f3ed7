"""``osbench check-method``: does a method keep its contract?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .options import emit, handle_errors, json_option

if TYPE_CHECKING:
    from ..benchmark.method_checks import Check


@click.command()
@click.argument("method")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="A hyper-parameter. Repeatable.")
@click.option("--epochs", type=click.IntRange(min=1), default=None, help="Of the fit that must learn.")
@click.option("--crop-size", type=click.IntRange(min=8), default=48, show_default=True, help="Side of the images.")
@json_option
@handle_errors
def command(method: str, options: tuple[str, ...], epochs: int | None, crop_size: int, as_json: bool) -> None:
    """Check METHOD, a name or path/to/file.py: one line for each promise of a method, in about a minute.

    It is fitted three times on a few easy images, asked about others, saved and loaded. In Python:
    osbench.testing.check_method.
    """
    from ..benchmark.method import get_method, parse_options
    from ..benchmark.method_checks import method_checks
    from ..core.errors import RunError

    cls = get_method(method)
    checks: list[Check] = []
    for check in method_checks(cls, options=parse_options(cls, options), epochs=epochs, crop_size=crop_size):
        checks.append(check)
        if not as_json:
            click.echo(_text(check))
    faults = sum(check.fault is not None for check in checks)
    if as_json:
        emit(True, [asdict(check) for check in checks], "")
    if faults:
        raise RunError(f"method {cls.name} fails {faults} check{'s' if faults > 1 else ''}.")


def _text(check: Check) -> str:
    if check.fault is not None:
        return f"FAILED   {check.name}: {check.fault}"
    return f"skipped  {check.name}: {check.skipped}" if check.skipped is not None else f"ok       {check.name}"
