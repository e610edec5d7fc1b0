# encoding: utf-8
# What carries secrets in a form of its own: cookies, XML, addresses of pages with their queries, access logs, command lines.

def prepare_carriers
  # RFC 6265: pairs, joined by semicolons.
  cookie = "[\\w!#$%&'*+.^`|~-]++(?:=(?:\"[^\"\\n]*+(?:\"|$)|[^;\\s\"\\]})]*+))?"
  @cookies = /\b((?:set-)?cookie2?s?(?:\s*(?::|=>|->|=)\s*))(?!["'\[{\\]|\[removed\])#{cookie}(?:;[ ]*(?:#{cookie})?)*+/i
  @cookie_names = /(?<![\w-])(KEYCLOAK_(?:SESSION|IDENTITY|REMEMBER_ME|ADAPTER_STATE)\w{0,20}|KC_(?:RESTART|STATE_CHECKER|AUTH_\w{1,40})|AUTH_SESSION_ID\w{0,20}|OAuth_Token_Request_State|JSESSIONID|PHPSESSID)(\\{0,8}["']?\s*(?:=|:|=>|->)\s*|\s+(?=['"]))(\\{0,8})("[^"\n]*+(?:"|$)|'[^'\n]*+(?:'|$)|[^;,\s"'\]})]++)/
  @element = /<((?:[\w-]{1,40}:)?([\w.-]{1,80}))((?:\s[^<>]*+)?)>((?:<!\[CDATA\[.*?(?:\]\]>|\z)|[^<])*+)(?=<\/|\z)/m
  @saml = %w[nameid attributevalue subjectname x509subjectname x509certificate ciphervalue signaturevalue digestvalue].to_h { |name| [name, true] }
  @keyed = /(?<![\w-])(?:key|name|id|property|field)\s*=\s*["']([^"'<>]{1,100})["']/i
  @keyed_value = /(?<![\w-])((?:key|name|property|field)\s*=\s*["'])([^"'<>]{1,100})(["'][^<>]{0,200}?\bvalue\s*=\s*)("[^"]*+(?:"|\z)|'[^']*+(?:'|\z))/i
  @query = /([?&#])([\w.\[\]-]{1,80})=([^\s&#"'<>`]++)/
  @bare_query = /(?<![\w.-])(code|state|session_state|session_code|id_token_hint|key|client_data)=([^\s&;,"'<>)\]}]++)/i
  @user_info = /(\/\/)[^\s\/@"'<>]++@/
  @access = /^([^\s"]++ )([^\s"]++) ([^\n"\[]{1,100}?) (?=\[\d{1,2}\/[A-Z][a-z]{2}\/\d{4}:\d)/
  @option = /(?<![\w-])(--?[A-Za-z][\w.-]{0,80}|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)++)(\s+)(\\{0,8}"[^"\n]*+(?:"|$)|\\{0,8}'[^'\n]*+(?:'|$)|(?![-=:(|&\[<])[^\s"']++)/
  @login = /(?<![\w-])(-u|-U|--user|--proxy-user|--userpwd)([ =]?)(?:(["'])[^"'\n:]{1,100}:[^"'\n]{0,200}\3|[^\s:"']{1,100}:[^\s"']++)/
  @form = /(\bname="?)([\w.-]{1,80})("?\r?\n(?:[^\r\n]{1,200}\r?\n){0,3}\r?\n)([^\r\n]+)/
  # Tools with flags of their own for passwords.
  @tool = /\b(?:ldap(?:search|modify|add|whoami|passwd|delete|compare|modrdn)|sshpass|mysql\w{0,10}|mariadb\w{0,10}|redis-cli)[ ][^\n]*/
  @tool_flag = /([ ]-(?:w|p|a|y)[ ]?)(?!-)(\\{0,8}"[^"\n]*+(?:"|$)|'[^'\n]*+(?:'|$)|[^\s"']++)/
  @environment = /(\bname:[ \t]*["']?)([\w.-]{1,80})(["']?[ \t]*\r?\n[ \t]*value:[ \t]*)([^\n]+)/
end

def without_headers(text)
  text = text.gsub(@cookies) { "#{Regexp.last_match(1)}[removed]" } if text.match?(/cookie/i)
  text.gsub(@cookie_names) { "#{Regexp.last_match(1)}#{Regexp.last_match(2)}[removed]" }
end

def without_elements(text)
  return text unless text.include?("<")

  text = text.gsub(@element) do |whole|
    tag, local, attributes, inner = Regexp.last_match(1), Regexp.last_match(2), Regexp.last_match(3), Regexp.last_match(4)
    next whole if inner.strip.empty? || (Regexp.last_match.post_match.empty? && inner.match?(/\S\s+\S/)) || attributes.end_with?("/")

    named = attributes[@keyed, 1]
    hidden = @saml[local.downcase] || kind_of_name(local) || (named && kind_of_name(named))
    hidden && !inner.strip.match?(/\A(?:true|false|\h{8}-(?:\h{4}-){3}\h{12})\z/) ? "<#{tag}#{attributes}>[removed]" : whole
  end
  text.gsub(@keyed_value) do |whole|
    kind_of_name(Regexp.last_match(2)) ? "#{Regexp.last_match(1)}#{Regexp.last_match(2)}#{Regexp.last_match(3)}\"[removed]\"" : whole
  end
end

def without_queries(text)
  text = text.gsub(@access) { "#{Regexp.last_match(1)}#{anonymous(Regexp.last_match(2))} #{anonymous(Regexp.last_match(3))} " } if text.include?("[")
  text = text.gsub(@user_info, '\1[removed]@') if text.include?("@")
  return text unless text.include?("=")

  text = text.gsub(@query) do |whole|
    mark, name, value = Regexp.last_match(1), Regexp.last_match(2), Regexp.last_match(3)
    query_secret?(decoded_name(name)) && !value.match?(/\A(?:true|false|null|\[removed\])\z/) ? "#{mark}#{name}=[removed]" : whole
  end
  text.gsub(@bare_query) do |whole|
    # A state or code that is a plain word or a small number is none of OAuth's.
    Regexp.last_match(2).start_with?("[removed") || Regexp.last_match(2).match?(/\A(?:[A-Za-z_.]{1,32}|[\w.-]{1,7})\z/) && Regexp.last_match.post_match[0] != "&" ? whole : "#{Regexp.last_match(1)}=[removed]"
  end
end

def decoded_name(name)
  name.gsub(/[\[\]]/, "_")
end

def anonymous(user)
  user == "-" ? "-" : "[user]"
end

def without_options(text)
  text = text.gsub(@environment) do |whole|
    kind_of_name(Regexp.last_match(2)) ? "#{Regexp.last_match(1)}#{Regexp.last_match(2)}#{Regexp.last_match(3)}[removed]" : whole
  end
  text = text.gsub(@form) do |whole|
    kind_of_name(Regexp.last_match(2)) ? "#{Regexp.last_match(1)}#{Regexp.last_match(2)}#{Regexp.last_match(3)}[removed]" : whole
  end
  text = text.gsub(@tool) { |command| command.gsub(@tool_flag, '\1[removed]') }
  text = text.gsub(@login) { "#{Regexp.last_match(1)}#{Regexp.last_match(2)}[removed]" }
  text.gsub(@option) do |whole|
    name, space, value = Regexp.last_match(1), Regexp.last_match(2), Regexp.last_match(3)
    next whole if !name.start_with?("-") && value.match?(/\A[a-z]+[.,;:]?\z/)
    next whole if @sentence[value.downcase.sub(/[.,!?:]+\z/, "")] || value.match?(/\A\[removed\]|=/)

    kind = kind_of_name(name.delete_prefix("-"))
    kind ||= :secret if name.match?(/\A--?(?:store|key)?pass\z/)
    kind && (kind == :secret || name.start_with?("-") || value.match?(/\A["'\\]/)) ? "#{name}#{space}[removed]" : whole
  end
end
