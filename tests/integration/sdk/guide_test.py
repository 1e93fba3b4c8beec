"""guide_test.py BUILD_DIR: sdk/GUIDE.md, done as it stands: its files written, its commands run, with the SDK installed in a directory of the
test's. Needs root for the namespace that its lotsed runs in."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/integration/daemon"))
import cluster

BUILD = pathlib.Path(sys.argv[1]).resolve()


def parts(text):
    """(language, content, name of the file that the line before says it is, or "")."""
    for match in re.finditer(r"(?:A file `([^`]+)`[^\n]*\n\n)?```(\w+)\n(.*?)```", text, re.S):
        yield match.group(2), match.group(3), match.group(1) or ""


def main():
    guide = (ROOT / "sdk/GUIDE.md").read_text()
    with tempfile.TemporaryDirectory(prefix="lotse-guide-") as name:
        folder = pathlib.Path(name, "night")
        folder.mkdir()
        prefix = pathlib.Path(name, "usr")
        subprocess.run(["cmake", "--install", str(BUILD), "--component", "sdk", "--prefix", str(prefix)], check=True, stdout=subprocess.DEVNULL)
        tools = pathlib.Path(name, "bin")
        tools.mkdir()
        (tools / "kubectl").symlink_to(cluster.kubectl())
        script = []
        for language, content, file in parts(guide):
            if file:
                (folder / file).write_text(content)
            elif language == "sh":
                script.append(content)
        assert len(script) == 5 and {f.name for f in folder.iterdir()} == {"night.cc", "CMakeLists.txt", "lotse.toml"}, (script, list(folder.iterdir()))
        cluster.own_network()
        environment = {**os.environ, "PATH": f"{tools}:{BUILD}/bin:{os.environ['PATH']}", "CMAKE_PREFIX_PATH": str(prefix), "PLUGINS": f"{BUILD}/lib/lotse/plugins"}
        whole = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n" + "\n".join(script)
        done = subprocess.run(["bash", "-c", whole], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        log = folder / "lotsed.log"
        assert done.returncode == 0, done.stdout[-4000:] + (log.read_text()[-2000:] if log.exists() else "")
        for expected in ("0 failed, 0 crashed", "deployment \"day\" successfully rolled out", "2 node(s) are kept for the night shift", "lotse-scheduler-night_1.0.0_amd64.deb"):
            assert expected in done.stdout, f"the guide did not show {expected!r}:\n{done.stdout[-4000:]}"
        placed = {line.split()[6] for line in done.stdout.splitlines() if line.startswith("day-") and " Running " in line}
        assert len(placed) == 1, f"all pods of day belong on one node, not on {placed}"
        print("ok   the guide does what it says")


main()
