# encoding: utf-8
# What databases quote of a row: keys that exist already, rows that fail, values that do not convert, values in statements.

def prepare_rows
  @statement = /\b(?:insert\s+into|merge\s+into|replace\s+into|delete\s+from|update\s+[\w."`\[\]]{1,100}\s+set|select\s[^\n']{0,300}?\sfrom|values\s*\(|where\s+[\w."`]{1,80}\s*(?:=|like|in)\s*\(?\s*')/i
  @literal = /[NE]?'(?:[^']|'')*+(?:'|\z)/
  @rows = [
    # PostgreSQL, CockroachDB, in whatever language: Key (realm_id, username)=(…, …) already exists.
    [/((?:\bkey |[«»"„“] ?)\([^\n=]{1,300}?\)\s*=\s*\()(.*?)(\)(?=\s*[«»"“”.,;']|\s+\p{L}|\s*(?:$|\z))|$|\z)/iu, :list],
    [/(\bfailing row contains \()(.*?)(\)(?=[.,;"']?\s*(?:$|\z)|\.)|$|\z)/i, :list],
    [/(\bcolumn values \()(.*?)(\)(?= already exists|[.,;"']?\s*(?:$|\z))|$|\z)/i, :columns],
    # MySQL, MariaDB
    [/(\b(?:duplicate entry|doppelter eintrag|duplicata du champ|entrada duplicada|valore duplicato) ')(.*?)('(?= (?:for|für|pour|para|per)\b)|$|\z)/iu, :whole],
    [/(\b(?:incorrect|truncated incorrect|invalid|bad) [\w() ]{1,40}value: ')(.*?)('(?= for (?:column|function))|'\s*(?:$|\z)|$|\z)/i, :whole],
    # SQL Server
    [/(\bduplicate key value is \()(.*?)(\)(?=[.,;"']?\s*(?:$|\z)|\.)|$|\z)/i, :list],
    [/(\b(?:truncated value: |converting the \w{1,30} value )')(.*?)('(?=\.| to data type)|$|\z)/i, :whole],
    # H2, HSQLDB, Derby
    [/(\bvalues \( ?\/\*)(.*?)(\)\s*"|$|\z)/i, :whole],
    [/(\bvalue too long for column [^\n:]{1,200}: ")(.*?)("(?= ?\()|"\s*(?:;|$|\z)|$|\z)/i, :whole],
    [/(\bdata conversion error converting ")(.*?)("(?=;|\s*(?:$|\z))|$|\z)/i, :whole],
    [/(\binvalid (?:input )?(?:syntax|value|text representation)[^\n:"]{0,80}: ")(.*?)("(?=\s*(?:$|\z|[.,;]))|$|\z)/i, :whole],
    [/(\b(?:out of range|invalid byte sequence)[^\n:"]{0,80}: ")(.*?)("|$|\z)/i, :whole],
    # Hibernate and drivers: binding parameter (1:VARCHAR) <- [zed], as [VARCHAR] - [zed], -> [zed]
    [/(\b(?:binding parameter|extracted value)\b[^\n]{0,120}?(?:<-|->|\bas\b[^\n]{0,40}?-| - )\s*\[)(.*?)(\](?=\s*(?:$|\z))|$|\z)/i, :whole],
    [/(\b(?:bind(?:ing)? (?:value|variable|param(?:eter)?)s?|param(?:eter)?s?|bindings)\s*[:=]?\s*\[)(.*?)(\](?=\s*(?:[;,)}]|$|\z))|$|\z)/i, :statement],
    [/((?:^|[ ,(])\$\d{1,3} = ')((?:[^'\n]|'')*+)('|$|\z)/, :whole]
  ]
  @row_words = [")=(", ") = (", "row contains", "column values", "duplic", "doppelter", "incorrect", "truncated", "converting", "values", "too long",
                "invalid", "out of range", "bind", "param", "extracted val", "$1"]
end

def without_rows(text)
  if any?(text, @row_words)
    statement = text.match?(/\b(?:select|insert|update|delete|sql|statement|jdbc|bind)\b/i)
    @rows.each { |pattern, how| text = text.gsub(pattern) { row(Regexp.last_match, how) } if how != :statement || statement }
  end
  return text unless text.include?("'") && text.match?(@statement)

  # Of a statement its literals, up to the end of its line.
  text.gsub(/^[^\n]*$/) do |line|
    at = line.include?("'") && line.index(@statement)
    at ? line[0...at] + line[at..].gsub(@literal, "'[removed]'") : line
  end
end

# Ids of realms and the like stay: they tell which row it was.
def row(found, how)
  inner = found[2]
  kept = case how
         when :list then inner.split(/,\s*/, -1).map { |one| id?(one) ? one : "[removed]" }.join(", ")
         when :columns then inner.gsub(/(\w{1,60}\s*:\s*)(?:'[^']*+(?:'|\z)|[^,]+)/) { "#{Regexp.last_match(1)}[removed]" }
         else inner == "null" ? inner : "[removed]"
         end
  kept = "" if inner.empty?
  found[1].end_with?("[") && kept == "[removed]" ? "#{found[1]}removed#{found[3]}" : "#{found[1]}#{kept}#{found[3]}"
end

def id?(text)
  text.match?(/\A'?(?:\h{8}-(?:\h{4}-){3}\h{12}|null)'?\z/i)
end
