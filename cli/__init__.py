"""``osbench``: one click group, one file per verb, no logic of its own."""

from __future__ import annotations

import importlib
import pkgutil

import click

_NOT_VERBS = {"options"}


class _Verbs(click.Group):
    """Loads ``cli/<verb>.py`` only when the verb is used, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (m.name for m in pkgutil.iter_modules(__path__))
        return sorted(name.rstrip("_") for name in names if name not in _NOT_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        modules = {m.name.rstrip("_"): m.name for m in pkgutil.iter_modules(__path__)}
        return importlib.import_module(f".{modules[cmd_name]}", __name__).command

    def resolve_command(self, ctx: click.Context, args: list[str]):
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            from ..core.errors import unknown_name

            ctx.fail(str(unknown_name("verb", args[0], self.list_commands(ctx))))
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="osbench")
def main() -> None:
    """Open-set synthetic image source attribution: which generator made this image, or is it one nobody has seen?

    \b
    The whole line on the small embedded suite:   osbench run --suite mini --out build/demo
    Step by step:
      osbench generate --suite mini --out data          make the images
      osbench split data --protocol fang2023            who is seen, who is unseen
      osbench evaluate --method proposed --data data --out runs
      osbench leaderboard build runs --out site         open site/index.html
      osbench attribute photo.png --run runs/proposed/...

    Every verb has --help and --json. Exit codes: 0 success, 2 usage error, 1 any other error.
    """
