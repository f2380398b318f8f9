"""The SDK's tests on other interpreters and older FastAPI, each in an environment of its own.

    python tests/sdk/matrix.py [--cache DIR] [TEXT ...]

Of the interpreters, those that are here are used; TEXT picks lines that contain it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = (  # interpreter, what is pinned; with older FastAPI the Starlette that it asks for
    ("3.10", "fastapi==0.100.0", "starlette==0.27.0"),
    ("3.10", "fastapi==0.106.0"),
    ("3.11", "fastapi==0.110.0"),
    ("3.11", "fastapi==0.112.0"),
    ("3.12", "fastapi==0.115.0"),
    ("3.13", "fastapi==0.120.0"),
    ("3.10", "fastapi"),
    ("3.11", "fastapi"),
    ("3.12", "fastapi"),
    ("3.13", "fastapi"),
    ("3.14", "fastapi"),
)
TOOLS = ("pytest>=8", "pytest-asyncio>=0.24", "hypothesis", "redis")


def prepared(python, pins, cache):
    """The interpreter of an environment with these packages, and what was installed."""
    folder = cache / "-".join([python, *(pin.replace("==", "-") for pin in pins)])
    own = folder / "bin" / "python"
    if not own.exists():
        subprocess.run([f"python{python}", "-m", "venv", folder], check=True)
        subprocess.run(
            [own, "-m", "pip", "install", "--quiet", *pins, *TOOLS], check=True, stderr=subprocess.DEVNULL
        )
    told = (
        "import sys, fastapi, starlette;"
        "print('%d.%d.%d' % sys.version_info[:3], fastapi.__version__, starlette.__version__)"
    )
    return own, subprocess.run([own, "-c", told], check=True, capture_output=True, text=True).stdout.split()


def tried(line, cache):
    python, *pins = line
    if not runs(python):
        return f"| {python} | {', '.join(pins)} | | not here |", True
    own, versions = prepared(python, pins, cache)
    argv = [
        own,
        "-m",
        "pytest",
        "tests/sdk",
        "-q",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        "--confcutdir=tests/sdk",
    ]
    options = ["-o", "addopts=--import-mode=importlib", "-o", "filterwarnings="]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "sdk")}
    done = subprocess.run([*argv, *options], cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:], file=sys.stderr)
    return f"| {' | '.join(versions)} | {done.stdout.splitlines()[-1]} |", not done.returncode


def runs(python):
    found = shutil.which(f"python{python}")
    return bool(found) and not subprocess.run([found, "--version"], capture_output=True).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "alertengine-matrix")
    parser.add_argument("text", nargs="*")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    lines = [line for line in LINES if all(any(text in part for part in line) for text in options.text)]
    print("| Python | FastAPI | Starlette | |\n| --- | --- | --- | --- |")
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda line: tried(line, options.cache), lines))
    for told, _ in results:
        print(told)
    sys.exit(not all(fine for _, fine in results))


if __name__ == "__main__":
    main()
