# encoding: utf-8
# Says what an admin event was done to, from the path of the resource, and how ECS calls that.

def register(_params)
  @types = {
    "users" => "USER", "groups" => "GROUP", "clients" => "CLIENT", "roles" => "REALM_ROLE",
    "roles-by-id" => "REALM_ROLE", "identity-provider" => "IDENTITY_PROVIDER", "authentication" => "AUTH_FLOW",
    "components" => "COMPONENT", "client-scopes" => "CLIENT_SCOPE", "events" => "REALM",
    "organizations" => "ORGANIZATION", "attack-detection" => "USER_LOGIN_FAILURE"
  }
  @below = {
    %w[users role-mappings] => "REALM_ROLE_MAPPING", %w[groups role-mappings] => "REALM_ROLE_MAPPING",
    %w[users groups] => "GROUP_MEMBERSHIP"
  }
  @does = { "CREATE" => "creation", "UPDATE" => "change", "DELETE" => "deletion", "ACTION" => "info" }
  @about = { "USER" => "user", "USER_LOGIN_FAILURE" => "user", "GROUP" => "group", "GROUP_MEMBERSHIP" => "group" }
  @people = %w[USER USER_LOGIN_FAILURE GROUP GROUP_MEMBERSHIP REALM_ROLE REALM_ROLE_MAPPING CLIENT_ROLE
               CLIENT_ROLE_MAPPING ORGANIZATION ORGANIZATION_MEMBERSHIP UNKNOWN]
end

def filter(event)
  path = event.get("[keycloak][admin][resource][path]")
  parts = path.is_a?(String) ? path.split("/").reject(&:empty?) : []
  given = event.get("[keycloak][admin][resource][type]")
  type = given.is_a?(String) && given.match?(/\A[A-Z][A-Z_]{1,60}\z/) ? given : derived(parts)
  event.set("[keycloak][admin][resource][type]", type)
  event.set("[keycloak][admin][resource][id]", parts[1]) if parts[1]
  event.set("[user][target][id]", parts[1]) if parts[0] == "users" && parts[1]
  event.set("[group][id]", parts[1]) if parts[0] == "groups" && parts[1]
  describe(event, type)
  [event]
end

def derived(parts)
  return "REALM" if parts.empty?

  @below[[parts[0], parts[2]]] || @types.fetch(parts[0], "UNKNOWN")
end

def describe(event, type)
  operation = event.get("[keycloak][admin][operation]")
  unless @does.key?(operation)
    event.remove("[keycloak][admin][operation]")
    event.tag("_operation_unknown")
    operation = "ACTION"
  end
  event.set("[event][action]", "#{operation}-#{type}".downcase.tr("_", "-"))
  event.set("[event][type]", ["admin", @does[operation], @about[type]].compact)
  event.set("[event][category]", [@people.include?(type) ? "iam" : "configuration"])
end

test "the path tells what it was done to" do
  parameters { {} }
  in_event do
    { "keycloak" => { "admin" => { "operation" => "CREATE", "resource" => { "path" => "users/u-1/role-mappings/realm" } } } }
  end
  expect("a mapping of roles, and whom it concerns") do |events|
    event = events.first
    event.get("[keycloak][admin][resource][type]") == "REALM_ROLE_MAPPING" && event.get("[user][target][id]") == "u-1" &&
      event.get("[event][action]") == "create-realm-role-mapping" && event.get("[event][type]") == %w[admin creation] &&
      event.get("[event][category]") == ["iam"]
  end
end

test "the listener's own word goes first" do
  parameters { {} }
  in_event do
    { "keycloak" => { "admin" => { "operation" => "DELETE", "resource" => { "path" => "clients/c-1", "type" => "CLIENT" } } } }
  end
  expect("a client, which is configuration") do |events|
    event = events.first
    event.get("[event][category]") == ["configuration"] && event.get("[event][type]") == %w[admin deletion]
  end
end
