#!/usr/bin/env bash
# Makes the secrets and certificates that compose.yml reads, each a file below secrets/; what is there already stays.
set -euo pipefail
cd "$(dirname "$0")"
command -v openssl >/dev/null || { echo "prepare.sh: openssl is missing" >&2; exit 2; }
umask 077
mkdir -p secrets/certificates
for name in postgres keycloak-admin grafana elastic logstash; do
  [ -s "secrets/$name-password" ] || openssl rand -hex 16 | tr -d '\n' >"secrets/$name-password"
done
[ -s secrets/pii-hash-key ] || openssl rand -hex 32 | tr -d '\n' >secrets/pii-hash-key
# Elasticsearch gives these two; smoke.sh fetches them once it runs.
touch secrets/logstash-api-key secrets/kibana-token

cd secrets/certificates
if [ ! -s authority.pem ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj "/CN=keywatch compose" \
    -keyout ../authority.key -out authority.pem 2>/dev/null
fi
if [ ! -s elasticsearch.pem ]; then
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=elasticsearch" \
    -keyout elasticsearch.key -out elasticsearch.csr 2>/dev/null
  openssl x509 -req -in elasticsearch.csr -CA authority.pem -CAkey ../authority.key -CAserial ../authority.srl -CAcreateserial -days 825 \
    -extfile <(echo "subjectAltName=DNS:elasticsearch,DNS:localhost,IP:127.0.0.1") -out elasticsearch.pem 2>/dev/null
  rm elasticsearch.csr
fi
# Containers run as other users than who made these, and compose mounts the files as they are: they can be read by whoever may
# enter the folder, which is its owner alone. The authority's own key stays with whoever ran this.
chmod 0755 .
chmod 0644 authority.pem elasticsearch.pem elasticsearch.key
cd ..
chmod 0644 ./*-password pii-hash-key logstash-api-key kibana-token
echo "secrets lie in $PWD"
