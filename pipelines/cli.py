"""The `minsheng` command. Each subcommand fails with one clear line on what to do."""

import csv
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from minsheng.settings import Settings, load_settings, require_home

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Minsheng 民生: poverty monitoring from departmental files to published figures.",
)
PLAN_HOUSEHOLDS = 240
"""Households of the demo that live in the area and years of each of the other plans."""
KNOWN_FAULTS = (ValueError, RuntimeError, OSError)


@app.command()
def demo(
    households: Annotated[int, typer.Option(min=1, help="Households on the roll.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 2022,
    dirty: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of rows with an error.")
    ] = 0.02,
    broken_ids: Annotated[
        float,
        typer.Option(min=0, max=0.5, help="Share of a department's persons with a broken number."),
    ] = 0.0,
    odd_names: Annotated[
        float,
        typer.Option(min=0, max=0.5, help="Share of a department's persons with an odd name."),
    ] = 0.0,
    plan_households: Annotated[
        int,
        typer.Option(min=0, help="Households in the area and years of each other plan."),
    ] = PLAN_HOUSEHOLDS,
) -> None:
    """Invent an area's deliveries, put them into the inbox with the truth beside, and refresh."""
    with _clear_errors():
        from minsheng.demo import generate
        from minsheng.pseudonyms import keep_demo_secret

        settings = load_settings()
        require_home(settings, may_begin=True)
        keep_demo_secret(settings.vault)
        _say(f"inventing the files of {households:,} households in {settings.inbox}")
        with _progress("inventing") as progress:
            summary = generate(
                settings.inbox,
                settings.home / "truth",
                project_root=settings.root,
                households=households,
                seed=seed,
                dirty_rate=dirty,
                broken_ids=broken_ids,
                odd_names=odd_names,
                plan_households=plan_households if settings.datasets is None else 0,
                datasets=settings.datasets,
                progress=progress,
            )
        typer.echo(f"invented {summary.rows:,} rows in {summary.files} files")
        _say(f"refreshing {settings.home}: files, then tables layer by layer, then publication")
        _refresh(settings, tells_layers=True)
        typer.echo(
            f"""
tables    {settings.published / "current" / "minsheng.duckdb"}
truth     {settings.home / "truth"}
refused   {settings.rejects}

next      .venv/bin/minsheng status
          .venv/bin/python examples/first_look.py
          .venv/bin/minsheng explain HOUSEHOLD_ID"""
        )


@app.command()
def refresh(
    known_on: Annotated[
        str, typer.Option(help="Leave out what was delivered after this day (ISO date).")
    ] = "",
    as_of: Annotated[
        str, typer.Option(help="The month that the figures describe, such as 2022-12.")
    ] = "",
    rotate_keys: Annotated[
        bool,
        typer.Option(help="Publish under the pseudonym key of the settings, though it is another."),
    ] = False,
) -> None:
    """Take what has arrived, build, audit and publish. 0: published or nothing new. 1: neither."""
    with _clear_errors():
        month = _month(as_of)
        _refresh(_at_home(), _day(known_on), month, rotate_keys)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """What each source delivered last, the last build and the current version."""
    with _clear_errors():
        from minsheng.status import status_of, status_text

        found = status_of(_at_home())
        text = json.dumps(found, ensure_ascii=False, indent=1) if as_json else status_text(found)
        typer.echo(text)


@app.command()
def linkage() -> None:
    """How the records of the current version are linked, and how well where the truth is known."""
    with _clear_errors():
        from minsheng.link_report import report

        settings = _at_home()
        typer.echo(report(settings, datetime.now(settings.time_zone)))


@app.command()
def explain(household_id: str) -> None:
    """Why a household is on the risk table, from which rows, and what it gets."""
    with _clear_errors():
        from minsheng.explain import explain_household

        typer.echo(explain_household(_at_home(), household_id))


@app.command()
def link(
    left: Path,
    right: Path,
    rules: Annotated[Path, typer.Option(help="The rule table, as examples/febrl/rules.yaml.")],
    truth: Annotated[
        Path | None, typer.Option(help="A file with the columns left_id and right_id.")
    ] = None,
    form: Annotated[Literal["table", "json", "csv"], typer.Option("--format")] = "table",
) -> None:
    """Link the rows of two files by a rule table; csv prints the pairs, linked and to review."""
    with _clear_errors():
        from minsheng.link_files import link_files

        found = link_files(left, right, rules, truth)
        if form == "json":
            typer.echo(json.dumps(found.summary(), ensure_ascii=False))
        elif form == "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(("left_id", "right_id", "outcome", "rule", "doubt"))
            writer.writerows((*pair[:2], "link", *pair[2:], "") for pair in found.links)
            writer.writerows((*pair[:2], "review", *pair[2:]) for pair in found.review)
        else:
            for name, value in found.summary().items():
                if name != "rules":
                    typer.echo(f"{name:10} {'-' if value is None else value}")
            for name, count in found.rules.items():
                typer.echo(f"{count:>10} by {name}")


@app.command()
def measures(
    file: Path,
    welfare: Annotated[str, typer.Option(help="The column of income or consumption per head.")],
    weight: Annotated[str, typer.Option(help="The column of persons that a row stands for.")] = "",
    household: Annotated[
        str, typer.Option(help="The column of the sampling unit; without it each row is one.")
    ] = "",
    stratum: Annotated[str, typer.Option(help="The column of the sample's stratum.")] = "",
    line: Annotated[
        float | None, typer.Option(help="The poverty line; poor is strictly below it.")
    ] = None,
    by: Annotated[str, typer.Option(help="The column whose every value is measured apart.")] = "",
    register: Annotated[
        bool, typer.Option(help="Everybody is in the file: nothing has a sampling error.")
    ] = False,
    form: Annotated[Literal["table", "json", "csv"], typer.Option("--format")] = "table",
) -> None:
    """Measure poverty and inequality in any CSV or Parquet file."""
    with _clear_errors():
        from minsheng.measure_files import Roles, as_text, measure_file

        roles = Roles(welfare, weight, household, stratum, by)
        with _progress("measuring"):
            found = measure_file(file, roles, line, is_sample=not register)
        typer.echo(as_text(found, form))


@app.command()
def withdraw(
    delivery_id: str,
    reason: Annotated[str, typer.Option(help="Why, in the department's words.")],
) -> None:
    """Let a delivery count no more from now on; the one before it counts again."""
    with _clear_errors():
        from datetime import datetime

        from minsheng import lake
        from minsheng.lock import refresh_lock

        settings = _at_home()
        with refresh_lock(settings.home):
            withdrawal = lake.withdraw(
                settings.lake, delivery_id, reason, datetime.now(settings.time_zone)
            )
        typer.echo(
            f"withdrawn as {withdrawal.delivery_id}, which can be withdrawn in its turn; "
            "`minsheng refresh` makes figures without it"
        )


@app.command()
def rollback(version: Annotated[str | None, typer.Argument()] = None) -> None:
    """Make an earlier version current; without a name, the one before the current."""
    with _clear_errors():
        from minsheng.lock import refresh_lock
        from minsheng.release import rollback as make_current

        settings = _at_home()
        with refresh_lock(settings.home):
            typer.echo(f"current is {make_current(settings, version).version}")


def _refresh(
    settings: Settings,
    known_on: date | None = None,
    as_of: date | None = None,
    rotate_keys: bool = False,
    *,
    tells_layers: bool = False,
) -> None:
    from minsheng.faults import without_numbers
    from minsheng.inbox import readable_path
    from pipelines.refresh import refresh as run

    with _progress("refreshing") as progress:
        told = _layer_by_layer(progress) if tells_layers else progress
        outcome = run(settings, known_on, as_of, told, rotate_keys)
    if outcome.untold:
        typer.echo(
            f"the refresh of {outcome.untold} was ended from outside and said nothing; what it "
            "left is mended, and what it took stands here",
            err=True,
        )
    for line in outcome.taken:
        typer.echo(line)
    for line in outcome.unfetched:
        typer.echo(line, err=True)
    for path in outcome.misplaced:
        place = without_numbers(readable_path(path))
        typer.echo(f"not taken: {place} lies in no dataset's folder", err=True)
    if outcome.state == "failed":
        kept = outcome.version.version if outcome.version else "none"
        _fail(f"{outcome.message}; current version: {kept}")
    for line in outcome.items:
        typer.echo(line)
    typer.echo(outcome.message)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        _fail(f"{text!r} is not a date such as 2022-07-01")


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text}-01") if text else None
    except ValueError:
        _fail(f"{text!r} is not a month such as 2022-07")


def _at_home() -> Settings:
    """The settings of the environment, whose data home has to be one."""
    settings = load_settings()
    require_home(settings)
    return settings


def _say(step: str) -> None:
    """A line on a step of long work, for whoever waits; results go to the other stream."""
    typer.echo(step, err=True)


def _layer_by_layer(progress: Callable[[str], None]) -> Callable[[str], None]:
    """`progress` with a line for each layer, when the first of its tables is made."""
    begun: set[str] = set()

    def tell(table: str) -> None:
        layer = table.partition("/")[0]
        if layer not in begun:
            begun.add(layer)
            _say(f"  {layer}")
        progress(table)

    return tell


@contextmanager
def _progress(verb: str) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done; nothing where the output is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda line: None
        return
    with console.status(verb) as spinner:
        yield lambda line: spinner.update(f"{verb} {line}")


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except Exception as fault:
        from minsheng.faults import told

        if not isinstance(fault, KNOWN_FAULTS):  # where it failed, and not with which values
            typer.echo("".join(traceback.format_tb(fault.__traceback__)), err=True)
        _fail(told(fault))


def _fail(message: str) -> NoReturn:
    typer.echo(f"minsheng: {message}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    app()
