"""Runs a compiled model over a table on a Spark cluster:

    sinter compile resnet50.onnx -o libresnet50.so
    spark-submit spark_batches.py libresnet50.so images scored --input x=pixels

`images` and `scored` are folders of Parquet files; pixels may be an array of numbers, flat or nested.
"""

import argparse

from pyspark.sql import SparkSession

import sinter.spark


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", help="what sinter compile wrote")
    parser.add_argument("table", help="a folder of Parquet files")
    parser.add_argument("results", help="the folder to write, of Parquet files")
    parser.add_argument("--input", action="append", default=[], metavar="PORT=COLUMN", help="the column of an input, where their names differ")
    parser.add_argument("--output", action="append", default=[], metavar="PORT=COLUMN", help="the column that an output becomes, likewise")
    parser.add_argument("--keep", action="append", metavar="COLUMN", help="a column that stays; all of them by default")
    given = parser.parse_args(arguments)

    spark = SparkSession.builder.appName("sinter").getOrCreate()
    scored = sinter.spark.map_in_pandas(
        spark.read.parquet(given.table), given.library, inputs=dict(text.split("=", 1) for text in given.input),
        outputs=dict(text.split("=", 1) for text in given.output), keep=given.keep)
    scored.write.mode("overwrite").parquet(given.results)


if __name__ == "__main__":
    main()
