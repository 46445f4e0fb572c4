"""Runs a compiled model over a table on a Ray cluster:

    sinter compile resnet50.onnx -o libresnet50.so
    python ray_batches.py libresnet50.so images scored --input x=pixels --workers 8

`images` and `scored` are folders of Parquet files. Without an address in RAY_ADDRESS it starts a cluster on this machine.
"""

import argparse

import ray

import sinter.ray


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", help="what sinter compile wrote")
    parser.add_argument("table", help="a folder of Parquet files")
    parser.add_argument("results", help="the folder to write, of Parquet files")
    parser.add_argument("--input", action="append", default=[], metavar="PORT=COLUMN", help="the column of an input, where their names differ")
    parser.add_argument("--output", action="append", default=[], metavar="PORT=COLUMN", help="the column that an output becomes, likewise")
    parser.add_argument("--keep", action="append", metavar="COLUMN", help="a column that stays; all of them by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256, help="rows of a run")
    given = parser.parse_args(arguments)

    ray.init(ignore_reinit_error=True)
    scored = sinter.ray.map_batches(
        ray.data.read_parquet(given.table), given.library, inputs=dict(text.split("=", 1) for text in given.input),
        outputs=dict(text.split("=", 1) for text in given.output), keep=given.keep, workers=given.workers, batch_size=given.batch)
    scored.write_parquet(given.results)


if __name__ == "__main__":
    main()
