# encoding: utf-8
# Measures a dead letter's payload and finds the class of the exception that it died of.

def register(_params)
  @headers = %w[__connect.errors.exception.class.name kafka_dlt-exception-cause-fqcn kafka_dlt-exception-fqcn
                x-exception-fqcn __streams.errors.exception dead-letter-cause-class-name
                dead-letter-exception-class-name]
end

def filter(event)
  payload = event.get("[@metadata][payload]")
  event.set("[keycloak][dlq][payload_size]", payload.bytesize) if payload.is_a?(String)
  if event.get("[error][type]").nil?
    headers = event.get("[@metadata][kafka][headers]")
    found = headers.is_a?(Hash) ? @headers.map { |name| headers[name] }.compact.first : nil
    event.set("[error][type]", found) if found.is_a?(String)
  end
  [event]
end

test "the size is counted in bytes and the class is taken from the headers" do
  parameters { {} }
  in_event do
    { "@metadata" => { "payload" => "ä", "kafka" => { "headers" => { "x-exception-fqcn" => "java.lang.Exception" } } } }
  end
  expect("two bytes, and the class") do |events|
    events.first.get("[keycloak][dlq][payload_size]") == 2 && events.first.get("[error][type]") == "java.lang.Exception"
  end
end
