# encoding: utf-8
# Judges whether a record is an event of Keycloak, of a user or an administrator, or why it is none. The rules, their
# order and the reasons are those of keywatch's own parser (exporter/keywatch/listeners/parser.py); a test holds them.

require "json"
require "strscan"
require "time"
require "yaml"

# Parameters: types_path (a dictionary whose keys are Keycloak's types), type_prefix (cut off of a type; what has it not
# is no user event), time_unit (ms, s, us, iso8601), envelope (the field that holds the event, as `data` of CloudEvents).
def register(params)
  types = params["types"] || YAML.load_file(params.fetch("types_path"))
  @types = types.to_h { |type, _| [type, true] }
  @prefix = params["type_prefix"].to_s
  @envelope = params["envelope"].to_s
  @unit = params.fetch("time_unit", "ms").to_s
  @per_second = { "s" => 1, "ms" => 1000, "us" => 1_000_000, "iso8601" => 1000 }[@unit]
  raise ArgumentError, "time_unit must be one of ms, s, us, iso8601" if @per_second.nil?

  @operations = %w[CREATE UPDATE DELETE ACTION]
  @most_bytes = 1024 * 1024
  @longest = 255
  # Between 2001 and 2100: what lies outside is in another unit, or no moment at all.
  @earliest, @latest = 978_307_200, 4_102_444_800
  @shape = /\A[A-Z][A-Z0-9_]{1,63}\z/
  @moment = /\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)\z/
  @escapes = /\\u[dD][89abAB]\h\h\\u[dD][c-fC-F]\h\h|\\u([dD][89a-fA-F]\h\h)|\\./m
  @tokens = /"(?:[^"\\]|\\.)*+"|[{}]/m
end

def filter(event)
  reason = judged(event)
  event.set("[@metadata][reason]", reason) if reason
  [event]
end

# Sets kind, type, outcome and moment of an event, or gives the reason why it is none.
def judged(event)
  text, record = event.get("[@metadata][text]"), event.get("[@metadata][record]")
  return "empty" if !text.is_a?(String) || text.empty?
  return "too_large" if text.bytesize > @most_bytes
  return text.lstrip.start_with?("{") || !json?(text) ? "not_json" : "not_object" unless record.is_a?(Hash)
  return "not_json" if lone_surrogate?(text) || more?(text)

  body = @envelope.empty? ? record : record[@envelope]
  return "field_type" if !body.is_a?(Hash) && record.key?(@envelope)
  return "kind_unknown" unless body.is_a?(Hash)

  event.set("[@metadata][record]", body) unless @envelope.empty?
  operation = body["operationType"]
  type = type_of(body, operation)
  return "kind_unknown" if type.nil? == operation.nil?

  name = type.nil? ? operation : type
  wrong(body, name) || settled(event, body, name, type.nil?)
end

# cinezy calls it eventType; where there is a type or an operation too, eventType is something else. Beside an operation
# a type that no user event has is a word of the listener's own for it.
def type_of(body, operation)
  type = body["type"].nil? && operation.nil? ? body["eventType"] : body["type"]
  type = type.is_a?(String) && type.start_with?(@prefix) ? type[@prefix.length..] : nil unless @prefix.empty?
  operation.is_a?(String) && type.is_a?(String) && !type_name?(type) ? nil : type
end

def type_name?(name)
  name.match?(@shape) || (name.ascii_only? && @types.key?(name.upcase.delete_suffix("_ERROR")))
end

def wrong(body, name)
  time, realm = body["time"], body["realmId"]
  return "field_missing" if time.nil? || nothing?(name) || nothing?(realm)
  seconds = time?(time) ? seconds_of(time) : nil
  return "field_type" unless seconds && name.is_a?(String) && realm.is_a?(String)

  body.values_at("realmName", "id", "error").each do |text|
    next if text.nil?
    return "field_type" unless text.is_a?(String)
    return "field_length" if text.length > @longest
  end
  return "field_length" if realm.length > @longest || name.length > @longest

  "time_range" unless seconds.between?(@earliest, @latest)
end

# What is nothing to Python too.
def nothing?(value)
  [nil, false, "", 0, 0.0, [], {}].include?(value)
end

def time?(time)
  case @unit
  when "iso8601" then time.is_a?(String)
  when "s" then time.is_a?(Numeric)
  else time.is_a?(Integer)
  end
end

def seconds_of(time)
  return Rational(time, @per_second) if time.is_a?(Integer)
  return time.to_r if time.is_a?(Numeric)

  time.match?(@moment) ? Time.iso8601(time).to_r : nil
rescue ArgumentError, FloatDomainError
  nil
end

def settled(event, body, name, admin)
  upper = name.ascii_only? ? name.upcase : name
  base = upper.delete_suffix("_ERROR")
  known = admin ? @operations.include?(upper) : @types.key?(base)
  return "kind_unknown" unless known || name.match?(@shape)

  upper = name unless known
  failed = !body["error"].nil? && !body["error"].empty?
  event.set("[@metadata][kind]", admin ? "admin" : "user")
  event.set("[@metadata][name]", upper)
  event.set("[@metadata][type]", known ? base : upper.delete_suffix("_ERROR"))
  event.set("[@metadata][moment]", (seconds_of(body["time"]) * 1000).floor)
  event.set("[@metadata][outcome]", if failed || (!admin && upper.end_with?("_ERROR")) then "failure"
                                    elsif admin then body.key?("error") ? "success" : "unknown"
                                    else known ? "success" : "unknown"
                                    end)
  nil
end

# Half a letter, which JSON can write and UTF-8 cannot.
def lone_surrogate?(text)
  text.include?("\\u") && text.scan(@escapes).any? { |(half)| half }
end

# Whether something stands behind the object: a parser of JSON may stop at its end.
def more?(text)
  scanner = StringScanner.new(text)
  depth = 0
  while scanner.skip_until(@tokens)
    depth += { "{" => 1, "}" => -1 }.fetch(scanner.matched, 0)
    return scanner.rest.match?(/\S/) if depth.zero?
  end
  true
end

def json?(text)
  JSON.parse(text)
  true
rescue StandardError, SystemStackError
  false
end

test "a record of Keycloak is an event" do
  parameters { { "types" => { "LOGIN" => "" }, "time_unit" => "ms" } }
  in_event do
    record = { "type" => "login_error", "time" => 1_795_443_900_000, "realmId" => "r", "error" => "user_not_found" }
    { "@metadata" => { "text" => JSON.generate(record), "record" => record } }
  end
  expect("its kind, its type in capitals, and that it failed") do |events|
    event = events.first
    event.get("[@metadata][kind]") == "user" && event.get("[@metadata][name]") == "LOGIN_ERROR" &&
      event.get("[@metadata][type]") == "LOGIN" && event.get("[@metadata][outcome]") == "failure" &&
      event.get("[@metadata][moment]") == 1_795_443_900_000 && event.get("[@metadata][reason]").nil?
  end
end

test "what is of somebody else is none, and why" do
  parameters { { "types" => { "LOGIN" => "" }, "time_unit" => "s", "envelope" => "data", "type_prefix" => "access." } }
  in_event do
    record = { "type" => "order", "data" => { "type" => "access.order", "time" => 1_795_443_900, "realmId" => "r" } }
    { "@metadata" => { "text" => JSON.generate(record), "record" => record } }
  end
  expect("a reason, and no kind") do |events|
    events.first.get("[@metadata][reason]") == "kind_unknown" && events.first.get("[@metadata][kind]").nil?
  end
end
