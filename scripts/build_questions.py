"""Build and audit a data set's questions: run every gold, exclude what cannot be graded, write the rest.

Without --dataset, builds Spider's questions about the databases of data/questions/db_list.json, from what
scripts/download_spider.py fetched. With it, builds FOLDER: databases at FOLDER/databases/<db_id>/<db_id>.sqlite,
questions in FOLDER/source/*.jsonl, one JSON object a line with db_id, question and gold_sql.
"""

import argparse
import json
import sys
from pathlib import Path

from sql_env.server.audit import Exclusion
from sql_env.server.curation import build
from sql_env.server.drafts import read_drafts, read_spider
from sql_env.server.errors import DataError
from sql_env.server.settings import PACKAGED_DATA, Settings


def main() -> None:
    """Parse the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, metavar="FOLDER", help="build this folder instead of Spider")
    parser.add_argument("--all", action="store_true", help="every Spider database, with Spider's own train/dev border")
    cache = PACKAGED_DATA.parent / ".cache"
    parser.add_argument("--cache-dir", type=Path, default=cache, help="where download_spider put the question files")
    options = parser.parse_args()
    try:
        settings = Settings.from_environ()
        if options.dataset:
            name, folder = options.dataset.resolve().name, options.dataset
            drafts = read_drafts(sorted((folder / "source").glob("*.jsonl")), name)
        else:
            name, folder = "spider", settings.data
            db_ids = None if options.all else json.loads((folder / "questions" / "db_list.json").read_text("utf-8"))
            drafts = read_spider(options.cache_dir / "spider", db_ids)
        if not drafts:
            where = options.dataset / "source" / "*.jsonl" if options.dataset else options.cache_dir / "spider"
            sys.exit(f"build_questions: no questions of {name} in {where}; docs/custom_data.md shows the form")
        audit = build(name, folder, drafts, settings)
    except DataError as error:
        sys.exit(f"build_questions: {error}")
    for reason in Exclusion:
        count = sum(found is reason for found in audit.excluded.values())
        if count:
            print(f"{count:6,}  excluded: {reason}")
    print(f"{len(audit.questions):6,}  of {len(drafts):,} questions kept; {folder / 'questions' / 'AUDIT.md'} says why")


if __name__ == "__main__":
    main()
