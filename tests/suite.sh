#!/usr/bin/env bash
# Runs a command, `make test` if none is given, in a fresh clone of this tree on another, bare Debian, as root: the suite
# trixie (Debian 13) has Python 3.13. Needs debootstrap. What that Debian lacks, the tests skip with their reason.
# usage: tests/suite.sh SUITE [COMMAND…]
set -euo pipefail
usage="usage: tests/suite.sh SUITE [COMMAND…]"
fail() {
  echo "suite.sh: $1" >&2
  exit 2
}

[ $# -ge 1 ] || fail "$usage"
suite=$1
shift
[ $# -gt 0 ] || set -- make test
[ "$(id -u)" = 0 ] || fail "debootstrap and chroot need root"
command -v debootstrap >/dev/null || fail "debootstrap is missing (make deps)"
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/keywatch/suites
mkdir -p "$cache"
root=$cache/$suite
exec 9>"$root.lock"
flock 9 # two runs at once would make and mount the same root
if [ ! -e "$root/.made" ]; then
  read -r mirror < <(apt-get indextargets --format '$(SITE)' 'Component: main' 'Created-By: Packages') ||
    fail "apt knows no mirror"
  rm -rf --one-file-system "$root"
  debootstrap --variant=minbase --include=ca-certificates,git,make,procps,python3-venv "$suite" "$root" "$mirror" \
    >"$root.log" 2>&1 || {
    tail -5 "$root.log" >&2
    fail "debootstrap failed"
  }
  touch "$root/.made"
fi

tree=$root/root/keywatch
mounted=()
end() {
  for ((at = ${#mounted[@]} - 1; at >= 0; at--)); do umount -l "${mounted[$at]}" || true; done
  rm -rf --one-file-system "$tree"
}
trap end EXIT
mount_at() { # TARGET OPTIONS…
  local target=$1
  shift
  mount "$@" "$target"
  mounted+=("$target")
}
mount_at "$root/proc" -t proc proc
mount_at "$root/dev" --bind /dev
mount_at "$root/dev/shm" -t tmpfs tmpfs
# How this machine reaches its package index.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
  [ ! -e "$file" ] || cp --dereference "$file" "$root$file"
done
kept=()
while IFS= read -r variable; do kept+=("$variable"); done < <(env |
  grep -E '^(PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT)|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|[A-Za-z]+_[Pp][Rr][Oo][Xx][Yy])=' || true)

rm -rf --one-file-system "$tree"
git clone --quiet --no-hardlinks . "$tree"
env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "${kept[@]}" \
  chroot "$root" bash -c 'cd /root/keywatch && exec "$@"' _ "$@" </dev/null
