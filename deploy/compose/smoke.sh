#!/usr/bin/env bash
# Starts the whole path with an engine and says what must be seen; exit 0 when all of it was, 1 with what was not.
# Written for `docker compose` 2.24 or newer and never run by this project's CI, whose machines have no engine.
set -euo pipefail
cd "$(dirname "$0")"
usage="usage: deploy/compose/smoke.sh [core|logs|faults]   [core]; LISTENER and LISTENER_SHA256 as in .env"
profile=${1:-core}
case $profile in core | logs | faults) ;; *) echo "$usage" >&2; exit 2 ;; esac
command -v docker >/dev/null && docker compose version >/dev/null || { echo "smoke.sh: docker compose is missing" >&2; exit 2; }
set -a; . ./.env; set +a
[ "$profile" != faults ] || export KAFKA_3_ADVERTISED=toxiproxy:9092
compose() { docker compose --profile "$profile" "$@"; }
failed=0
see() { # WORDS SECONDS COMMAND…: it must succeed within so many seconds
  local words=$1 until=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= until)); then echo "NOT SEEN  $words"; failed=1; return 0; fi
    sleep 1
  done
  echo "seen      $words"
}
metric() { # REGEX: a line of /metrics fits
  curl -sf "localhost:$KEYWATCH_PORT/metrics" | grep -Eq "$1"
}
firing() { # ALERT
  curl -sf "localhost:$ALERTMANAGER_PORT/api/v2/alerts" | grep -q "\"alertname\":\"$1\""
}

./prepare.sh
if [ "$profile" = logs ]; then
  compose up -d --build elasticsearch
  see "Elasticsearch answers" 300 compose exec -T elasticsearch curl -s --cacert config/certs/authority.pem https://localhost:9200
  elastic() { # METHOD PATH [BODY]
    compose exec -T elasticsearch curl -sf --cacert config/certs/authority.pem -u "elastic:$(cat secrets/elastic-password)" \
      -H 'Content-Type: application/json' -X "$1" "https://localhost:9200/$2" ${3:+-d "$3"}
  }
  [ -s secrets/kibana-token ] || elastic POST _security/service/elastic/kibana/credential/token |
    sed -E 's/.*"value":"([^"]+)".*/\1/' | tr -d '\n' >secrets/kibana-token
  if [ ! -s secrets/logstash-api-key ]; then
    role=$(python3 -c 'import json; r = json.load(open("../../logstash/elasticsearch/roles/keywatch-logstash.json"))
print(json.dumps({"name": "logstash", "role_descriptors": {"logstash": {k: r[k] for k in ("cluster", "indices")}}}))')
    elastic POST _security/api_key "$role" |
      sed -E 's/.*"id":"([^"]+)".*"api_key":"([^"]+)".*/\1:\2/' | tr -d '\n' >secrets/logstash-api-key
  fi
fi
compose up -d --build

see "keywatch is alive" 120 compose exec -T keywatch /opt/keywatch/bin/keywatch check --live
see "all three brokers are up" 180 metric '^keywatch_cluster_up\{.*\} 1$'
see "records cross each broker" 120 metric '^keywatch_canary_up\{.*\} 1$'
see "Keycloak is up" 300 metric '^keywatch_keycloak_up\{.*\} 1$'
see "Prometheus scrapes both jobs" 60 bash -c "curl -sf 'localhost:$PROMETHEUS_PORT/api/v1/query?query=count(up%7Bjob=~%22keywatch.*%22%7D==1)' | grep -q '\"2\"'"
see "Alertmanager hears of the watchdog" 120 firing Watchdog
see "Grafana has the dashboards" 120 bash -c "curl -sf -u 'admin:$(cat secrets/grafana-password)' 'localhost:$GRAFANA_PORT/api/search?query=keywatch' | grep -q keywatch-overview"
if [ "$profile" = logs ]; then
  see "Logstash is up" 300 compose exec -T logstash curl -sf -u "keywatch:$(cat secrets/logstash-password)" localhost:9600
  see "Kibana answers" 300 curl -sf "localhost:$KIBANA_PORT/api/status"
fi
if [ "$profile" = faults ]; then
  curl -sf -X POST "localhost:$TOXIPROXY_PORT/proxies/kafka-3" -d '{"enabled": false}' >/dev/null
  see "the third broker is told to be cut off" 10 metric '^keywatch_broker_up\{.*broker="3".*\} 0$'
  see "somebody is called" 30 firing KafkaBrokerDown
  curl -sf -X POST "localhost:$TOXIPROXY_PORT/proxies/kafka-3" -d '{"enabled": true}' >/dev/null
  see "it is back" 30 metric '^keywatch_broker_up\{.*broker="3".*\} 1$'
else
  compose kill kafka-2
  see "the second broker is told to be dead" 10 metric '^keywatch_broker_up\{.*broker="2".*\} 0$'
  see "somebody is called" 30 firing KafkaBrokerDown
  compose up -d kafka-2
  see "it is back" 120 metric '^keywatch_broker_up\{.*broker="2".*\} 1$'
fi
echo "docker compose --profile $profile down -v ends it and removes its data"
exit "$failed"
