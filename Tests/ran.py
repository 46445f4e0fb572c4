#!/usr/bin/env python3
"""Holds a run of Swift's tests to account: something ran, and no test with arguments had none.

    swift test --event-stream-output-path events.jsonl; ran.py events.jsonl

Swift Testing skips a test whose list of arguments is empty, and the run succeeds. A test that means to be skipped says so with
a trait.
"""

import json
import sys
from pathlib import Path


def problems(events):
    parameterized, began, skipped = {}, set(), set()
    for event in events:
        payload = event["payload"]
        if event["kind"] == "test" and payload.get("isParameterized"):
            parameterized[payload["id"]] = payload["sourceLocation"]
        elif payload.get("kind") == "testCaseStarted":
            began.add(payload["testID"])
        elif payload.get("kind") == "testSkipped":
            text = " ".join(message["text"] for message in payload["messages"])
            skipped |= {payload["testID"]} if "No test cases found" not in text else set()
    if not began:
        yield "no test ran"
    for identity in sorted(parameterized.keys() - began - skipped):
        place = parameterized[identity]
        yield f"{place['fileID']}:{place['line']}: {identity.split('/')[-2]} has no arguments to run with"


def main():
    # Not splitlines: a test's argument may hold U+2028, which stands unescaped in JSON and ends no line there.
    lines = filter(None, Path(sys.argv[1]).read_text().split("\n"))
    found = list(problems(json.loads(line) for line in lines))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
