# Where everything is, and how to do something on one of the three machines. Sourced by the scripts beside it.
# A machine is a network namespace: an address on the inner network (databases, etcd) and one on the outer network
# (clients). The switch is a namespace, too, so that nothing of this is in the host's own network but one address.
# shellcheck shell=bash disable=SC2034,SC1091

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
# Debian keeps some programs where only root looks.
PATH="$PATH:/usr/sbin:/sbin"
readonly machines="1 2 3"

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# The directory of the set-up, which all other names follow from.
[ $# -ge 1 ] || fail "usage: ${0##*/} DIRECTORY"
[ "$(id -u)" = 0 ] || fail "needs root, for network namespaces and to start the databases as another user"
directory=$(readlink -m "$1")
readonly directory
shift
[ ! -f "$directory/settings" ] || . "$directory/settings"

# Change these when two set-ups run on one machine. 198.18.0.0/15 is for tests of networks (RFC 2544): it is nobody's.
: "${EINMAL_HA_NAME:=einmal-ha}"
: "${EINMAL_HA_NETWORK:=198.18}"
# How einmal finds the primary: "haproxy" asks Patroni, "hosts" tries all three.
: "${EINMAL_HA_ROUTE:=haproxy}"

# Another Patroni than Debian's, such as one in a virtual environment of Python.
: "${EINMAL_HA_PATRONI:=patroni}"
# "etcd" is version 2 of etcd's API and "etcd3" version 3: see "which Patroni" in README.md before you change it.
: "${EINMAL_HA_ETCD:=}"

readonly outer_host="$EINMAL_HA_NETWORK.1.254"
readonly front="$EINMAL_HA_NETWORK.1.10:8080"
readonly account=postgres

inner() { echo "$EINMAL_HA_NETWORK.0.$1"; }
outer() { echo "$EINMAL_HA_NETWORK.1.$1"; }
namespace() { echo "$EINMAL_HA_NAME-$1"; }

has_namespace() { [ -e "/run/netns/$(namespace "$1")" ]; }

# Runs a command on a machine (or on the switch), as root.
on() {
  local machine=$1
  shift
  ip netns exec "$(namespace "$machine")" "$@"
}

# The same as the account that owns everything.
readonly as_account="setpriv --reuid $account --regid $account --init-groups --inh-caps=-all"
as_account_on() {
  local machine=$1
  shift
  # shellcheck disable=SC2086
  on "$machine" $as_account "$@"
}

# start MACHINE PROGRAM COMMAND…: unless it runs; its output and process id have the program's name.
start() {
  local machine=$1 program=$2 home=$directory/$1
  shift 2
  ! is_running "$machine" "$program" || return 0
  # By exec from end to end, so that the id is that of the program.
  # shellcheck disable=SC2086
  (exec ip netns exec "$(namespace "$machine")" $as_account setsid "$@") \
    >>"$home/log/$program" 2>&1 </dev/null &
  echo $! >"$home/run/$program.pid"
}

start_databases() {
  local machine=$1 cluster="" number peers clients
  peers=http://$(inner "$1"):2380
  clients=http://$(inner "$1"):2379
  for number in $machines; do cluster+=",machine-$number=http://$(inner "$number"):2380"; done
  start "$machine" etcd etcd --name "machine-$machine" --data-dir "$directory/$machine/etcd" \
    --listen-peer-urls "$peers" --initial-advertise-peer-urls "$peers" \
    --listen-client-urls "$clients" --advertise-client-urls "$clients" \
    --initial-cluster "${cluster#,}" --initial-cluster-state new --log-level warn --enable-v2=true
  start "$machine" patroni "$EINMAL_HA_PATRONI" "$directory/$machine/patroni.yml"
  start "$machine" haproxy haproxy -db -f "$directory/$machine/haproxy.cfg"
}

start_einmal() {
  start "$1" einmal "$directory/einmal" serve --config "$directory/$1/einmal.toml"
}

# A process id of an earlier life may be somebody else's by now: it must be on the machine.
is_running() {
  local pid
  pid=$(cat "$directory/$1/run/$2.pid" 2>/dev/null) || return 1
  [ -e "/proc/$pid" ] || return 1
  [ "$(ip netns identify "$pid" 2>/dev/null)" = "$(namespace "$1")" ]
}

# The processes of a program on a machine, children and orphans, too.
processes() {
  local pid
  for pid in $(ip netns pids "$(namespace "$1")"); do
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$2" ] || echo "$pid"
  done
}

kill_processes() {
  local pids
  pids=$(processes "$1" "$2")
  # Some may go while the others are killed.
  # shellcheck disable=SC2086
  [ -z "$pids" ] || kill -9 $pids 2>/dev/null || true
}

# wait_until SECONDS WHAT COMMAND…
wait_until() {
  local deadline=$(($(date +%s) + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || fail "$what: not in time; see $directory/*/log"
    sleep 0.1
  done
}

# What Patroni says of its own machine: primary, sync, async, replica, …; asked there, as a machine may be cut off.
is_role() {
  on "$1" curl -s -o /dev/null -f --max-time 2 "http://$(inner "$1"):8008/$2"
}

# The machine with this role. In a partition two may believe that they are the primary; the first is printed.
machine_with_role() {
  local machine
  for machine in $machines; do
    if is_role "$machine" "$1"; then
      echo "$machine"
      return
    fi
  done
  return 1
}

# psql as the superuser on a machine.
sql_on() {
  local machine=$1
  shift
  as_account_on "$machine" env PGPASSFILE="$directory/secrets/pgpass" PGCONNECT_TIMEOUT=2 \
    psql -XqAt -v ON_ERROR_STOP=1 -h "$directory/$machine/run" -U postgres "$@"
}

# A primary with two standbys that stream, one of them synchronous and entitled to take over.
is_healthy() {
  local primary streaming
  primary=$(machine_with_role primary) && machine_with_role sync >/dev/null || return 1
  streaming=$(sql_on "$primary" -d postgres -c "SELECT count(*) FILTER (WHERE state = 'streaming'),
    count(*) FILTER (WHERE sync_state = 'sync') FROM pg_stat_replication" 2>/dev/null) || return 1
  [ "$streaming" = "2|1" ]
}

is_ready() {
  on switch curl -s -o /dev/null -f --max-time 3 "http://$(outer "$1"):9090/health/readiness"
}
