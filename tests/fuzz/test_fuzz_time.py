"""The fuzzers together take the time that conftest.py says."""

import ast
from pathlib import Path


def test_all_fuzzers_are_counted(fuzzers):
    count = 0
    for file in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and "fuzz" in [a.arg for a in node.args.args]:
                lists = [ast.literal_eval(call.args[1]) for call in node.decorator_list]
                count += max(1, *map(len, lists)) if lists else 1
    assert count == fuzzers
