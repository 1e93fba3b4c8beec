"""why_test.py BIN_DIR: `lotse why` tells of a real cluster's pods what they wait for: no node, a script that ends, nothing."""
import json
import sys

import cluster

BIN_DIR = sys.argv[1]
SCRIPT = '{"pod": "ends", "exit_after_ms": 10, "exit_code": 7, "reason": "Error"}\n'


def pod(name, cpu="10m", **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "main", "image": "any", "resources": {"requests": {"cpu": cpu}}}], **spec}}


def main():
    cluster.own_network()
    with cluster.Daemon(BIN_DIR) as daemon:
        open(daemon.folder + "/script", "w").write(SCRIPT)
        daemon.write({"plugins.runtime.hollow": {"script": f'"{daemon.folder}/script"'}})
        daemon.start()
        api = cluster.Api(daemon.kubeconfig)
        pods = "/api/v1/namespaces/default/pods"
        for body in (pod("well"), pod("large", cpu="1000"), pod("ends")):
            api.post(pods, body)

        def why(*arguments):
            return daemon.lotse("why", *arguments).stdout.decode()

        def settled(name, sentence):
            cluster.until(f"{name}: {sentence}", lambda: sentence in why("pod/" + name), 60)
            print(why("pod/" + name))

        settled("well", "pod default/well runs and is ready")
        settled("large", "node: Insufficient cpu")
        settled("ends", "ended with exit code 7")
        told = json.loads(why("well", "-o", "json"))
        assert [step["name"] for step in told["steps"]] == ["created", "scheduled", "node", "sandbox", "containers", "ready"], told
        missing = daemon.lotse("why", "wel", check=False)
        assert missing.returncode == 1 and b"there is no pod wel in the namespace default; there are: well" in missing.stderr, missing
        print("ok   lotse why")


main()
