# encoding: utf-8
# Keeps of an event only the fields that fields.yml names, each made what its kind allows; all else is removed.
# Fails closed: what cannot be judged is removed, and an exception empties the event.

require "openssl"
require "yaml"

# How texts are searched stands in parts of its own; each adds its functions to this script.
%w[text shapes rows names pairs carriers people addresses].each do |part|
  path = File.join(File.dirname(__FILE__), "redaction", "#{part}.rb")
  instance_eval(File.read(path, encoding: "UTF-8"), path)
end

# Parameters: hash_key (32 bytes at least), fields_path or fields, details_allow, ip_mode, user_name_mode,
# session_mode. Raises when one is missing or not allowed, and then the pipeline does not start.
def register(params)
  @key = params["hash_key"].to_s
  if @key.bytesize < 32
    raise ArgumentError, "PII_HASH_KEY must have 32 bytes at least; without it hashes of names could be guessed"
  end
  @modes = {
    "ip_mode" => one_of(params, "ip_mode", %w[keep truncate hash drop]),
    "user_name_mode" => one_of(params, "user_name_mode", %w[keep hash drop]),
    "session_mode" => one_of(params, "session_mode", %w[keep hash])
  }
  fields = params["fields"] || YAML.load_file(params.fetch("fields_path"))
  raise ArgumentError, "fields.yml must name each field with its kind" unless fields.is_a?(Hash) && !fields.empty?

  @kinds = fields.map { |field, kind| [field, method("kind_#{kind}")] }
  %w[text shapes rows names pairs carriers people addresses].each { |part| send("prepare_#{part}") }
  @allow = Array(params["details_allow"])
  refused = @allow.select { |key| secret_name?(key) }
  raise ArgumentError, "details_allow names secrets: #{refused.join(', ')}" unless refused.empty?
end

def one_of(params, name, allowed)
  value = params[name].to_s
  raise ArgumentError, "#{name} must be one of #{allowed.join(', ')}" unless allowed.include?(value)

  value
end

def filter(event)
  found = @kinds.map { |field, kind| [field, kind, event.get(field)] }
  strip(event, [])
  found.each { |field, kind, value| kind.call(event, field, value) unless value.nil? }
  done(event)
rescue Exception # Java's too, and a stack that overflows: whatever it is, the event stays in
  # Its words may quote the event: nobody gets to read them.
  strip(event, %w[data_stream kafka])
  event.tag("_redaction_failed")
  done(event)
end

# Logstash writes metadata too: into its queue of dead letters.
def done(event)
  (event.get("[@metadata]") || {}).each_key { |name| event.remove("[@metadata][#{name}]") }
  event.set("[@metadata][redacted]", true)
  [event]
end

# Tags are ours, and @timestamp is a moment.
def strip(event, keep)
  event.to_hash.each_key { |name| event.remove(name) unless ["@timestamp", "tags", *keep].include?(name) }
end

# ---- kinds: each sets the field to what may stay of its value, or leaves it removed

# What our own pipelines set.
def kind_constant(event, field, value)
  event.set(field, value) if value.is_a?(String) && value.match?(/\A[A-Za-z0-9_.-]{1,100}\z/)
end

def kind_constants(event, field, value)
  kept = Array(value).select { |one| one.is_a?(String) && one.match?(/\A[a-z]{1,40}\z/) }
  event.set(field, kept) unless kept.empty?
end

# One word of somebody else: a host, a logger, a version. It may have the shape of a word and be a token.
def kind_word(event, field, value)
  event.set(field, without_addresses(without_shapes(value), false)) if value.is_a?(String) && value.match?(/\A[A-Za-z0-9_.\/-]{1,200}\z/)
end

# A version, which may have four parts, as addresses have; a part of three digits no version has.
def kind_version(event, field, value)
  text = value.is_a?(String) && value.match?(/\d{3}\./) ? without_addresses(value, false) : value
  event.set(field, without_shapes(text)) if value.is_a?(String) && value.match?(/\A[A-Za-z0-9_.+-]{1,100}\z/)
end

# An error code of Keycloak, or a class.
def kind_code(event, field, value)
  event.set(field, without_shapes(value)) if value.is_a?(String) && value.match?(/\A[A-Za-z][A-Za-z0-9_.$]{0,199}\z/)
end

def kind_event_type(event, field, value)
  event.set(field, value) if value.is_a?(String) && value.match?(/\A[A-Z][A-Z0-9_]{1,63}\z/)
end

def kind_hash(event, field, value)
  event.set(field, value) if value.is_a?(String) && value.match?(/\A\h{64}\z/)
end

def kind_id(event, field, value)
  event.set(field, scrub(value, 255)) if value.is_a?(String) && !value.empty?
end

# Keycloak's own ids of users are UUIDs. Others were chosen by somebody, or by a store of users, and may be names.
def kind_user_id(event, field, value)
  return unless value.is_a?(String) && !value.empty?

  text = value.gsub(/%(?:25)?3[aA]/, ":")
  federated = text.match(/\A(f:[\w.-]{1,64}:)(.+)\z/m)
  event.set(field, if text.match?(/\A(?:\h{8}-(?:\h{4}-){3}\h{12}|\h{32})\z/) then text
                   elsif federated then masked(federated[1], federated[2])
                   else masked("", text)
                   end)
end

# What a store calls its user, often a name, becomes a hash.
def masked(store, name)
  @modes["user_name_mode"] == "keep" ? store + name : store + hmac(name)[0, 32]
end

def scrub(value, most)
  scrubbed(value, most)[0]
end

def kind_text(event, field, value)
  put(event, field, value, 8192)
end

def kind_stack(event, field, value)
  put(event, field, value, 32_000)
end

# A browser's word for itself: its versions have four parts.
def kind_agent(event, field, value)
  put(event, field, value, 8192, versions: true)
end

def put(event, field, value, most, versions: false)
  return unless value.is_a?(String) && !value.empty?

  text, cut = scrubbed(value, most, versions: versions)
  event.set(field, text)
  event.tag("_text_cut") if cut
end

def kind_integer(event, field, value)
  event.set(field, value) if value.is_a?(Integer) && value.abs < 2**63
end

# Of a list, as X-Forwarded-For has it, the first: the client's own.
def kind_ip(event, field, value)
  address = value.is_a?(String) ? value[0, 2000].split(",").filter_map { |one| address_of(one) }.first : nil
  return event.tag("_address_unreadable") if address.nil?

  case @modes["ip_mode"]
  when "hash" then event.set("[keycloak][source][ip_hash]", hmac(address.to_s))
  when "keep", "truncate" then event.set(field, shown(address))
  end
end

def kind_user_name(event, field, value)
  return unless value.is_a?(String) && !value.strip.empty?

  case @modes["user_name_mode"]
  when "keep" then event.set(field, value[0, 255])
  when "hash" then event.set("[user][hash]", hmac(value.strip.downcase))
  end
end

def kind_session(event, field, value)
  return unless value.is_a?(String) && !value.empty?

  event.set(field, @modes["session_mode"] == "hash" ? hmac(value) : scrub(value, 255))
end

# Of an address only the host: its path and query may carry a code.
def kind_domain(event, field, value)
  host = value.is_a?(String) ? value[/\A[a-z][a-z0-9+.-]{0,20}:\/\/(?:[^\/?#@\s]*@)?([A-Za-z0-9.-]{1,253})(?=[:\/?#]|\z)/, 1] : nil
  event.set(field, address_of(host).nil? ? host.downcase : shown_or_hidden(host)) if host
end

def kind_details(event, field, value)
  return unless value.is_a?(Hash)

  used = %w[username redirect_uri user_agent]
  kept = {}
  dropped = 0
  value.each do |key, detail|
    if @allow.include?(key) && (detail.is_a?(String) || detail.is_a?(Numeric) || detail == true || detail == false)
      kept[key] = key == "code_id" && @modes["session_mode"] == "hash" ? hmac(detail.to_s) : scrub(detail.to_s, 1024)
    elsif !used.include?(key)
      dropped += 1
    end
  end
  event.set(field, kept) unless kept.empty?
  event.set("[keycloak][event][details_dropped]", dropped)
end

# ---- hashing and addresses

def hmac(text)
  OpenSSL::HMAC.hexdigest("SHA256", @key, text)
end

# ---- text

def secret_name?(name)
  harmless = %w[token_id refresh_token_id updated_refresh_token_id refresh_token_type validate_access_token code_id
                credential_type selected_credential_id]
  !harmless.include?(name) && name.match?(/pass|secret|token|credential|otp|assertion|cookie|authorization|private|api_?key|\Acode\z/i)
end

# ---- tests: Logstash runs them when a pipeline starts, and does not start it when one fails

test "what no field names is removed, and what is named keeps to its kind" do
  parameters do
    { "hash_key" => "0123456789abcdef0123456789abcdef", "ip_mode" => "truncate", "user_name_mode" => "hash",
      "session_mode" => "keep", "details_allow" => %w[reason],
      "fields" => { "[source][ip]" => "ip", "[user][name]" => "user_name", "[message]" => "text",
                    "[keycloak][event][details]" => "details", "[kafka][offset]" => "integer" } }
  end
  in_event do
    { "message" => "mail ann@example.org password=hunter2 from 10.1.2.3", "secret" => "hunter2",
      "source" => { "ip" => "10.1.2.3" }, "user" => { "name" => "Ann", "full_name" => "Ann Example" },
      "kafka" => { "offset" => "hunter2" },
      "keycloak" => { "event" => { "details" => { "reason" => "because", "password" => "hunter2" } } } }
  end
  expect("nothing secret or personal is left") do |events|
    !events.first.to_hash.to_s.match?(/hunter2|example|Ann|10\.1\.2\.3/i)
  end
  expect("the rest is there") do |events|
    event = events.first
    event.get("[source][ip]") == "10.1.2.0" && event.get("[user][hash]").length == 64 &&
      event.get("[message]") == "mail [email] password=[removed] from 10.1.2.0" &&
      event.get("[keycloak][event][details]") == { "reason" => "because" } &&
      event.get("[keycloak][event][details_dropped]") == 1 && event.get("[@metadata][redacted]") == true
  end
end
