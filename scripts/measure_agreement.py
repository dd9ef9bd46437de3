"""Measure how often the strict verdict and Spider's official execution accuracy agree, on perturbed golds.

Prints a table for every data set; docs/grading.md holds it and explains the disagreements.
"""

import argparse
import sys
from contextlib import closing
from dataclasses import replace

from sql_env.server.agreement import measure, table
from sql_env.server.errors import DataError
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="", help="data sets, with commas (default: all that are installed)")
    options = parser.parse_args()
    try:
        settings = Settings.from_environ()
        with closing(Resources.load(replace(settings, dataset=options.dataset or settings.dataset))) as resources:
            for dataset in resources.datasets.values():
                print(f"\n{dataset.name}\n")
                print("\n".join(table(measure(dataset, resources))))
    except DataError as error:
        sys.exit(f"measure_agreement: {error}")


if __name__ == "__main__":
    main()
