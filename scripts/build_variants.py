"""Write variants of a data set: folders that a server can serve, the same questions on changed databases.

For each variant k, OUT/<name>-variant-<k> is a data set with the questions, their ids and splits as they were and their
golds computed anew. A database keeps its name where the first attempt made it, and is called <db_id>__<n> where attempt
n did (from 0; docs/variants.md says what attempts are), or <db_id>__original where none did.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sql_env.server.databases import Database, database_path, write_checksums
from sql_env.server.errors import DataError, TaskError
from sql_env.server.questions import QuestionSet, dataset_folders, load
from sql_env.server.settings import Settings
from sql_env.server.variants.store import ATTEMPTS, MAX_VARIANT, Variants


def main() -> None:
    """Parse the arguments and write the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True, metavar="NAME|FOLDER", help="spider, starter or a folder")
    parser.add_argument("--variants", type=_numbers, default=range(1, 2), metavar="K|K-K", help="default: 1")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the folders go")
    parser.add_argument("--db-id", action="append", metavar="DB_ID", help="only this database; may come again")
    options = parser.parse_args()
    try:
        folders = dataset_folders(replace(Settings.from_environ(), dataset=options.dataset))
        if len(folders) != 1:
            sys.exit("build_variants: one data set in files is needed; others are played with variant=k as they are")
        ((name, folder),) = folders.items()
        dataset = load(name, folder)
        unknown = sorted(set(options.db_id or ()).difference(dataset.databases))
        if unknown:
            sys.exit(f"build_variants: {name} has no database {', '.join(unknown)}")
        full = [k for k in options.variants if any((options.out / f"{name}-variant-{k}").glob("*"))]
        if full:
            sys.exit(
                f"build_variants: {options.out}/{name}-variant-{full[0]} is not empty; remove it, or write elsewhere"
            )
        for k in options.variants:
            print(_write(dataset, k, options.out / f"{name}-variant-{k}", options.db_id))
    except (DataError, TaskError) as error:
        sys.exit(f"build_variants: {error}")


def _numbers(text: str) -> Sequence[int]:
    first, _, last = text.partition("-")
    numbers = range(int(first), int(last or first) + 1) if first.isdecimal() and (last or first).isdecimal() else ()
    if not numbers or numbers[0] < 1 or numbers[-1] > MAX_VARIANT:
        raise argparse.ArgumentTypeError(f"expected K or K-K, from 1 to {MAX_VARIANT}")
    return numbers


def _write(dataset: QuestionSet, k: int, folder: Path, db_ids: list[str] | None) -> str:
    variants, written, same = Variants(), set(), 0
    wanted = [question for question in dataset.questions if db_ids is None or question.db_id in db_ids]
    lines = dict.fromkeys(question.question_id for question in wanted)
    for question in sorted(wanted, key=lambda question: question.db_id):  # databases are remembered for a while only
        variant = variants.variant_of(dataset, question, k)
        db_id = question.db_id
        if variant.attempt:
            db_id += f"__{variant.attempt}" if variant.attempt < len(ATTEMPTS) else "__original"
        if db_id not in written:
            _save(variant.database, database_path(folder, db_id))
            written.add(db_id)
        lines[question.question_id] = replace(variant.question, db_id=db_id).to_json()
        same += not variant.differs
    (folder / "questions").mkdir(exist_ok=True)
    questions = f"questions/{folder.name}.jsonl"
    (folder / questions).write_text("".join(f"{line}\n" for line in lines.values()), "utf-8")
    files = [f"databases/{db_id}/{db_id}.sqlite" for db_id in sorted(written)]
    write_checksums(folder, [questions, *files])
    return f"{folder}: {len(lines):,} questions on {len(files):,} databases; {same:,} with the gold that they had"


def _save(database: Database, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(database.path.read_bytes() if database.image is None else database.image)


if __name__ == "__main__":
    main()
