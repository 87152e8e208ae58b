"""The skin all command lines share: one sentence for an error, results on stdout, progress on stderr."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from model_config import interrupts
from model_config.errors import SuiteError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

INTERRUPTED = interrupts.EXIT_CODE

_DISK = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Failure(click.ClickException):
    """An error as the terminal shows it."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        """Keep the sentence and the exit code."""
        super().__init__(" ".join(message.split()))  # one line, whatever TensorFlow's texts bring
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from here

    def show(self, file: Any = None) -> None:
        """Print the sentence on stderr."""
        click.echo(f"{click.style('error:', fg='red', bold=True)} {self.format_message()}", file=file, err=True)


class _OneSentence(click.Command):
    """Our own errors end as one sentence; bugs keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and translate what it raises."""
        try:
            return super().invoke(ctx)
        except SuiteError as error:
            raise Failure(str(error)) from error
        except KeyboardInterrupt:
            raise Failure(interrupts.SENTENCE, INTERRUPTED) from None
        except ImportError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # it came while a C++ library was being loaded
                raise Failure(interrupts.SENTENCE, INTERRUPTED) from None
            raise
        except OSError as error:
            if error.errno in _DISK and error.filename is not None:
                raise Failure(f"cannot write {error.filename}: {_reason(error)}") from error
            if error.errno in _FULL:  # it came while writing, and such an error does not know the file
                raise Failure("no space is left on the disk; free some, and run it again") from error
            raise


class Commands(_OneSentence, click.Group):
    """A command line of several commands."""


class Command(_OneSentence):
    """A command line that is one command."""


def _reason(error: OSError) -> str:
    remedy = "free some space" if error.errno in _FULL else "choose a place you may write to"
    return f"{(error.strerror or 'refused').lower()}; {remedy}"


def progress(total: str = "{task.completed}/{task.total}") -> Progress:
    """A progress display on stderr; on anything but a terminal it stays silent."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<34}", markup=False), BarColumn(), TextColumn(total), TimeElapsedColumn())
    return Progress(*columns, console=stderr())


def stderr() -> Console:
    """Where progress and remarks go."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """A result for machines: one line of JSON on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_line(text: str, value: Any, as_json: bool) -> None:
    """A result that is one line for people, or the same as JSON."""
    if as_json:
        print_json(value)
    else:
        click.echo(text)


def print_table(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1, apart: int = 2
) -> None:
    """A result for people on stdout; the first ``left`` columns are words, the others numbers, ``apart`` so far."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, apart - 1, 0, 0), pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(name, justify="left" if place < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    # names and labels are told as they are, brackets and colons included
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:  # a file or a pipe has no width to fold for
        console.width = _WIDE
    console.print(title, style="bold", soft_wrap=True)
    console.print(table)


_WIDE = 160
