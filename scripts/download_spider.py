"""Fetch Spider's databases and question files, check them, and put them in place.

Spider 1.0 is by Yu et al. (EMNLP 2018) and licensed under CC BY-SA 4.0; it is not part of this repository.
Databases go to data/databases/, question files to .cache/spider/. What is in place already is left alone, and
an interrupted download is resumed.
"""

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from sql_env.server import spider
from sql_env.server.errors import DataError

ROOT = Path(__file__).resolve().parents[1]
LICENCE = "Spider 1.0, Yu et al. 2018, CC BY-SA 4.0"


def main(argv: list[str] | None = None) -> int:
    """Parse arguments, fetch, and return the exit status."""
    args = _parser().parse_args(argv)
    console = Console(stderr=True)
    log = RichHandler(console=console, show_time=False, show_path=False)
    logging.basicConfig(format="%(message)s", handlers=[log])
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bars = Progress(*columns, console=console, transient=True)
    try:
        with bars:
            report = spider.fetch(
                args.data_dir,
                None if args.all else spider.read_db_list(args.data_dir),
                source=args.source,
                cache_dir=args.cache_dir,
                progress=_teller(bars),
            )
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    print(_closing_line(report, args.data_dir))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python scripts/download_spider.py --from ~/Downloads/spider_data.zip",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PATH",
        help="take it from a folder or zip in the official layout instead of the network",
    )
    parser.add_argument(
        "--all", action="store_true", help="every database, not only those of data/questions/db_list.json"
    )
    parser.add_argument("--data-dir", type=Path, default=ROOT / "data", help="default: %(default)s")
    parser.add_argument("--cache-dir", type=Path, default=ROOT / ".cache", help="default: %(default)s")
    return parser


def _teller(bars: Progress) -> Callable[[str, int, int | None], None]:
    """Show every file's progress in one bar: there may be hundreds of files."""
    task = bars.add_task("Spider", total=None)

    def tell(name: str, done: int, total: int | None) -> None:
        bars.update(task, description=name, completed=done, total=total)

    return tell


def _closing_line(report: spider.Report, data_dir: Path) -> str:
    absent = f"; question files not there: {', '.join(report.absent)}" if report.absent else ""
    new = f"{len(report.fetched)} files new" if report.fetched else "nothing new"
    return f"{len(report.databases)} databases in {data_dir / 'databases'}, {new}{absent} ({LICENCE})"


if __name__ == "__main__":
    sys.exit(main())
