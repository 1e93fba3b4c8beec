"""templates_test.py BUILD_DIR: the SDK, installed somewhere, builds, checks and packages every template with the commands of its own
README, outside this tree; a lotsed takes the plugins and works with them. Needs root for the namespace that lotsed runs in."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/integration/daemon"))
import cluster

BUILD = pathlib.Path(sys.argv[1]).resolve()


def commands(readme):
    """The lines that a README shows as commands."""
    return [line.strip() for line in readme.read_text().splitlines() if line.startswith("    cmake ")]


def run(command, cwd, **environment):
    done = subprocess.run(["bash", "-euc", command], cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{cwd.name}: {command}\n{done.stdout[-4000:]}"
    return done.stdout


def builds_checks_and_packages(folder, prefix):
    shown = commands(folder / "README.md")
    assert len(shown) == 2, f"{folder.name}: two commands, not {shown}"
    output = "".join(run(command, folder, CMAKE_PREFIX_PATH=str(prefix)) for command in shown)
    summary = [line for line in output.splitlines() if " success, " in line]
    assert len(summary) == 1 and " 0 failed, 0 crashed" in summary[0] and not summary[0].startswith("# 0 success"), summary
    plugin, = (folder / "build").glob("*.so")
    inside = f"/usr/lib/lotse/plugins/{plugin.name}"
    deb, = (folder / "build").glob("*.deb")
    rpm, = (folder / "build").glob("*.rpm")
    assert inside in run(f"dpkg-deb -c {deb}", folder)
    assert "lotse-plugin-abi-1" in run(f"dpkg-deb -f {deb} Depends", folder)
    assert inside in run(f"rpm -qpl {rpm}", folder)
    assert "lotse-plugin-abi-1" in run(f"rpm -qp --requires {rpm}", folder)
    print(f"ok   {folder.name}: {summary[0].lstrip('# ')}; {deb.name}, {rpm.name}")
    return plugin


def lotsed_works_with(plugins, folder):
    """One lotsed for each proxy, with the scheduler policy: pods are bound, and the proxy has seen the Services."""
    own = folder / "plugins"
    own.mkdir()
    for plugin in plugins:
        shutil.copy(plugin, own)
    settings = {"daemon": {"plugin_path": json.dumps([str(BUILD / "lib/lotse/plugins"), str(own)])},
                "components": {"scheduler": '["cheap"]'}}
    for proxy in ("ledger", "tally"):
        settings["components"]["proxy"] = json.dumps(proxy)
        with cluster.Daemon(str(BUILD / "bin"), settings) as daemon:
            daemon.start()
            api = cluster.Api(daemon.kubeconfig)
            api.post("/apis/apps/v1/namespaces/default/deployments", cluster.deployment("web", 2))
            deployment = "/apis/apps/v1/namespaces/default/deployments/web"
            cluster.until("the pods run", lambda: api.get(deployment).get("status", {}).get("availableReplicas") == 2)
            if proxy == "ledger":
                ledger = pathlib.Path(daemon.data, "proxy/ledger/ledger")
                cluster.until("the ledger has kubernetes", lambda: ledger.exists() and "default/kubernetes:https TCP 10.96.0.1:443" in ledger.read_text())
            else:
                cluster.until("the tally is told", lambda: "service ports" in open(daemon.log_file).read())
            print(f"ok   lotsed with scheduler cheap and proxy {proxy}")


def main():
    with tempfile.TemporaryDirectory(prefix="lotse-sdk-test-") as name:
        folder = pathlib.Path(name)
        prefix = folder / "usr"
        run(f"cmake --install {BUILD} --component sdk --prefix {prefix}", folder)
        templates = folder / "templates"
        shutil.copytree(prefix / "share/lotse-sdk/templates", templates)
        plugins = [builds_checks_and_packages(template, prefix) for template in sorted(templates.iterdir())]
        cluster.own_network()
        lotsed_works_with(plugins, folder)


main()
