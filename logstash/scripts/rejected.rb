# encoding: utf-8
# Leaves of an event that Elasticsearch refused who refused it, why, and where it came from; not the event.

def register(_params)
  @most = 4096
end

def filter(event)
  reason = event.get("[@metadata][dead_letter_queue][reason]")
  plugin = event.get("[@metadata][dead_letter_queue][plugin_id]")
  dataset = event.get("[data_stream][dataset]")
  kept = %w[topic partition offset timestamp].map { |name| ["[kafka][#{name}]", event.get("[kafka][#{name}]")] }
  kept << ["[event][id]", event.get("[event][id]")]
  event.to_hash.each_key { |name| event.remove(name) unless name == "@timestamp" }
  kept.each { |field, value| event.set(field, value) unless value.nil? }
  event.set("[logstash][dlq][plugin_id]", plugin) if plugin.is_a?(String)
  event.set("[logstash][dlq][original_dataset]", dataset) if dataset.is_a?(String)
  if reason.is_a?(String)
    event.set("[error][message]", without_document(reason))
    type = reason[/"type"=>"(\w+)"/, 1]
    event.set("[error][type]", type) if type
  end
  [event]
end

# The reason quotes the document after `action:`, and Elasticsearch the value that it could not take.
def without_document(reason)
  before, action, rest = reason.partition(/,?\s*action: \[/)
  unless action.empty?
    _, response, after = rest.rpartition(/,\s*response: /)
    reason = response.empty? ? before : "#{before}, response: #{after}"
  end
  # Up to the last place where the value can end: it may hold quotes itself.
  reason.gsub(/Preview of field's value: '(?:.*'(?=["}\]])|.*)/m, "Preview of field's value: [removed]")
        .gsub(/For input string: \\*"(?:.*"|.*)/m, "For input string: [removed]")
        .gsub(/'.*' is not an IP string literal/m, "[removed] is not an IP string literal")
        .gsub(/date field \[.*\] with format/m, "date field [removed] with format")[0, @most]
end

test "the document is cut out of the reason" do
  parameters { {} }
  in_event do
    { "message" => "hunter2", "event" => { "id" => "e-1" }, "kafka" => { "offset" => 7 },
      "data_stream" => { "dataset" => "keycloak.user_event" },
      "@metadata" => { "dead_letter_queue" => { "plugin_id" => "elasticsearch-once", "reason" =>
        "Could not index event to Elasticsearch. status: 400, action: [\"create\", {:_id=>nil}, {\"message\"=>\"hunter2\"}], " \
        "response: {\"create\"=>{\"status\"=>400, \"error\"=>{\"type\"=>\"document_parsing_exception\", \"reason\"=>\"failed to parse " \
        "field [source.ip] of type [ip]. Preview of field's value: 'hunter2'\"}}}" } } }
  end
  expect("who, why and where from, but not the event") do |events|
    event = events.first
    !event.to_hash.to_s.include?("hunter2") && event.get("[error][type]") == "document_parsing_exception" &&
      event.get("[error][message]").include?("[source.ip]") && event.get("[event][id]") == "e-1" &&
      event.get("[kafka][offset]") == 7 && event.get("[logstash][dlq][original_dataset]") == "keycloak.user_event"
  end
end
