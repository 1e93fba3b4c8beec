"""reload_test.py BIN_DIR: `lotse reload` and SIGHUP apply what can be applied while everything runs, swap scheduler policies without a lost
pod, say what takes a restart, and refuse a faulty file as a whole."""
import os
import shutil
import signal
import sys
import threading

import cluster
from cluster import DEPLOYMENTS, PODS

BIN_DIR = sys.argv[1]


def scheduler(names, **more):
    return dict({"components": {"scheduler": str(names).replace("'", '"')}}, **more)


def create_pods(api, count, scheduler_name, prefix):
    for i in range(count):
        api.post(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{prefix}-{i}"},
                        "spec": {"schedulerName": scheduler_name, "containers": [{"name": "main", "image": "example.test/app:1"}]}})


def bound(api, prefix, count):
    pods = [p for p in api.get(PODS)["items"] if p["metadata"]["name"].startswith(prefix + "-")]
    return len(pods) == count and all(p["spec"].get("nodeName") for p in pods)


cluster.own_network()
with cluster.Daemon(BIN_DIR, scheduler(["default"])) as daemon:
    daemon.start()
    api = daemon.api
    pid = daemon.process.pid
    api.post(DEPLOYMENTS, cluster.deployment("before", 3))
    cluster.until("pods before", lambda: cluster.available(api, "before", 3))

    assert "nothing has changed" in daemon.lotse("reload").stdout.decode()
    print("ok   nothing to do")

    create_pods(api, 1, "spread", "waits")
    daemon.write(scheduler(["binpack", "spread"], **{"plugins.scheduler.binpack": {"preemption": "false"}}))
    # Pods come in all the while.
    writer = threading.Thread(target=create_pods, args=(cluster.Api(daemon.kubeconfig), 60, "default-scheduler", "meanwhile"))
    writer.start()
    for turn in range(4):
        said = daemon.lotse("reload").stdout.decode()
        assert ("scheduler policies are new: " + ("binpack, spread" if turn % 2 == 0 else "default")) in said, said
        daemon.write(scheduler(["default"]) if turn % 2 == 0 else scheduler(["binpack", "spread"]))
    writer.join()
    cluster.until("pods that came meanwhile", lambda: bound(api, "meanwhile", 60))
    cluster.until("a pod that waited for a policy", lambda: bound(api, "waits", 1))
    print("ok   policies swapped four times while pods came; none was lost")

    folder = os.path.join(daemon.folder, "more")
    os.mkdir(folder)
    assert daemon.process.pid == pid
    daemon.write({"components": {"scheduler": '["default"]'}, "daemon": {"log_level": '"debug"', "plugin_path": f'["{folder}", "{BIN_DIR}/../lib/lotse/plugins"]'},
                  "worker": {"pods_max": "99"}})
    said = daemon.lotse("reload").stdout.decode()
    assert "[daemon] log_level" in said and "[daemon] plugin_path" in said and "takes a restart: [worker] pods_max" in said, said
    print("ok   what applies and what takes a restart is named")

    shutil.copy(f"{BIN_DIR}/../tests/badplugins/throws_scheduler/throws_scheduler.so", folder)
    daemon.write({"components": {"scheduler": '["default", "throws"]'}, "daemon": {"plugin_path": f'["{folder}", "{BIN_DIR}/../lib/lotse/plugins"]'}})
    said = daemon.lotse("reload").stdout.decode()
    assert "scheduler policies are new: default, throws" in said, said
    create_pods(api, 1, "default-scheduler", "beside")
    cluster.until("a pod beside a policy that throws", lambda: bound(api, "beside", 1))
    print("ok   a library that was put there meanwhile is loaded")

    before = len(daemon.log_text())
    daemon.write({"components": {"scheduler": '["spread"]'}, "daemon": {"log_level": '"info"', "data_dri": '"/x"'}})
    refused = daemon.lotse("reload", check=False)
    assert refused.returncode != 0 and b"data_dri" in refused.stderr, refused
    daemon.write({"components": {"scheduler": '["nobody"]'}, "daemon": {"log_level": '"info"'}})
    refused = daemon.lotse("reload", check=False)
    assert refused.returncode != 0 and b"nobody" in refused.stderr, refused
    daemon.process.send_signal(signal.SIGHUP)
    cluster.until("the refusal in the log", lambda: "daemon.reload_refused" in daemon.log_text()[before:])
    create_pods(api, 1, "default-scheduler", "after")
    cluster.until("the old policy goes on", lambda: bound(api, "after", 1))
    print("ok   a faulty file is refused as a whole, by the command and by SIGHUP")

    daemon.write(scheduler(["spread"]))
    daemon.process.send_signal(signal.SIGHUP)
    cluster.until("reloaded by SIGHUP", lambda: "daemon.reloaded" in daemon.log_text()[before:])
    create_pods(api, 3, "spread", "hup")
    cluster.until("the new policy", lambda: bound(api, "hup", 3))
    assert daemon.process.poll() is None and daemon.process.pid == pid and cluster.available(api, "before", 3)
    code, _ = daemon.stop()
    assert code == 0, code
    print("ok   SIGHUP")
