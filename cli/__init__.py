"""``osbench``: one click group, one file per verb, no logic of its own."""

from __future__ import annotations

import importlib
import pkgutil

import click

_NOT_VERBS = {"completion", "leaderboard_server", "options"}


class _Verbs(click.Group):
    """Loads ``cli/<verb>.py`` only when the verb is used, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = self._modules().get(cmd_name)
        if module is None:
            return None
        from .completion import with_completion

        return with_completion(importlib.import_module(f".{module}", __name__).command)

    @staticmethod
    def _modules() -> dict[str, str]:
        """Verb -> its module: ``check-method`` -> ``check_method``."""
        names = (m.name for m in pkgutil.iter_modules(__path__))
        return {name.rstrip("_").replace("_", "-"): name for name in names if name not in _NOT_VERBS}

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
    The whole pipeline on the embedded suite:   osbench run mini --out build/demo
    Step by step:
      osbench generate                       make the images of the suite mini in data
      osbench split                          who is seen, who is unseen: protocol fang2023, or --unseen NAME
      osbench evaluate --method proposed     runs in runs
      osbench leaderboard build              open site/index.html
      osbench attribute photo.png --run runs/proposed/...

    Every verb has --help, --json and --quiet. Exit codes: 0 success, 1 an error, 2 a usage error, 130 stopped by
    Ctrl-C (the same command again goes on). The shell completes verbs, options and names after
    `eval "$(_OSBENCH_COMPLETE=bash_source osbench)"` (bash; zsh_source for zsh, `fish_source | source` for fish).
    """
