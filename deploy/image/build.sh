#!/usr/bin/env bash
# Builds the container image with buildah: no daemon, no systemd, also inside a sandbox.
set -euo pipefail
usage="usage: [BASE=IMAGE] [SOURCE=URL] [REVISION=COMMIT] [CREATED=RFC3339] deploy/image/build.sh [--debootstrap] [TAG]
  --debootstrap  make the base image from this Debian's own mirror (as root), where no registry of images is reached
  TAG            the image's name [keywatch:VERSION]"
fail() { echo "build.sh: $1" >&2; exit 2; }

debootstrap=no tag=
for argument; do
  case $argument in
    -h | --help) echo "$usage"; exit ;;
    --debootstrap) debootstrap=yes ;;
    -*) fail "unknown option $argument"$'\n'"$usage" ;;
    *) tag=$argument ;;
  esac
done
command -v buildah >/dev/null || fail "buildah is missing"
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' exporter/keywatch/__init__.py)
tag=${tag:-keywatch:$version}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keywatch
mkdir -p "$cache/base" "$cache/pip"
scratch=$(mktemp -d "$cache/base/build.XXXXXX") # beside the cache: /tmp may forbid devices, which debootstrap makes
trap 'rm -rf --one-file-system "$scratch"' EXIT
umask 022 # the image's user must read what root writes here
export BUILDAH_ISOLATION=chroot # the one that needs neither a runtime nor cgroups
if [ -z "${STORAGE_DRIVER:-}" ] && ! STORAGE_DRIVER=overlay buildah info &>/dev/null; then
  STORAGE_DRIVER=vfs # copies every layer, and so works where overlay is refused
fi
export STORAGE_DRIVER=${STORAGE_DRIVER:-overlay}

bootstrap() { # SUITE TAR: a Debian with python3 and venv, less what only a person at its prompt would miss
  local mirror root=$scratch/root
  read -r mirror < <(apt-get indextargets --format '$(SITE)' "Release: $1" 'Component: main' 'Created-By: Packages') ||
    fail "apt knows no mirror of $1"
  debootstrap --variant=minbase --include=python3-venv "$1" "$root" "$mirror" >"$scratch/log" ||
    { tail -20 "$scratch/log" >&2; fail "debootstrap failed"; }
  # Lists and sources name this machine's mirror, which the image must not.
  rm -rf "$root"/usr/share/{doc,info,locale,man} "$root"/var/{cache/apt,lib/apt/lists} "$root"/var/log/* "$root"/etc/{apt/sources.list,resolv.conf,hostname}
  tar -C "$root" --numeric-owner -cf "$2.new" . && mv "$2.new" "$2"
}

pull=()
if [ $debootstrap = yes ]; then
  [ "$(id -u)" = 0 ] || fail "debootstrap needs root"
  command -v debootstrap >/dev/null || fail "debootstrap is missing"
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  tar=$cache/base/$suite-$(dpkg --print-architecture).tar
  exec 9>"$tar.lock" && flock 9 # two builds at once would do this twice
  [ -n "$(find "$tar" -mtime -14 2>/dev/null)" ] || bootstrap "$suite" "$tar" # a fortnight: Debian mends its packages
  BASE=localhost/keywatch-base:$suite-$(stat -c %Y "$tar")
  if ! buildah inspect --type image "$BASE" &>/dev/null; then
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$tar" / >/dev/null
    buildah commit --quiet --rm "$container" "$BASE" >/dev/null
  fi
  exec 9>&-
  pull=(--pull=never)
fi

# pip's index and certificates, as this machine has them, are mounted into the build: an argument or a variable would
# stay in the image's history. The variables become the file that overrides the others, as on this machine.
: "${PIP_CERT:=${REQUESTS_CA_BUNDLE:-}}"
{
  echo '[global]'
  for key in index_url extra_index_url trusted_host find_links no_index proxy timeout cert client_cert; do
    name=PIP_${key^^}
    [ -z "${!name:-}" ] || echo "$key = ${!name//$'\n'/ }"
  done
} >"$scratch/pip.conf"
mounts=(--volume "$cache/pip:/root/.cache/pip")
mount_pip_conf() { # FILE TARGET: and what the file names by its path
  [ -e "$1" ] || return 0
  mounts+=(--volume "$1:$2:ro")
  for path in $(sed -nE 's/^ *[a-z_-]+ *[=:] *//p' "$1"); do
    [[ $path != /* || ! -e $path ]] || mounts+=(--volume "$path:$path:ro")
  done
}
mount_pip_conf /etc/pip.conf /etc/pip.conf
mount_pip_conf "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" /root/.pip/pip.conf
mount_pip_conf "$scratch/pip.conf" /root/.config/pip/pip.conf

# Docker's format, since OCI's has no HEALTHCHECK.
buildah bud --format docker -f deploy/image/Dockerfile --ignorefile deploy/image/Dockerfile.dockerignore \
  "${pull[@]}" "${mounts[@]}" ${BASE:+--build-arg "BASE=$BASE"} \
  --build-arg "VERSION=$version" --build-arg "SOURCE=${SOURCE:-}" \
  --build-arg "REVISION=${REVISION:-}" --build-arg "CREATED=${CREATED:-}" --tag "$tag" .
echo "$tag: $(buildah images --format '{{.Size}}' "$tag"), storage driver $STORAGE_DRIVER"
