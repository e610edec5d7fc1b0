# encoding: utf-8
# Says of a name whether what stands behind it is secret, personal or neither: by its words, however they are joined
# (clientSecret, client_secret, client-secret, kc.client.secret, CLIENT_SECRET).

def prepare_names
  # Secret wherever it stands within a name, also where words are not told apart.
  @secret_within = /passw(?:or)?d|passphrase|passcode|passwort|kennwort|contrase|motdepasse|wachtwoord|secret|token|assertion|credential|cookie|authorization|apikey|accesskey|privatekey|signingkey|encryptionkey|sharedkey|accountkey|samlre(?:sponse|quest)|codeverifier|(?:recovery|backup|scratch)(?:authn)?codes?|storepass|keypass/
  # Secret as a word of its own.
  @secret_words = %w[pass pwd pw psk otp totp hotp pin puk tan cvv cvc salt salts hash hashes jwt jws jwe sig signature bearer verifier ticket nonce
                     sid sessioncode usercode devicecode authreqid clientdata sessionstate logouttoken mfacode smscode signedrequest]
  # What is told of a secret, and is none.
  @about = %w[type types policy policies lifespan timeout endpoint url uri urls algorithm algorithms alg iterations enabled disabled length
              count counts size format provider providers factory name names expiration expires expiry expired in version digits period
              status action actions required file filename path location mode ttl issuer issuers audience exchange introspection exception exceptions error
              errors manager service services resource resources listener impl util utils builder validator processor executor config
              settings model entity representation store storage class event events attempts limit max min age rotation reuse revoked
              generator selector mapper mappers flow form page label method methods supported server host port realm scope scopes alias updated
              created date time at allowed encoding java kt js level strength history usage reset handler filter
              adapter endpoints parser verification cache caches grant grants index lookahead window initial kid rule rules code hashcode
              mechanism strategy profile feature features options property properties attribute attributes change permission permissions details jitter factor threshold interval delay ms seconds millis]
  @secret_codes = /(?:recovery|backup|scratch|verification|security|session|user|device|authz|authorization|mfa|otp|sms|pass)(?:authn)?codes?\z/
  @two_words = /(?:api|access|private|signing|encryption|shared|account|secret)key\z/
  @said_of = %w[value values string data text content plain is].to_h { |name| [name, true] }
  @personal_names = %w[
    user userid username loginname login loginhint logouthint email emails mail emailaddress mailaddress firstname lastname givenname familyname
    surname fullname middlename nickname displayname realname maidenname commonname birthname phone phonenumber telephone telephonenumber
    mobile mobilenumber mobilephone msisdn fax faxnumber homephone birthdate birthday birthplace dateofbirth dob placeofbirth street streetaddress
    postaladdress homeaddress homepostaladdress postalcode postcode zipcode locality identityprovideridentity identityproviderusername redirecturi
    samaccountname userprincipalname upn uniquename nameid uid cn sn gn dnqualifier serialnumber krbprincipalname principal principalname
    kerberosprincipal memberuid uniquemember employeenumber employeeid homedirectory initials pseudonym remoteuser authuser impersonator
    passport passportnumber ssn socialsecuritynumber taxid taxnumber iban nationalid personalnumber personnumber idcard sub formatted loginid userhandle
    logonname mailnickname proxyaddresses othermailbox gecos preferredusername emailaddr usermail mobileno phoneno
  ]
  @personal_names = @personal_names.to_h { |name| [name, true] }
  @secret_words = @secret_words.to_h { |name| [name, true] }
  @about = @about.to_h { |name| [name, true] }
  # Names that mean something only behind the `?` of an address.
  @query_names = %w[code state search q query filter key searchstring clientdata request requesturi relaystate ticket nonce
                    codechallenge sessionstate sessioncode idtokenhint logouthint sig signature subject name exactname idpuserid
                    xamzsignature xamzcredential xamzsecuritytoken kcactionparameter referer referrer redirect redirecturi returnurl returnto next
                    target continue].to_h { |name| [name, true] }
end

# The words of a name in lower case: `clientSecret2` gives client, secret.
def words(name)
  name.gsub(/([\p{Ll}\p{N}])(?=\p{Lu})/, '\1 ').gsub(/(\p{Lu})(?=\p{Lu}\p{Ll})/, '\1 ').downcase.split(/[^\p{L}]+/).reject(&:empty?)
end

# By number what X.500 calls people by: their name, number, telephone, address.
def kind_of_number(name)
  name.match?(/\A(?:OID\.)?(?:2\.5\.4\.(?:3|4|5|12|16|17|20|41|42|43|44|45|46|65)|1\.2\.840\.113549\.1\.9\.1|0\.9\.2342\.19200300\.100\.1\.[13])\z/i) ? :personal : nil
end

# As `kind_found`, remembered: a log has the same names again and again. Each thread remembers for itself.
def kind_of_name(name)
  known = (Thread.current[:keywatch_names] ||= {})
  return known[name] if known.key?(name)

  known.clear if known.size >= 2000
  name.length > 100 ? kind_found(name) : (known[name] = kind_found(name))
end

# :secret, :personal or nil; of two words, as in `first name: Ann`, the second says it, or both together.
def kind_found(name)
  return kind_of_number(name[/\S+\z/]) if name.match?(/\d\.\d+\z/)

  first, second = name.split(" ", 2)
  return kind_of_words(words(name)) if second.nil?

  parts = words(second)
  both = (words(first).last(1) + parts).join
  return :secret if both.match?(@secret_codes) || both.match?(@two_words)
  return :personal if @personal_names[both]

  kind_of_words(parts) || (@said_of[parts.join] ? kind_of_words(words(first)) : nil)
end

def kind_of_words(parts)
  last = parts.last
  return nil if last.nil?

  squashed = parts.join
  return :secret if squashed.match?(@secret_codes)
  return nil if squashed.end_with?("typehint")
  return nil if @about[last] && (2..4).none? { |number| @personal_names[parts.last(number).join] }
  return :secret if squashed.match?(@secret_within) && !(last == "id" && !%w[secret role].include?(parts[-2]))
  return :secret if parts.any? { |word| @secret_words[word] } || @secret_words[parts.last(2).join] || @secret_words[parts.last(3).join]
  # Many words with capitals are a class: ValidateX509CertificateUsername.
  return :personal if parts.length < 5 && (1..4).any? { |number| @personal_names[parts.last(number).join] }

  nil
end

def query_secret?(name)
  squashed = words(name).join
  @query_names[squashed] || !kind_of_name(name).nil?
end
