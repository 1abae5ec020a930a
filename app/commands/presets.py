"""presets: what each family is given on each card, with price and source. Needs nothing else."""

from __future__ import annotations

import argparse
import dataclasses
import json

from app.commands import Subparsers, add_command
from engines.registry import ENGINE_NAMES


def add_to(commands: Subparsers) -> None:
    """Add the parser."""
    parser = add_command(commands, "presets", "memory presets by model family and card")
    parser.add_argument("--family", help="only this family, such as sdxl")
    parser.add_argument("--engine", choices=ENGINE_NAMES, help="only this engine")
    parser.add_argument("--card", type=float, metavar="GB", help="only this size of card")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_presets)


def _presets(arguments: argparse.Namespace) -> int:
    from app.errors import UserError
    from engines import families
    from engines.presets import ladder

    if arguments.family and families.get(arguments.family) is None:
        known = ", ".join(families.families())
        raise UserError(f"There is no model family {arguments.family!r}. There are: {known}.")
    cards = [ladder.card_of(arguments.card)] if arguments.card else ladder.cards_gb()
    found = [
        ladder.preset(family.key, engine, card)
        for family in families.families().values()
        if arguments.family in (None, family.key)
        for engine in family.engines
        if arguments.engine in (None, engine)
        for card in cards
    ]
    if arguments.json:
        rows = [
            {**dataclasses.asdict(dataclasses.replace(p, values=dict(p.values)))} for p in found
        ]
        print(json.dumps(rows, indent=1))
        return 0
    print(ladder.label())
    for preset in found:
        values = ", ".join(f"{path}={value}" for path, value in preset.values.items())
        source = f"  [{preset.source}]" if preset.source else ""
        print(
            f"{preset.family:<26}{preset.engine:<11}{preset.card_gb:>3} GB  "
            f"{preset.sentence} {values}{source}"
        )
    return 0
