# encoding: utf-8
# Makes one text of an exception that Keycloak logged as an object, or takes over the text that ECS has.

def register(_params)
  @causes = 8
  @frames = 60
end

def filter(event)
  record = event.get("[@metadata][record]")
  return [event] unless record.is_a?(Hash)

  %w[type message stack_trace].each do |name|
    said = record["error.#{name}"] || (record["error"].is_a?(Hash) ? record["error"][name] : nil)
    event.set("[error][#{name}]", said) if said.is_a?(String)
  end
  thrown = record["exception"]
  if thrown.is_a?(Hash)
    put(event, "type", thrown["exceptionType"])
    put(event, "message", words(thrown))
    put(event, "stack_trace", lines(thrown).join("\n"))
  end
  trace = record["stackTrace"]
  put(event, "stack_trace", trace)
  [event]
end

def put(event, name, text)
  event.set("[error][#{name}]", text) if text.is_a?(String) && !text.empty? && event.get("[error][#{name}]").nil?
end

def words(thrown)
  [thrown["error.message"], thrown["message"]].find { |text| text.is_a?(String) }
end

def word(text)
  text.is_a?(String) && text.match?(/\A[\w.$\/<>-]{1,200}\z/) ? text : "?"
end

def lines(thrown)
  found = []
  @causes.times do |depth|
    break unless thrown.is_a?(Hash)

    found << "#{depth.zero? ? '' : 'Caused by: '}#{word(thrown['exceptionType'])}: #{words(thrown)}"
    frames = thrown["frames"].is_a?(Array) ? thrown["frames"].grep(Hash) : []
    frames.first(@frames).each do |frame|
      found << "\tat #{word(frame['class'])}.#{word(frame['method'])}(#{frame['line'].to_i if frame['line'].is_a?(Integer)})"
    end
    found << "\t... #{frames.size - @frames} more" if frames.size > @frames
    cause = thrown["causedBy"]
    thrown = cause.is_a?(Hash) && cause["exception"].is_a?(Hash) ? cause["exception"] : cause
  end
  found
end

test "an exception with a cause becomes the text that Java would have written" do
  parameters { {} }
  in_event do
    { "@metadata" => { "record" => { "exception" => {
      "exceptionType" => "a.B", "message" => "no", "frames" => [{ "class" => "a.C", "method" => "d", "line" => 7 }],
      "causedBy" => { "exception" => { "exceptionType" => "e.F", "message" => "deep", "frames" => [] } }
    } } } }
  end
  expect("type, message and trace") do |events|
    event = events.first
    event.get("[error][type]") == "a.B" && event.get("[error][message]") == "no" &&
      event.get("[error][stack_trace]") == "a.B: no\n\tat a.C.d(7)\nCaused by: e.F: deep"
  end
end
