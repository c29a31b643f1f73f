"""Brings what the console carries of other people's code, and checks the types of its own.

    python scripts/console_packages.py vendor    # write static/vendor from the packages that are locked
    python scripts/console_packages.py types     # tsc --checkJs over the modules of the console

Packages, versions and checksums are locked in requirements/console/package-lock.json; npm refuses a package that is not
what was locked. `vendor` writes VENDORED.json beside the files, with version, licence and checksum of each, and a test
compares. `types` is skipped, with the reason, where the packages can't be had.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "conformance"))

from environments import NodeEnvironment, NotInstalled, WrongPackage  # noqa: E402  the repository is not installed

STATIC = ROOT / "functions" / "gateway" / "console" / "static"
VENDOR = STATIC / "vendor"
LOCKED = ROOT / "requirements" / "console"
PACKAGES = NodeEnvironment("console", LOCKED)


@dataclass(frozen=True)
class Vendored:
    """One file of a package, and what is changed in it: text that is there exactly so often as it is replaced."""

    name: str
    package: str
    path: str
    replaced: tuple[tuple[str, str], ...] = ()
    added: str = ""


FILES = (
    Vendored("preact.js", "preact", "dist/preact.mjs", (("//# sourceMappingURL=preact.mjs.map\n", ""),)),
    # A page may not have an import map of its own under the content security policy.
    Vendored(
        "hooks.js",
        "preact",
        "hooks/dist/hooks.mjs",
        (('from"preact"', 'from"./preact.js"'), ("//# sourceMappingURL=hooks.mjs.map\n", "")),
    ),
    Vendored("htm.js", "htm", "dist/htm.module.js"),
    # The package's own module is not minified, and twice as large.
    Vendored("uplot.js", "uplot", "dist/uPlot.iife.min.js", added="export default uPlot;\n"),
    Vendored("uplot.css", "uplot", "dist/uPlot.min.css"),
)


def vendor() -> int:
    """Write the files, their licences and `VENDORED.json`."""
    modules = PACKAGES.folder() / "node_modules"
    locked = json.loads((LOCKED / "package-lock.json").read_text())["packages"]
    VENDOR.mkdir(parents=True, exist_ok=True)
    facts = {}
    for file in FILES:
        text = (modules / file.package / file.path).read_text(encoding="utf-8")
        for old, new in file.replaced:
            if text.count(old) != 1:
                raise SystemExit(f"{file.package}: {old!r} is there {text.count(old)} times, not once")
            text = text.replace(old, new)
        text = (text if text.endswith("\n") else text + "\n") + file.added
        (VENDOR / file.name).write_text(text, encoding="utf-8")
        package = locked[f"node_modules/{file.package}"]
        facts[file.name] = {
            "package": file.package,
            "version": package["version"],
            "licence": package["license"],
            "integrity": package["integrity"],
            "path": file.path,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
    (VENDOR / "VENDORED.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    licences = []
    for package in dict.fromkeys(file.package for file in FILES):
        text = (modules / package / "LICENSE").read_text(encoding="utf-8").strip()
        licences.append(f"{package} {locked[f'node_modules/{package}']['version']}\n\n{text}\n")
    (VENDOR / "LICENSES.txt").write_text(("\n" + "-" * 80 + "\n\n").join(licences), encoding="utf-8")
    return 0


def check_types() -> int:
    """Run the compiler, which writes nothing. Its messages go to the standard output."""
    folder = PACKAGES.folder()
    # A copy with the packages' own declarations in the place of the vendored files, which have no types.
    copied = folder / "checked"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(STATIC, copied, ignore=shutil.ignore_patterns("vendor"))
    shutil.copytree(LOCKED / "types" / "vendor", copied / "vendor")
    shutil.copy(LOCKED / "tsconfig.json", copied)
    command = [PACKAGES.node(), str(folder / "node_modules/typescript/bin/tsc"), "--project", ".", "--pretty", "false"]
    return subprocess.run(command, check=False, cwd=copied).returncode


def main() -> int:
    """The command's exit status."""
    commands = {"vendor": vendor, "types": check_types}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return commands[sys.argv[1]]()
    except NotInstalled as reason:
        print(f"console {sys.argv[1]} skipped: {reason}")
        return int(sys.argv[1] == "vendor")
    except WrongPackage as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
