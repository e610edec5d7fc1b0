# encoding: utf-8
# People in running text: sentences about a user, names before addresses of e-mail, paths of homes, telephone numbers.

def prepare_people
  closers = { "'" => "'", '"' => '"', "`" => "`", "[" => "\\]", "<" => ">", "«" => "»", "‘" => "’", "“" => "”", "(" => "\\)" }
  quoted = closers.map { |open, close| "#{Regexp.escape(open)}(?>(?:(?!#{close}(?![\\p{L}\\p{N}]))[^\\n]){1,200})#{close}" }.first(8).join("|")
  who = "users?|user[ -]?names?|accounts?|principals?|log[io]ns?|persons?|employees?|customers?|subjects?|e-?mails?(?: address(?:es)?)?|" \
        "phone(?: number)?|mobile(?: number)?|first ?name|last ?name|family ?name|full ?name|display ?name|nick ?name|dn|entry dn|bind dn"
  secret = "pass ?(?:word|phrase|code)s?|passwd|pwd|secrets?|(?:access |refresh |id |bearer |offline |session |api |auth )?tokens?|pins?|otps?|totps?|(?:api|access|secret|private) keys?|" \
           "(?:verification|security|recovery|backup|one[- ]time|otp|totp|mfa|login|confirmation|authorization|sms|tan) codes?|credentials?|cookies?|assertions?"
  @about_user = /\b(#{who})((?: (?:with|named|called|having|of|by|for|id|name|username|e-?mail|is|was|are|=)){0,3}\s+)(#{quoted})/i
  @about_secret = /\b(#{secret})(\s+(?:(?:value|is|was|are|equals|set to|changed to|reset to|now)\s+)?)(#{quoted})/i
  @said_secret = /\b(#{secret})(\s+(?:is|was|are|equals|set to|changed to|reset to|now)(?:\s+now)?\s+)([^\s,;"'()\[\]{}<>]++)/i
  @secret_hints = %w[pass pwd secret token pin otp code credential cookie assertion jwt ticket nonce mfa sms]
  @secret_hints += [" key", "tan ", "2fa"]
  @people_hints = %w[user account principal login logon person employee customer subject mail  phone mobile birth credential authentication password otp]
  @people_hints += [" name", "dn "]
  # Behind `token` what no word of a language looks like; behind `OTP code` a number.
  @opaque = /\b(#{secret}|jwt|ticket|nonce)(\s+)((?>[^\s,;"'()\[\]{}<>]{6,}))/i
  @one_time = /\b((?:otp|totp|hotp|mfa|2fa|tan|pin|sms|one[- ]time|verification|security|confirmation|recovery|login|auth(?:entication)?)(?:[ -](?:code|password|passcode|token|pin|number))?s?(?:\s+(?:is|was|=|:|of))?\s*[:=#]?\s*)(\d{4,10})(?![\d.])/i
  @codes = /\b((?i:recovery|backup|scratch)(?:[ _-]?(?i:authn))?[ _-]?(?i:codes?)\b[^\w\n]{1,6})((?>[A-Z0-9][A-Z0-9-]{4,40}(?:[,;\s|"'\]]{1,4}[A-Z0-9][A-Z0-9-]{4,40})*))/
  behind = "is|was|were|has|had|have|does|did|do|not|could|couldn't|can|cannot|can't|isn't|wasn't|doesn't|didn't|already|logged|logs|logging|failed|fails|tried|attempted|exceeded|exists|locked|disabled|enabled|" \
           "in|from|with|for|at|on|by|to|of|will|must|should|may|might|would|authenticated|registered|created|deleted|updated|removed|added|imported|requested|denied|unknown|" \
           "joined|left|found|exists|missing|changed|reset|verified|and|or|as|because|due|via|after|before|when|while|during|successfully|synced|synchronized|linked|unlinked|accepted|declined|granted|revoked|signed|belongs"
  @plain_user = /\b(users?|usernames?|accounts?|principals?|employees?|persons?)((?: (?:named|called|(?:with )?(?:the )?(?:user ?)?(?:name|id)))?:?\s+)((?>\p{L}[\p{L}\p{N}_@+\\\/-]{0,80}(?:[.][\p{L}\p{N}_@+\\\/-]{1,80}){0,5}|\d[\p{L}\p{N}_@+-]{1,80}))(?=\s+(?:#{behind})\b|\s*\(|[.!:;,]*+(?:\s*\z|\s*\n)|[.!:;,]++\s)/iu
  # Invalid credentials for ann, login failure for 'ann'
  @for_user = /\b((?:credentials?|log[io]n(?:s|[ -]attempts?)?|authentication|passwords?|otp|totp|principal)(?:\s+(?:failed|failures?|denied|rejected|attempts?|validation|check|reset|update|expired|changed|successful|succeeded|error))?\s+(?:for|by)\s+)(["'\[]?)(\p{L}(?>[\p{L}\p{N}_@+\\-]{0,80}(?:\.[\p{L}\p{N}_@+-]{1,80}){0,5}))\2?(?=\]|\s|[.,;:]|\z)/iu
  @greeting = /\b(Hello|Hallo|Dear|Hi|Bonjour|Guten Tag)((?:[ ]\p{Lu}[\p{L}\p{M}.'’-]{0,40}){1,4})(?=[,!\n])/u
  @birth = /\b((?:date|place|country) of birth\b\s*[:=]?\s*)([^\s,;)\]}]+)/i
  @your_code = /\b((?:your|the|this|one-time) (?:\p{L}{1,20} ){0,2}(?:code|pin|password) (?:is|was):?\s+)(\d{4,10})(?!\d)/i
  # As Java writes a principal.
  @principal = /\b(\w{0,60}(?:Principal|UserName|Username))([\[(])([^\])=]{1,200})([\])])/
  # What stands behind `user` and is nobody.
  @nobody = %w[claim claims clicks able needs wants tries session sessions profile profiles federation storage attribute attributes account accounts agent agents info information event events
               role roles group groups model models cache caches consent consents id ids name names manager provider providers registration registrations
               authentication authenticator credential credentials data database db details entity entities management metadata count counts creation
               deletion update updates lookup lookups query queries search import export sync synchronization synchronisation mapper mappers mapping
               mappings policy policies permission permissions membership memberships request requests response interface input
               code codes console portal login logins logout logouts password passwords email emails exception exceptions error errors
               action actions state status type types setup settings setting service services resource resources endpoint endpoints token tokens
               property properties representation representations table tables tasks task object objects record records reference field fields
               form forms flow flows context contexts client clients realm realms tree principal principals initiated managed defined specified specific
               based base friendly level locale link links linking impersonation lockout label linked local only own enabled disabled existence verification
               validation validator feature features flag flags adapter adapters bean beans class classes component components config configuration
               connection connections dao document documents filter filters handler handlers index key keys limit limits list lists listener listeners
               lock locks message messages method methods mode module modules number numbers operation operations option options organization
               organizations page pages param parameter parameters path paths process processes reset result results scope scopes
               security selection set sets size source sources store stores string strings template templates thread threads time times timeout
               transaction transactions url urls uri uris value values version versions view views workflow workflows removal revocation
               revoke grant grants transport presence operator application app device devices binding bindings creds identity identities
               interaction experience side space home directory directories dir file files folder ldap kerberos keycloak admin admins administrator
               administrators root guest anonymous system everyone nobody null undefined none unknown invalid empty missing found
               tenant console-ui theme themes step steps brokering broker data-source objectclass dn dns cn offline online user users username usernames particular supplied jks pkcs12 pem bcfks keystore truststore every any all each some both such other another existing this that]
             .to_h { |word| [word, true] }
  # How a secret or a user is, and not which.
  @adjectives = %w[too blank null optional mandatory necessary needed correct bad weak strong short long old new same different blacklisted blocked
                   temporary permanent active inactive revoked malformed empty outdated stale deprecated duplicate ambiguous available unavailable
                   supported secure insecure encrypted hashed signed unsigned verified unverified accepted ready pending stored read written
                   generated loaded reloaded cached sent used reused unused configured parsed encoded decoded masked hidden confirmed ok
                   impossible possible allowed forbidden protected public private confidential bearer-only legacy default first last next
                   authenticated unauthenticated authorized unauthorized recognized unrecognized trusted untrusted linked unlinked member
                   being going about ending starting reached exceeded over under only still no-longer disabled enabled read-only
                   corrupted compromised leaked rotated refreshed issued returned ignored skipped defined undefined specified unspecified
                   shorter longer older newer larger smaller equal like part from of based bound limited unlimited renewed
                   invalidated consumed replayed processed validated checked matched mismatched].to_h { |word| [word, true] }
  @federated = /(?<![A-Za-z0-9])(f(?::|%(?:25)?3[aA])[\w.-]{1,64}(?::|%(?:25)?3[aA]))([^\s\/,;"'\]})&?#<>|]++)((?>(?: [\p{L}\p{N}.'’_-]{1,40}){1,3})(?=[,;"\]})]|'(?!\p{L})|\s*\z|\s*\n))?/
  local = "[\\p{L}\\p{N}._%+'=~!#$*{|}^-]"
  @display = /(?:\\{0,8}"[^"\n<>]{1,120}"|'[^'\n<>]{1,120}'|=\?[\w-]{1,30}\?[bqBQ]\?[^\s?]{1,200}\?=|(?:(?<![\p{L}])\p{Lu}[\p{L}\p{M}.'’-]{0,40}[ ]){1,5})[ ]*(<[^<>\s@]{1,128}(?:@|%40)[^<>\s]{1,253}>)/u
  @email = /(?<![\p{L}\p{N}._%+'-])[\p{L}\p{N}._%+'-]++(?:@|%(?:25)?40)(?:[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+|localhost\b|[A-Z][A-Z0-9-]+(?![\w.]))/u
  @quoted_local = /"[^"\n@]{1,64}"@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/u
  @bracket_email = /(?<![\p{L}\p{N}._%+'-])[\p{L}\p{N}._%+'-]++@\[[\h.:IPv]{3,50}\]/u
  @phone = /(?<![\w+.])(?:\+|00(?=[1-9]))\d(?:[ ()\/.-]{0,2}\d){7,14}(?!\w)|(?<=tel:)\+?[\d().-]{5,20}/
  @homes = /(?<![\w.])((?:\/home\/|\/Users\/|[A-Za-z]:\\{1,8}Users\\{1,8}|\/var\/mail\/))([^\s\/\\"':;,<>|]{1,64})/
  @resources = /(\/users\/|\Ausers\/|\/Users\/)([^\s\/?#"'<>&;,\]})]{1,255})/
  @resources_kept = /\A(?:profile|count|search|metadata|me|bulk|\{[\w-]{1,40}\}|\h{8}-(?:\h{4}-){3}\h{12}|\h{32}|f(?::|%3A).*|\[\w+\])\z/i
end

def without_codes(text)
  text.gsub(@codes) { "#{Regexp.last_match(1)}[removed]" }
end

def without_sentences(text)
  text = without_said_secrets(text) if any?(text, @secret_hints)
  text = without_said_people(text) if any?(text, @people_hints)
  text.gsub(@greeting, '\1 [user]')
end

def without_said_secrets(text)
  text = text.gsub(@about_secret) { |whole| hidden(Regexp.last_match, whole) }
  text = text.gsub(@said_secret) { |whole| sentence?(Regexp.last_match(3)) ? whole : "#{Regexp.last_match(1)}#{Regexp.last_match(2)}[removed]" }
  text = text.gsub(@one_time) { "#{Regexp.last_match(1)}[removed]" }
  text = text.gsub(@your_code, '\1[removed]')
  text.gsub(@opaque) { |whole| opaque?(Regexp.last_match(3)) ? "#{Regexp.last_match(1)}#{Regexp.last_match(2)}[removed]" : whole }
end

def without_said_people(text)
  text = text.gsub(@about_user) { |whole| hidden(Regexp.last_match, whole) }
  text = text.gsub(@birth, '\1[removed]').gsub(@principal, '\1\2[removed]\4')
  text = text.gsub(@for_user) { |whole| somebody?(Regexp.last_match(3)) && !Regexp.last_match(3).match?(/\A[a-z]+ing\z/) ? "#{Regexp.last_match(1)}[user]" : whole }
  text.gsub(@plain_user) { |whole| somebody?(Regexp.last_match(3)) ? "#{Regexp.last_match(1)}#{Regexp.last_match(2)}[user]" : whole }
end

def hidden(found, whole)
  inner = found[3][1...-1].strip
  return whole if inner.empty? || inner.include?("=") || inner.include?("[removed") || id?(inner) || inner.match?(/\A(?:\[?\w+\]?|true|false|null|%s|\{\d?\}|f:[\w.-]+:\h{32}|\$\{[\w.-]+\})\z/) && !inner.match?(/\A\w+\z/)
  return whole if inner.match?(/\A(?:true|false|null|removed|user|email)\z/)

  open = found[3][0]
  open == "[" ? "#{found[1]}#{found[2]}[removed]" : "#{found[1]}#{found[2]}#{open}[removed]#{found[3][-1]}"
end

def sentence?(word)
  plain = word.downcase.sub(/[.!?:]+\z/, "")
  @sentence[plain] || @adjectives[plain] || plain.match?(/\A[a-z]{2,}ly\z/) || word.start_with?("[") || word.match?(/\A%[\w$]+\z|\A\{\d?\}\z/)
end

# Whether it looks like no word: letters and digits mixed, or signs that words do not have.
def opaque?(word)
  plain = word.sub(/[.!?:]+\z/, "")
  plain.match?(/\d/) && plain.match?(/\p{L}|[\/+=_-]/) && !plain.match?(/\A(?:\h{8}-(?:\h{4}-){3}\h{12}|[\w.-]+\.(?:java|kt|js|json|properties|conf|ya?ml|xml|jar)|v?\d+(?:\.\d+)+[\w.-]*|[A-Z]{2,12}-?\d{2,6}|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?)\z/)
end

def somebody?(word)
  plain = word.downcase.sub(/[.!?:,]+\z/, "")
  return false if @nobody[plain] || @sentence[plain] || @adjectives[plain] || @nobody[plain.sub(/\A.*[-_\/]/, "")]

  !word.match?(/\A(?:\h{8}-(?:\h{4}-){3}\h{12}|(?:[a-z]\w*\.)+[A-Z][\w$.]*|[A-Z]\w*(?:Exception|Provider|Error|Model|Entity|Manager|Factory|Impl)|[a-z]+[A-Z]\w*|\d{1,6}|v?\d+(?:\.\d+)+|[A-Z]+(?:_[A-Z0-9]+)+)[.!?:,]?\z/)
end

def without_federated(text)
  text.gsub(@federated) do
    store, name, more = Regexp.last_match(1), Regexp.last_match(2), Regexp.last_match(3)
    sentence = more && more.split.any? { |word| @sentence[word.downcase] }
    sentence ? masked(store, name) + more : masked(store, "#{name}#{more}")
  end
end

def without_people(text)
  if text.include?("@") || text.include?("%40") || text.include?("%2540")
    text = text.gsub(@display) { Regexp.last_match(1) }
    text = text.gsub(@quoted_local, "[email]").gsub(@email, "[email]").gsub(@bracket_email, "[email]")
  end
  text = text.gsub(@homes) { "#{Regexp.last_match(1)}[user]" } if text.match?(/home|users|mail/i)
  text = text.gsub(@resources) { |whole| Regexp.last_match(2).match?(@resources_kept) ? whole : "#{Regexp.last_match(1)}#{masked('', Regexp.last_match(2))}" } if text.match?(/users\//i)
  text.gsub(@phone, "[phone]")
end
