# encoding: utf-8
# Leaves of an event that could not be redacted only where it came from.

def register(_params)
  @keep = %w[@timestamp data_stream kafka]
end

def filter(event)
  event.to_hash.each_key { |name| event.remove(name) unless @keep.include?(name) }
  (event.get("[@metadata]") || {}).each_key { |name| event.remove("[@metadata][#{name}]") }
  event.tag("_redaction_failed")
  event.set("[@metadata][redacted]", true)
  [event]
end

test "nothing but its place is left" do
  parameters { {} }
  in_event do
    { "message" => "hunter2", "tags" => ["hunter2"], "kafka" => { "offset" => 7 }, "@metadata" => { "record" => "hunter2" } }
  end
  expect("the offset and a tag") do |events|
    event = events.first
    !event.to_hash.to_s.include?("hunter2") && event.get("[@metadata]") == { "redacted" => true } &&
      event.get("[kafka][offset]") == 7 && event.get("tags") == ["_redaction_failed"]
  end
end
