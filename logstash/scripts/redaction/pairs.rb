# encoding: utf-8
# What stands behind a name: name=value, name: value, JSON, YAML, Java's toString, LDAP names and filters.

require "strscan"

def prepare_pairs
  # A name, with the word before it: `first name: Ann`. Each word is taken whole, so a long one is looked at once.
  @pair = /(?<![\p{L}\p{N}_.$@-])((?<!\\)\\{0,8}["'`])?[-.$@]*+((?>(?:[A-Za-z][\w-]*[ ])?[\p{L}\p{N}_][\p{L}\p{N}_.$@-]*+))(\\{0,8}["'`])?(\]?[ \t]*(?:=>|->|[~<>:]=|==?|:(?::(?=\s))?)[ \t]*)/
  @block = /[|>][+-]?\d?[ \t]*\r?\n(?:[ \t]+[^\n]*(?:\n|\z)|[ \t]*\r?\n)*/
  @list = /(?:\r?\n[ \t]*-[ \t]+[^\n]*)+/
  @below = /\r?\n[ \t]+(?!at |\.\.\.|Caused|[\w.-]{1,80}[ ]*[:=]|["'][\w.-]{1,80}["'][ ]*:)/
  @nothing = /(?:(?:bearer|basic|dpop|negotiate|digest)(?=["',;\])}])|(?:bearer|basic|dpop|negotiate|digest|ntlm|hmac|aws4-hmac-sha256)[ ]\[removed\]|true|false|null|nil|none|undefined|n\/a|yes|no|-|\*+|\[(?:removed|email|key|jwt|token|hash|base64|phone|iban|ip|user)\]|\$\{[\w.:-]{0,100}\}|%s|%\d\$s|\{\d?\}|\?|""|''|\\"\\"|\[\s*\]|\{\s*\})(?![\w@.$+-])/i
  @identity = /\\{0,8}["']?(?:\h{8}-?(?:\h{4}-?){3}\h{12}|f(?::|%3[aA])[\w.-]{1,64}(?::|%3[aA])\h{32})(?![\w-])/
  # A word that begins or goes on with a sentence, and no value.
  @sentence = %w[is are was were be been has had have having not no does did do can cannot could failed fails fail failure for from to in into on at by with
                 without of and or but because as if already exists exist found missing invalid valid while when during after before the a an this that these
                 via using expired locked disabled enabled will must should may might shall tried attempted trying logged unable error expected always never security sts authenticate configuration ignored
                 ignoring skipping skipped unknown unsupported required requires successful successfully succeeded denied rejected refused granted allowed
                 removed deleted created updated added changed set unset received sent given provided present absent empty incorrect wrong correct
                 mismatch doesn't don't isn't can't won't it its it's there then than so due which who whose where either neither only
                 also still again too more less than until since between within about against under over per class interface java]
                .to_h { |word| [word, true] }
  @word = /(?:\\[^\s"']|(?!\/[A-Za-z][A-Za-z.0-9]{0,20}=)[^\s,;&"'`()\[\]{}<>\\])++/
  # A secret may have in it what ends other values, where nothing else can be meant.
  @secret = /(?:[^\s,;&"'`)\]}<>]|["'`](?=[^\s,;&"'`)\]}])|[,;&](?=[^\s,;&="'()\[\]{}]{1,64}(?:\s|\z)))++/
  @object = /(?:[a-z]\w{0,60}\.){0,12}[A-Z][\w$]{1,80}(?=[\[{(])/
  # Beside these a `name` is a person's.
  @claims = /["'](?:sub|preferred_username|given_name|family_name|email|upn|unique_name|username|nickname)\\{0,8}["']\s*:|\b(?:preferred_username|given_name|family_name|email)=/
  @containers = /(?:user|principal|credentials?|token|assertion)\z/i
  # Behind `Zed Wick` of `firstName=Zed Wick, lastName=…`: what ends a value that has spaces in it.
  @ends = /["']|[ \t]*+(?:[,;\]})<|&]|\r?\n|\z|[A-Za-z_][\w.-]{0,60}[ \t]*=|[\/+][A-Za-z][A-Za-z.0-9]{0,20}=)/
  @more = /[ \t]+(?![A-Z][A-Z0-9]*_)([\p{L}\p{N}.'’+][\p{L}\p{M}\p{N}.'’_-]{0,60})/
  @nested = /[\[{(][^\[\]{}()]{0,200}?[\p{L}_][\w.-]{0,80}["']?[ ]*[=:]/
end

def without_pairs(text)
  return text unless text.match?(/[=:>]/)

  claims = text.match?(@claims)
  scanner = StringScanner.new(text)
  kept = +""
  while (passed = scanner.scan_until(@pair))
    kept << passed
    name, quoted, separator = scanner[2], !scanner[1].nil? && !scanner[3].nil?, scanner[4]
    kind = quoted && name == "value" ? :secret : kind_of_name(name)
    kind ||= :personal if claims && name == "name" && (quoted || separator.include?("="))
    kept << value(scanner, kind, name, quoted ? "\"" : separator) if kind
  end
  kept << scanner.rest
end

# What stays of the value that the scanner stands before; it stands behind it afterwards, or before what is looked into.
def value(scanner, kind, name, separator)
  lead = lines(scanner, separator)
  return lead[1] if lead[0] == :done

  lead = lead[1]
  if (plain = scanner.scan(@nothing)) || (kind == :personal && (plain = scanner.scan(@identity)))
    lead + plain
  elsif (quote = scanner.scan(/\\{0,8}["'`]/))
    lead + quote + text_in(scanner, quote)
  elsif (opening = scanner.check(/[\[{(]/) || (name.match?(@containers) && scanner.check(@object)))
    lead + bracket(scanner, kind, opening)
  elsif kind == :personal && scanner.check(/[A-Za-z][\w.]{0,30}=[^=]|\/[A-Za-z][\w.]{0,20}=/)
    lead # a name of a directory, looked into
  else
    lead + unquoted(scanner, kind, name, separator)
  end
end

# What stands between a name and its value, and whether that was all: JSON and YAML go on below.
def lines(scanner, separator)
  return [:go_on, scanner.scan(/\s*/)] if separator == "\""
  return [:go_on, ""] unless separator.include?(":")
  return [:done, "[removed]\n"] if scanner.scan(@block)
  return [:done, "\n- [removed]"] if scanner.scan(@list)

  below = scanner.scan(@below)
  below || !scanner.check(/\s/) ? [:go_on, below || ""] : [:done, ""]
end

def text_in(scanner, quote)
  inner = if quote.length > 1 then scanner.scan(/.*?(?<!\\)#{Regexp.escape(quote)}/m)
          elsif quote == "'" then scanner.scan(/(?:[^'\\]|\\.|'(?=[\p{L}\p{N}]))*+'/m)
          else scanner.scan(/(?:[^#{quote}\\]|\\.)*+#{quote}/m)
          end
  return inner if inner&.match?(/\A(?:true|false|null|\*+|\d)?\\{0,8}["'`]\z/)

  scanner.terminate if inner.nil?
  "[removed]#{inner.nil? ? '' : quote}"
end

def bracket(scanner, kind, opening)
  start = scanner.pos
  scanner.pos += opening.bytesize unless opening.length == 1 && "[{(".include?(opening)
  class_name = scanner.string.byteslice(start, scanner.pos - start)
  return class_name if kind == :personal && scanner.check(@nested)

  balanced(scanner)
  "#{class_name}[removed]"
end

# Moves behind the bracket that closes the one that the scanner stands before; where none does, to the end.
def balanced(scanner)
  depth = 0
  while scanner.skip_until(/[\[\]{}()]/)
    depth += "[{(".include?(scanner.matched) ? 1 : -1
    break if depth.zero?
  end
  scanner.terminate if depth.positive?
end

def sentence_follows?(scanner)
  scanner.check(/[ ]([a-z]{3,})[ ][a-z]{2,}/) && !@sentence[scanner[1]]
end

def unquoted(scanner, kind, name, separator)
  word = scanner.scan(kind == :secret ? @secret : @word)
  return "" if word.nil?
  return word if separator.match?(/:(?!=)/) && @sentence[word.downcase.sub(/[.!?]+\z/, "")]

  # Optional[ann]
  balanced(scanner) if scanner.check(/[\[({]/)
  # `Invalid token: signature check failed` goes on with a sentence.
  return word if kind == :secret && separator.include?(":") && word.match?(/\A[a-z]{3,}\z/) && sentence_follows?(scanner)

  # Quux, Zed (IT): in names of directories.
  scanner.skip(/(?:[ \t]+[\p{L}\p{N}.'’_-]{1,60}){0,4}[ \t]+\([^()\n]{1,60}\)(?=[,\]'"]|\z)/) if name.match?(/\Acn\z/i)
  behind = scanner.pos
  5.times do
    return "[removed]" if scanner.match?(@ends)

    more = scanner.scan(@more)
    break if more.nil? || @sentence[scanner[1].downcase.sub(/[.!?]+\z/, "")]
  end
  scanner.pos = behind unless scanner.match?(@ends)
  "[removed]"
end
