# encoding: utf-8
# Takes out of a text what can be told to be secret or personal by its shape. Every step is linear in the text's length:
# repetitions are possessive, bounded, or consume what they looked at, so that no text keeps a worker busy.

def prepare_text
  @most_read = 65_536
  # Nothing that is known by its end alone, as an address of e-mail is, has more letters.
  @longest_half = 1024
  @ansi = /\e(?:\[[0-9;:?]{0,20}[ -\/]?[@-~]|\][^\a\e]{0,200}(?:\a|\e\\)|[@-Z\\^_])|(?:\\+(?:u001[bB]|x1[bB]|e|033)|\^\[)\[[0-9;]{0,20}[A-Za-z]/
  @unseen = /[\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFEFF\uFE00-\uFE0F\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/
  @alike = ["АВЕКМНОРСТХаеорсухіѕјԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανρ", "ABEKMHOPCTXaeopcyxisjdhqwABEZHIKMNOPTYXoavp"]
  @letters = /[\p{L}\p{M}\p{N}_.-]++/
  @mixed = /[A-Za-z][\p{Cyrillic}\p{Greek}]|[\p{Cyrillic}\p{Greek}][A-Za-z]/
  @escaped = /\\+u00(40|3[adAD]|26|27|3[ceCE])/
  @entity = /&(?:#(\d{2,5})|#[xX](\h{2,4})|(quot|apos|amp|lt|gt|commat));/
  @entities = { "quot" => '"', "apos" => "'", "amp" => "&", "lt" => "<", "gt" => ">", "commat" => "@" }
  @token = /[^\s"'<>|\[\]{}]++/
end

# Returns the text without what can be told, of at most `most` letters, and whether something was cut off.
# `versions`: four numbers with dots are taken for a version, whatever stands before them.
def scrubbed(value, most, versions: false)
  text = legible(value)
  cut = text.length > @most_read
  # What is cut off within a word could be a secret that no rule knows any more by its half.
  text = text[0, @most_read].sub(/\S{0,#{@longest_half}}\z/, "") if cut
  text = told(text, versions)
  text = text.gsub(@token) { |found| found.include?("%") ? decoded(found, versions) : found } if text.include?("%")
  [text[0, most], cut || text.length > most]
end

# What people see of a text: no colours, no letters of no width, no letters that only look like others.
def legible(value)
  text = value.scrub("?")
  text = text.gsub(@escaped) { Regexp.last_match(1).hex.chr } if text.include?("\\u00")
  text = text.gsub(@entity) { |found| entity(Regexp.last_match) || found } if text.include?("&")
  text = text.gsub(@ansi, "") if text.include?("\e") || text.include?("[")
  text = text.gsub(@unseen, "")
  return text if text.ascii_only?

  text = text.tr("\uFF01-\uFF5E\u00A0\u3000", "!-~  ")
  text.match?(@mixed) ? text.gsub(@letters) { |word| word.match?(@mixed) ? word.tr(*@alike) : word } : text
end

# Whether one of the words, in small letters, stands in the text: cheaper than any expression.
def any?(text, words)
  small = text.downcase
  words.any? { |word| small.include?(word) }
end

def entity(found)
  return @entities[found[3]] if found[3]

  number = found[1] ? found[1].to_i : found[2].hex
  number.chr if number.between?(32, 126)
end

def told(text, versions)
  text = without_federated(without_shapes(text))
  text = without_rows(without_codes(text))
  text = without_headers(text)
  text = without_elements(text)
  text = without_queries(text)
  text = without_pairs(text)
  text = without_options(text)
  text = without_sentences(text)
  text = without_people(text)
  without_addresses(text, versions)
end

# A word with percent-encoding in it is read as what it means; it stays as it is written where there is nothing to hide.
def decoded(found, versions)
  plain = found
  # Twice: what went through a proxy is often encoded twice.
  2.times { plain = plain.b.gsub(/%(\h\h)/n) { Regexp.last_match(1).hex.chr }.force_encoding("UTF-8").scrub("?") }
  return found if plain == found

  plain = legible(plain)
  kept = told(plain, versions)
  kept == plain ? found : kept
end
