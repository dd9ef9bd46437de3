"""Build the starter set from its sources: data/starter/source/<db_id>.{sql,py,jsonl}.

Deterministic: each database is made by its module's ``rows(rng)`` with a generator seeded by its name. Writes
databases, questions, audit and checksums, and fails if the audit excludes any question.
"""

import argparse
import importlib.util
import random
import sys
from pathlib import Path

from sql_env.server.curation import build, make_database
from sql_env.server.databases import database_path
from sql_env.server.drafts import read_drafts
from sql_env.server.settings import PACKAGED_DATA, Settings


def main() -> None:
    """Parse the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=PACKAGED_DATA / "starter" / "source")
    parser.add_argument("--out", type=Path, default=PACKAGED_DATA / "starter")
    options = parser.parse_args()
    schemas = sorted(options.source.glob("*.sql"))
    for schema in schemas:
        rows = load_rows(schema.with_suffix(".py"))
        rng = random.Random(f"{schema.stem}:1")
        make_database(database_path(options.out, schema.stem), schema.read_text("utf-8"), rows(rng))
    drafts = read_drafts([schema.with_suffix(".jsonl") for schema in schemas], "starter")
    audit = build("starter", options.out, drafts, Settings())
    for question_id, reason in audit.excluded.items():
        print(f"{question_id}: {reason}")
    print(f"{len(schemas)} databases, {len(audit.questions)} of {len(drafts)} questions, in {options.out}")
    if audit.excluded:
        sys.exit("build_starter: every starter question has to pass the audit")


def load_rows(path: Path):  # noqa: ANN201 — the function's type is its module's affair
    """Return the ``rows`` function of a database's module."""
    spec = importlib.util.spec_from_file_location(f"starter_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.rows


if __name__ == "__main__":
    main()
