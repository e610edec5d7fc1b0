# encoding: utf-8
# Addresses of networks in texts, told from versions of four parts.

require "ipaddr"

def prepare_addresses
  products = %w[keycloak infinispan jgroups quarkus hibernate netty wildfly jboss undertow resteasy liquibase kafka postgres postgresql mysql mariadb oracle h2 db2
                mssql java javac jdk openjdk jre jvm kotlin scala chrome chromium firefox safari edge opera windows android ios macos driver
                narayana agroal vertx vert.x elasticsearch logstash opensearch kibana jackson log4j slf4j spring tomcat jetty nginx apache openssl
                bouncycastle fips gson guava protobuf grpc rhbk rhsso redhat hotspot graalvm temurin corretto zulu webauthn4j freeipa openldap samba k8s kubernetes
                opentelemetry otel micrometer prometheus grafana smallrye mutiny caffeine microprofile jakarta freemarker snakeyaml commons]
  @product = /(?:\A|[^\p{L}\p{N}])(?:#{products.map { |name| Regexp.escape(name) }.join('|')})[ "':=(\[]{0,3}\z/i
  @said_version = /(?:§[ ]?|(?:\A|[^\p{L}\p{N}])v|(?:version|versions|release|releases|revision|build)(?:[ ](?:is|was|of))?[ "':=(\[v]{0,3})\z/i
  # Opera/76.1.2.3 is a product; kc-0/10.1.2.3 and Kc1/10.1.2.3:7800 are addresses as Java writes them.
  @agent = /(?:\A|[\s("',;\[])(?:[A-Z][A-Za-z]{1,30}|[a-z]+-[a-z]+|curl|okhttp|axios|python-requests)\/\z/
  @ipv4 = /(?<!\d)(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)/
  @version_tail = /\A(?:[.-](?:final|ga|release|snapshot|redhat|sp\d|cr\d|beta|alpha|rc|jar|war|zip|dev|jre|jdk|build|el\d|fc\d|ubi|alpine|debian|slim|hotfix|patch|pom|tar|b\d|m\d|p\d)|-\d(?!\d{0,2}\.\d)|\+\w|[a-z]\d?\b|_\d)/i
  @ipv6 = /(?<![\w:.])(?:\h{1,4}(?::\h{1,4}){7}|(?:\h{1,4}:){0,6}\h{0,4}::(?:\h{1,4}:){0,6}(?:\h{1,4})?)(?![\w:])(?:%[\w.-]{1,20})?/
end

def without_addresses(text, versions)
  text = without_ipv4(text, versions)
  return text unless text.include?("::") || text.count(":") > 6

  text.gsub(@ipv6) { |found| found.match?(/\d/) || found.count(":") > 3 ? shown_or_hidden(found) : found }
end

def without_ipv4(text, versions)
  return text unless text.match?(@ipv4)

  scanner = StringScanner.new(text)
  kept = +""
  while (passed = scanner.scan_until(@ipv4))
    found = scanner.matched
    before = passed[0...-found.length]
    kept << before << (version?(found, before[-80..] || before, scanner.check(/.{0,20}/m), versions) ? found : shown_or_hidden(found))
  end
  kept << scanner.rest
end

# Whether four numbers with dots are a version: behind a product's name or a v, or with a tail that no address has.
def version?(found, before, after, versions)
  return true if found.start_with?("127.0.0.") && found.length < 12 # loopback stays as it is
  return true if found.match?(/\A2\.5\.4\.\d+\z/) && after.start_with?("=")
  return true if after.match?(@version_tail) || before.match?(@said_version)
  return before.match?(/[\w)]\/\z/) if versions
  return false if after.match?(/\A:\d/) || found.match?(/\A(?:10|127|192\.168|172\.(?:1[6-9]|2\d|3[01]))\./)

  before.match?(@agent) || (before.match?(@product) && found.split(".").all? { |part| part.length < 3 })
end

def address_of(value)
  return nil unless value.is_a?(String) && value.length <= 60

  text = value.strip.sub(/%.*\z/, "").sub(/\A(\d+\.\d+\.\d+\.\d+):\d+\z/, '\1').sub(/\A\[([\h:.]+)\](?::\d+)?\z/, '\1')
  return nil unless text.match?(/\A[\h:.]+\z/) && text.match?(/[.:]/)

  # 010.001.002.003 is an address too.
  text = text.gsub(/(?<![\d.:\h])0+(?=\d)|(?<=\.)0+(?=\d)/, "") if text.match?(/\A[\d.]+\z/)
  IPAddr.new(text).native
rescue IPAddr::Error
  nil
end

def shown(address)
  return address.to_s if @modes["ip_mode"] == "keep" || address.loopback? || address.to_i.zero?

  address.mask(address.ipv4? ? 24 : 48).to_s
end

# An address within a text.
def shown_or_hidden(text)
  address = address_of(text)
  return text if address.nil?

  %w[keep truncate].include?(@modes["ip_mode"]) || address.loopback? || address.to_i.zero? ? shown(address) : "[ip]"
end
