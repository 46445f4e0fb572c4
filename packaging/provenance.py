#!/usr/bin/env python3
"""Writes what a release was made of, as an in-toto statement of SLSA's provenance: provenance.py FILE... > dist/provenance.json

Subjects are the files by their SHA-256; what they were made from are the commit of these sources, LLVM's sources, of which lld is built, Swift
packages by their revisions and the system's packages by their versions.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATIC = ROOT / ".build" / "static"


def said(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def system_packages():
    """The Debian packages that the command's archives come from."""
    archives = {path.resolve() for path in (STATIC / "lib").iterdir() if path.is_symlink()}
    archives |= {Path(name) for name in re.findall(r"/\S+\.a", (STATIC / "lib" / "libLLVM-19.a").read_text())}
    owners = {said("dpkg", "-S", str(path)).rpartition(": ")[0] for path in archives}
    return [
        {"uri": f"pkg:deb/debian/{name.partition(':')[0]}@{said('dpkg-query', '-W', '-f=${Version}', name)}"}
        for name in sorted(owners)]


def swift_packages():
    state = json.loads((STATIC / "build" / "workspace-state.json").read_text())
    for entry in state["object"]["dependencies"]:
        found = entry["state"].get("checkoutState", {})
        yield {
            "uri": f"git+{entry['packageRef']['location']}@{found.get('version', '')}",
            "digest": {"gitCommit": found.get("revision", "")}}


def lld_source():
    script = (ROOT / "packaging" / "static.sh").read_text()
    version = re.search(r"^lld_version=(\S+)", script, re.M)[1]
    uri = re.search(r"LLVM_SOURCE:-(\S+)}", script)[1].replace("$lld_version", version)
    return {"uri": uri, "digest": {"sha256": re.search(r"^lld_hash=(\S+)", script, re.M)[1]}}


def main(files):
    commit = said("git", "rev-parse", "HEAD")
    changed = bool(said("git", "status", "--porcelain", "--untracked-files=no"))
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": Path(file).name, "digest": {"sha256": hashlib.sha256(Path(file).read_bytes()).hexdigest()}}
            for file in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://slsa.dev/provenance/v1?make=release",
                "externalParameters": {"command": "make release", "changedSinceCommit": changed},
                "internalParameters": {
                    "swift": said("swift", "--version").splitlines()[0], "system": said("sh", "-c", ". /etc/os-release; echo $PRETTY_NAME")},
                "resolvedDependencies": [
                    {"uri": "git+sinter", "digest": {"gitCommit": commit}}, lld_source(), *swift_packages(), *system_packages()]},
            "runDetails": {"builder": {"id": "packaging/release.sh"}}}}
    json.dump(statement, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
