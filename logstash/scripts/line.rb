# encoding: utf-8
# Takes off of a line of a log what carriers put before it or around it: Kubernetes (CRI, kubectl), docker and its compose,
# syslog, journald, a byte order mark, shippers that wrap lines in JSON. What is left is the line as its program wrote it.

require "json"

def register(_params)
  moment = "\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(?:[.,]\\d{1,9})?(?:Z|[+-]\\d\\d:?\\d\\d)?[ \\t]+"
  parts = [
    "\uFEFF", "\\e\\[[0-9;]{0,20}m", "\\d{1,6} (?=<)", "<\\d{1,3}>(?:\\d )?", moment,
    "[A-Z][a-z]{2} {1,2}\\d{1,2}(?: \\d{4})? \\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,6})? ",
    "(?:stdout|stderr) F(?::\\S{1,20})? ", # CRI
    "\\[pod\\/[\\w.\\/-]{1,300}\\] ", # kubectl logs --prefix
    "[\\w.@-]{1,200}[ \\t]*\\| ?", # docker compose logs
    "(?:\\[[\\w@.-]{1,64}(?: [\\w.@-]{1,64}=\"(?:[^\"\\\\]|\\\\.){0,500}\"){0,20}\\])+ ?", # syslog's structured data
    "[\\w.\\/-]{1,64}(?:\\[\\d{1,10}\\])?:[ \\t]*", # syslog's tag
    "[\\w.:\\/-]{1,255} ", " "
  ]
  # Atomic, so that each part is looked at once.
  @before = /\A(?>(?:#{parts.join('|')}){1,16})(?=\{)/
  @part_of_line = /\A\uFEFF?#{moment}(?:stdout|stderr) P(?::\S{1,20})? /
  @longest_before = 4096
  # A field with an object in it as text: only then is it worth to be parsed twice.
  @around = /"(?:log|message|MESSAGE|msg|line)"\s*:\s*"[^"\\]{0,300}(?:\\[^"][^"\\]{0,100}){0,20}\{\s*\\+"/
  @fields = %w[log message MESSAGE msg line]
end

def filter(event)
  text = event.get("[@metadata][text]")
  return [event] unless text.is_a?(String)

  event.set("[@metadata][reason]", "kind_unknown")
  if text.match?(@part_of_line)
    event.set("[@metadata][reason]", "partial_line")
  else
    event.set("[@metadata][text]", unwrapped(text))
  end
  [event]
end

def unwrapped(text)
  3.times do
    text = bare(text)
    inner = text.start_with?("{") && text.match?(@around) ? inner_of(text) : nil
    return text if inner.nil?

    text = inner
  end
  bare(text)
end

def bare(text)
  text = text.delete_prefix("\uFEFF").lstrip
  return text if text.start_with?("{")

  found = text[0, @longest_before].match(@before)
  found ? text[found.end(0)..] : text
end

# The text of a line in the object that a shipper made of it; nil where the object is a line of a log itself.
def inner_of(text)
  outer = JSON.parse(text)
  return nil unless outer.is_a?(Hash)
  return nil if outer.key?("loggerName") || outer.key?("log.logger") || outer["log"].is_a?(Hash) && outer["log"].key?("logger")

  @fields.map { |name| outer[name] }.find { |inner| inner.is_a?(String) && bare(inner).start_with?("{") }
rescue StandardError, SystemStackError
  nil
end

test "what carriers put before a line is taken off" do
  parameters { {} }
  in_event { { "@metadata" => { "text" => "2026-01-01T00:00:00.0Z stdout F {\"loggerName\":\"a\"}" } } }
  expect("the line") { |events| events.first.get("[@metadata][text]") == "{\"loggerName\":\"a\"}" }
end

test "what a shipper put around a line is taken off" do
  parameters { {} }
  in_event { { "@metadata" => { "text" => "{\"log\":\"{\\\"loggerName\\\":\\\"a\\\"}\\n\",\"stream\":\"stdout\"}" } } }
  expect("the line") { |events| events.first.get("[@metadata][text]").strip == "{\"loggerName\":\"a\"}" }
end
