"""The bare group-by of DuckDB over Parquet files: files, memory limit, columns."""

import sys

import duckdb

if __name__ == "__main__":
    files, limit, *columns = sys.argv[1:]
    names = ", ".join(columns)
    with duckdb.connect(config={"memory_limit": limit}) as connection:
        connection.execute(
            f"SELECT {names}, count(*) FROM read_parquet('{files}') GROUP BY ALL"
        ).fetchall()
