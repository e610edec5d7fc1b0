# Runs scripts of Logstash's ruby filter outside of Logstash: one command a line on standard input, one answer a line.

require "json"

class Event
  def initialize(data)
    @data = data
    @cancelled = false
  end

  attr_reader :data

  def get(reference)
    path(reference).reduce(@data) do |found, key|
      if found.is_a?(Hash) then found[key]
      elsif found.is_a?(Array) && key.match?(/\A\d+\z/) then found[key.to_i]
      end
    end
  end

  def set(reference, value)
    *parents, last = path(reference)
    holder = parents.reduce(@data) do |found, key|
      inner = (found[key] ||= {})
      raise TypeError, "#{reference} leads through a value" unless inner.is_a?(Hash)

      inner
    end
    holder[last] = value
  end

  def remove(reference)
    *parents, last = path(reference)
    holder = parents.reduce(@data) { |found, key| found.is_a?(Hash) ? found[key] : nil }
    holder.is_a?(Hash) ? holder.delete(last) : nil
  end

  def include?(reference)
    *parents, last = path(reference)
    holder = parents.reduce(@data) { |found, key| found.is_a?(Hash) ? found[key] : nil }
    holder.is_a?(Hash) && holder.key?(last)
  end

  def tag(name)
    tags = (@data["tags"] ||= [])
    tags << name unless tags.include?(name)
  end

  def cancel
    @cancelled = true
  end

  def cancelled?
    @cancelled
  end

  def to_hash
    @data.reject { |key, _| key == "@metadata" }
  end

  private

  def path(reference)
    reference.start_with?("[") ? reference.scan(/\[([^\[\]]+)\]/).flatten : [reference]
  end
end

class Expected < StandardError; end

# What a script's `test` block may say.
class Trial
  def initialize(name, path)
    @name = name
    @script = Script.bare(path)
    @parameters = {}
    @events = []
  end

  def parameters
    @parameters = yield
  end

  def in_event
    @script.register(@parameters)
    @events = @script.filter(Event.new({ "@timestamp" => "2026-01-01T00:00:00.000Z" }.merge(yield)))
  end

  def expect(sentence)
    raise Expected, "#{@name}: #{sentence}" unless yield(@events)
  end
end

class Script
  attr_reader :tests

  def self.bare(path)
    script = new(path)
    script.instance_eval(File.read(path, encoding: "UTF-8"), path)
    script
  end

  def initialize(path)
    @script_path = path
    @tests = []
  end

  def test(name, &block)
    @tests << [name, block]
  end
end

$stdin.set_encoding("UTF-8")
$stdout.set_encoding("UTF-8")
$stdout.sync = true
scripts = {}
broken = false
$stdin.each_line do |line|
  answer = begin
    command = JSON.parse(line, max_nesting: false)
    case command["do"]
    when "load"
      script = Script.bare(command["path"])
      script.tests.each { |name, block| Trial.new(name, command["path"]).instance_eval(&block) }
      script.register(command["parameters"])
      scripts[command["name"]] = script
      { "tests" => script.tests.size }
    when "break"
      broken = command["on"]
      {}
    when "filter"
      event = Event.new(command["event"])
      begin
        raise "out of order" if broken == command["name"]

        event.cancel unless scripts.fetch(command["name"]).filter(event).include?(event)
      rescue StandardError
        event.tag("_rubyexception")
      end
      { "event" => event.data, "cancelled" => event.cancelled? }
    end
  rescue StandardError => e
    { "error" => "#{e.class}: #{e.message}" }
  end
  puts JSON.generate(answer, max_nesting: 0)
end
