"""submit, run, list, show, logs, stop, retry, clone, delete: what people do with jobs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.commands import Subparsers, add_card, add_command, add_spec, application
from app.jobs.states import JobState
from app.numbers import whole
from engines.registry import ENGINE_NAMES

PLACE = {
    "executor": "where it runs: local or slurm; the following are for Slurm",
    "partition": "Slurm partition",
    "account": "Slurm account",
    "time_limit": "such as 12:00:00",
    "constraint": "features that the node must have",
    "gpu_type": "as the cluster names it, such as a100",
    "options": "further long options of sbatch, in one text",
}


def add_to(commands: Subparsers) -> None:
    """Add the parsers."""
    for name, text, function in (
        ("submit", "queue a job", _submit),
        ("run", "queue a job, follow its log, exit with 0 only if it succeeded", _run),
    ):
        parser = add_command(commands, name, text)
        add_spec(parser)
        parser.add_argument("--json", action="store_true", help="print the job as JSON")
        add_card(parser)
        parser.add_argument("--hold", action="store_true", help="create it, but don't start yet")
        for option, text in PLACE.items():
            parser.add_argument(f"--{option.replace('_', '-')}", help=text)
        parser.set_defaults(run=function)
    _add_list(commands)
    _add_single(commands)


def _add_list(commands: Subparsers) -> None:
    listing = add_command(commands, "list", "list the jobs, newest first")
    listing.add_argument(
        "--state", choices=list(map(str, JobState)), help="only jobs in this state"
    )
    listing.add_argument(
        "--limit", type=_count, default=50, metavar="N", help="at most so many (default: 50)"
    )
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)


def _count(text: str) -> int:
    if not (number := whole(text)) or number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 1")
    return number


def _add_single(commands: Subparsers) -> None:
    """The commands that take the number of one job."""
    for name, text, function in (
        ("show", "show one job and its events", _show),
        ("stop", "stop a job", _stop),
        ("retry", "queue an ended job again; it goes on from its newest save", _retry),
        ("delete", "delete a job and its files for good", _delete),
        ("logs", "print a job's log", _logs),
        ("clone", "write a job's spec for the other engine; print what changes", _clone),
    ):
        parser = add_command(commands, name, text)
        parser.add_argument("id", type=int, help="the number of the job, as `list` tells it")
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.set_defaults(run=function)
        if name == "logs":
            parser.add_argument("-f", "--follow", action="store_true", help="go on until it ends")
            parser.add_argument(
                "--attempt",
                type=int,
                metavar="N",
                help="the log of this attempt (default: the newest)",
            )
        if name == "clone":
            parser.add_argument(
                "--engine", choices=ENGINE_NAMES, required=True, help="the other engine"
            )
            parser.add_argument(
                "--out", type=Path, required=True, help="SPEC.yaml, the file to write"
            )
        if name == "retry":
            parser.add_argument("--fresh", action="store_true", help="begin again at step 0")
        if name == "stop":
            parser.add_argument(
                "--save", action="store_true", help="save first, where the engine can"
            )


def read_spec(path: Path) -> dict[str, Any]:
    """A spec document from a YAML or JSON file. Raises UserError with what is wrong."""
    import yaml

    from app.errors import UserError
    from engines import yamltext

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
        document = yamltext.read(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    except yamltext.TooDeepError as error:
        raise UserError(f"{path} is nested too deeply to be a spec.") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{path} holds no spec; it must be a mapping of fields.")
    return document


def _print(job: Any, as_json: bool) -> None:
    from app.jobs import service

    data = service.as_json(job)
    if as_json:
        print(json.dumps(data, indent=1))
        return
    steps = f"{data['step']}/{data['total_steps'] or '?'}"
    why = f"  {data['reason']}" if data["reason"] else ""
    print(
        f"{data['id']:>5}  {data['state']:<10} {data['engine']:<11} {steps:>12}  {data['name']}{why}"
    )


def _create(arguments: argparse.Namespace) -> Any:
    from app.errors import InvalidSpecError, UserError
    from app.jobs import service

    try:
        document = read_spec(arguments.spec)
        place = {name: getattr(arguments, name) or "" for name in PLACE}
        return service.submit(document, hold=arguments.hold, card_gb=arguments.card, place=place)
    except InvalidSpecError as error:
        lines = "\n".join(f"  {name}: {text}" for name, text in error.errors.items())
        raise UserError(f"the spec was refused:\n{lines}") from error


def _submit(arguments: argparse.Namespace) -> int:
    with application():
        _print(_create(arguments), arguments.json)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from app.commands.following import follow
    from app.jobs import service
    from app.platform import current

    with application():
        job = _create(arguments)
        platform = current()
        # Where a server is running it holds the lock and does the work; else we do it here.
        platform.start_supervisor()
        try:
            follow(job.id, out=sys.stderr if arguments.json else sys.stdout)
        finally:
            platform.stop_supervisor()
        job = service.get(job.id)
        _print(job, arguments.json)
        return 0 if job.state == "succeeded" else 1


def _list(arguments: argparse.Namespace) -> int:
    from app.jobs import service

    with application():
        page = service.page(state=arguments.state, limit=arguments.limit)
        if arguments.json:
            print(json.dumps([service.as_json(job) for job in page.jobs], indent=1))
            return 0
        for job in page.jobs:
            _print(job, False)
        if not page.jobs and arguments.state:
            print(f"No job is {arguments.state}.", file=sys.stderr)
        elif not page.jobs:
            print("No jobs yet. Queue one with: vast-lora submit SPEC.yaml", file=sys.stderr)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from app.jobs import service

    with application():
        job = service.get(arguments.id)
        _print(job, arguments.json)
        if not arguments.json:
            for event in job.events:
                clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at))
                move = f"{event.old or ''} -> {event.new}" if event.new else ""
                print(f"       {clock}  {move:<24} {event.reason}")
    return 0


def _stop(arguments: argparse.Namespace) -> int:
    from app.jobs import service

    with application():
        service.stop(service.get(arguments.id), save=arguments.save)
        _print(service.get(arguments.id), arguments.json)
    return 0


def _retry(arguments: argparse.Namespace) -> int:
    from app.jobs import service

    with application():
        service.retry(service.get(arguments.id), resume=not arguments.fresh)
        _print(service.get(arguments.id), arguments.json)
    return 0


def _clone(arguments: argparse.Namespace) -> int:
    """Each line of the output is a field that changes, with its reason."""
    from app import yaml_text
    from app.jobs import service

    with application():
        switched = service.clone_for(service.get(arguments.id), arguments.engine)
    text = yaml_text.dump(switched.document)
    arguments.out.write_text(text, "utf-8")
    if arguments.json:
        print(json.dumps([asdict(change) for change in switched.changes], indent=1))
    else:
        print("\n".join(map(str, switched.changes)))
    for note in switched.notes:
        print(f"vast-lora: {note}", file=sys.stderr)
    for gap in switched.open:
        print(f"vast-lora: {gap.field}: {gap.message}", file=sys.stderr)
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    from app.jobs import service

    with application():
        service.delete(service.get(arguments.id))
        print(
            json.dumps({"id": arguments.id, "deleted": True})
            if arguments.json
            else f"Job {arguments.id} is deleted."
        )
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    from app.commands.following import follow
    from app.errors import NotFoundError
    from app.jobs import service

    with application():
        job = service.get(arguments.id)
        if arguments.follow:
            follow(job.id, sys.stdout)
            return 0
        number = job.attempt if arguments.attempt is None else arguments.attempt
        path = service.run_dir(job).attempt(number).log
        if not path.exists():
            newest = f"its newest is attempt {job.attempt}" if job.attempt else "it has not started"
            raise NotFoundError(f"Job {job.id} has no log of attempt {number}; {newest}.")
        with path.open("rb") as log:
            while block := log.read(1 << 20):
                sys.stdout.buffer.write(block)
    return 0
