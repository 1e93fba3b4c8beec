#!/usr/bin/env bash
# packaging/quickstart as a user runs it, in a network namespace of its own: up with the demo, up again, down without a trace.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
ns=lq$$ dir=$(mktemp -d /tmp/lotse-quickstart-XXXXXX)
export LOTSE_QUICKSTART_RECORD=$dir.record
quickstart() { nsenter --net="/var/run/netns/$ns" "$root/packaging/quickstart" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
cleanup() {
  status=$?
  if [ $status -ne 0 ]; then tail -n 40 "$dir/lotsed.log" 2>/dev/null || true; fi
  quickstart down >/dev/null 2>&1 || true
  ip netns del "$ns" 2>/dev/null || true
  rm -rf "$dir" "$dir.record"
  exit $status
}
trap cleanup EXIT

ip netns add "$ns"
ip link add "v$ns" type veth peer name eth0 netns "$ns"
ip link set "v$ns" up
ip -n "$ns" addr add 10.88.241.2/24 dev eth0
ip -n "$ns" link set eth0 up
ip -n "$ns" link set lo up
ip -n "$ns" route add default via 10.88.241.1

quickstart --dir "$dir" | tee "$dir.out"
[ "$(grep -c 'Hello from Lotse' "$dir.out")" = 3 ] || fail "the page was not fetched in all three ways"
echo "-- again"
before=$(date +%s)
quickstart --dir "$dir" >"$dir.out" || { cat "$dir.out"; fail "the second run"; }
grep -q 'running already' "$dir.out" || fail "the second run has not found the first one's cluster"
[ $(($(date +%s) - before)) -lt 60 ] || fail "the second run was not quick"
rm -f "$dir.out"
echo "-- down"
quickstart down
[ ! -e "$dir" ] || fail "data is left in $dir"
! grep -q " $dir/" /proc/self/mountinfo || fail "mounts are left"
for p in /proc/[0-9]*; do
  ! tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -q -- "$dir/" || fail "a process is left: $(tr '\0' ' ' <"$p/cmdline")"
done
! ip -n "$ns" link show | grep -qE 'lotse|veth' || fail "interfaces are left"
! nsenter --net="/var/run/netns/$ns" iptables-save | grep -q LOTSE || fail "rules are left"
! find /sys/fs/cgroup -maxdepth 3 -type d -name "kubepods-$(printf %s "$dir" | sha256sum | cut -c1-8)" | grep -q . || fail "cgroups are left"
echo "ok"
