# encoding: utf-8
# Secrets that are known by their own shape, whatever stands before them: keys, tokens of well-known issuers, hashes of
# passwords, account numbers.

def prepare_shapes
  tokens = [
    "gh[opusr]_[A-Za-z0-9]{16,}", "github_pat_\\w{16,}", "gl(?:pat|dt|rt|ptt|soat|cbt|ft|oas)-[\\w-]{16,}", "(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{12,}",
    "xox[abeoprs]-[\\w-]{6,}", "xapp-[\\w-]{6,}", "[srp]k_(?:live|test)_\\w{8,}", "whsec_\\w{8,}", "sk-[\\w-]{20,}", "AIza[\\w-]{30,}", "ya29\\.[\\w-]{6,}",
    "1\\/\\/0[\\w-]{6,}", "GOCSPX-[\\w-]{12,}", "npm_[A-Za-z0-9]{20,}", "pypi-[\\w-]{16,}", "do[opr]_v1_\\h{16,}", "shp(?:at|ca|pa|ss)_\\h{16,}",
    "SG\\.[\\w-]{10,}\\.[\\w-]{10,}", "hv[sbr]\\.[\\w-]{16,}", "hf_[A-Za-z0-9]{20,}", "ATATT3x[\\w=-]{16,}", "ATCTT3x[\\w=-]{16,}", "dckr_pat_[\\w-]{16,}",
    "NRAK-[A-Z0-9]{16,}", "glsa_\\w{16,}", "lin_api_\\w{16,}", "sq0(?:atp|csp)-[\\w-]{12,}", "EAA[A-Za-z0-9]{30,}", "AGE-SECRET-KEY-1[A-Z0-9]{20,}",
    "\\d{8,10}:AA[\\w-]{30,}", "key-\\h{32}", "PMAK-[\\h-]{20,}", "tskey-[\\w-]{12,}", "(?:ST|TGT|PGT|PT)-\\d+-[\\w.-]{16,}"
  ]
  hashes = [
    "\\$(?:2[abxy]|argon2(?:id|i|d)|pbkdf2[\\w-]*|scrypt|[1-7y]|sha\\d|md5|apr1|7)\\$[\\w.,=+\\/$-]{8,}",
    "\\{(?:S?SHA\\d*|S?MD5|CRYPT|PBKDF2[\\w-]*|ARGON2\\w*|BCRYPT|SCRYPT|NTLM?)\\}[\\w.+\\/=$-]{4,}", "pbkdf2_sha\\d+\\$[\\w+\\/=$-]{8,}",
    "SCRAM-SHA-(?:1|256|512)\\$[\\w+\\/=$:-]{8,}"
  ]
  @shapes = [
    [/-----BEGIN [A-Z0-9 ]{1,40}-----(?:(?!-----BEGIN ).)*?(?:-----END [A-Z0-9 ]{1,40}-----|\z)/m, "[key]"],
    [/(?<![A-Za-z0-9])(?>eyJ[\w+\/-]{8,}=*)(?:\.[\w-]*+)*+/, "[jwt]"],
    [/(?<![A-Za-z0-9_])(?=[A-Z0-9a-z]{1,20}[_.\/:-][\w\/-]{4}|AIza|EAA|[APN][A-Z0-9-]{10})(?:#{tokens.join('|')})/, "[token]"],
    [/(?<![A-Za-z0-9$])(?:#{hashes.join('|')})/, "[hash]"],
    # Certificates, keys and SAML in base64.
    [/(?<![A-Za-z0-9+\/])(?:MI[IGHM]|PHNhbWxw|PD94bWwg|PHNhbWwy|PG5zM)(?>[A-Za-z0-9+\/]{32,})=*/, "[base64]"],
    [/(hooks\.slack\.com\/(?:services|workflows)\/|api\.telegram\.org\/bot|discord(?:app)?\.com\/api\/webhooks\/)[^\s"'<>]+/, '\1[removed]'],
    [/(otpauth:\/\/\w{1,10}\/)[^?\s"'<>]+/i, '\1[removed]'],
    [/(?<![\d-])(?:\d{4}[ -]){3}\d{4}(?![\d-])/, proc { |found| luhn?(found[0].delete(" -")) ? "[card]" : found[0] }],
    [/\b(authorization|proxy-authorization)(\\*["']?\s*(?:[:=]|=>|->)\s*\\*["'\[]?)(?!(?:bearer|basic|dpop|negotiate|digest)(?=["',;\])}]|\z))(?:(aws4-hmac-sha256)\s+[^\n"'\]]+|([A-Za-z][\w-]{1,30})(\s+)[^\s,;"'\]})]+|[^\s,;"'\]})]+)/i,
     proc { |found| "#{found[1]}#{found[2]}#{found[3] || found[4]}#{' ' if found[3] || found[4]}[removed]" }],
    [/\b(bearer|basic|dpop|negotiate|digest|ntlm|hmac)(\s+)(?![a-z]+=\\{0,8}["']|\[)((?>[\w.~+\/=:-]{4,}))/i,
     proc { |found| scheme?(found[3]) || (found[1].match?(/basic/i) && found[3].match?(/\A[A-Z]?[a-z]+\z/)) ? found[0] : "#{found[1]}#{found[2]}[removed]" }]
  ]
  # What else stands behind the name of a scheme.
  @schemes = %w[auth authentication authenticator authenticators authorization token tokens access_token id_token access only realm credentials credential
                scheme schemes format header headers challenge challenges flow profile type types grant assertion method methods mode user users client clients
                request requests response support algorithm algorithms value values function size proof proofs security settings info
                information setup configuration config example usage check checks validation verification features feature string constraint
                constraints operations types-only mapper keys attributes attribute rules].to_h { |word| [word, true] }
  @iban = /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/
end

def without_shapes(text)
  @shapes.each do |pattern, put|
    text = put.is_a?(Proc) ? text.gsub(pattern) { put.call(Regexp.last_match) } : text.gsub(pattern, put)
  end
  text.gsub(@iban) { |found| iban?(found.delete(" ")) ? "[iban]" : found }
end

def scheme?(word)
  plain = word.downcase.sub(/[.:]+\z/, "")
  @schemes[plain] || @sentence[plain] || @adjectives[plain]
end

# Whether the last digit of a card's number is the one that the others call for.
def luhn?(digits)
  digits.reverse.chars.each_with_index.sum { |digit, at| at.even? ? digit.to_i : (digit.to_i * 2).divmod(10).sum } % 10 == 0
end

# Whether its check digits are right.
def iban?(text)
  text.length.between?(15, 34) && (text[4..] + text[0, 4]).gsub(/[A-Z]/) { |letter| (letter.ord - 55).to_s }.to_i % 97 == 1
end
