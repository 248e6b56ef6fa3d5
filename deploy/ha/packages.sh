# What the set-up needs of Debian. Sourced by `up`.
# shellcheck shell=bash

# program=package
readonly needed="patroni=patroni /usr/share/doc/python3-etcd=python3-etcd etcd=etcd-server haproxy=haproxy
  /usr/lib/postgresql/15/bin/postgres=postgresql-15 psql=postgresql-client-15 ip=iproute2 curl=curl setpriv=util-linux"

missing_packages() {
  local pair
  for pair in $needed; do
    command -v "${pair%%=*}" >/dev/null || [ -e "${pair%%=*}" ] || echo "${pair#*=}"
  done
}

# Installs what is missing, without the services that the packages would start: they would take the usual ports, and
# Patroni makes its own databases.
install_packages() {
  local packages
  packages=$(missing_packages | tr '\n' ' ')
  [ -n "${packages// /}" ] || return 0
  command -v apt-get >/dev/null || fail "install these first (names as in Debian 12): $packages"
  echo "installing $packages"
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=$policy
  fi
  local clusters=/etc/postgresql-common/createcluster.conf
  if [ ! -e "$clusters" ]; then
    mkdir -p "${clusters%/*}"
    echo "create_main_cluster = false" >"$clusters"
  fi
  local log result=0
  log=$(mktemp)
  # shellcheck disable=SC2086
  { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
    -o Dpkg::Options::=--force-confold install -y -qq --no-install-recommends $packages; } >"$log" 2>&1 || result=$?
  [ -z "$made" ] || rm -f "$made"
  if [ "$result" != 0 ] || [ -n "$(missing_packages)" ]; then
    fail "cannot install $packages: see $log"
  fi
  rm -f "$log"
}
