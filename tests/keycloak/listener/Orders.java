package keywatch.listener;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * What is to happen to the events that come: {@code drop_next=N} and {@code drop_every=N}, the same for {@code
 * duplicate} and {@code garble}; {@code delay_ms}; {@code only=LOGIN,LOGIN_ERROR} leaves all other types alone
 * (admin events have CREATE, UPDATE …); {@code profile} changes the form of the records.
 */
final class Orders {
    private static final Map<String, String[]> TOPICS =
            Map.of(
                    "scriptonbasestar", new String[] {"keycloak.events", "keycloak.admin.events"},
                    "snuk87", new String[] {"keycloak-events", "keycloak-admin-events"});
    private static final Set<String> NUMBERS =
            Set.of("drop_next", "drop_every", "duplicate_next", "duplicate_every", "garble_next", "garble_every", "delay_ms");

    final String profile;
    private final Set<String> only;
    private final Map<String, Long> numbers = new LinkedHashMap<>();
    private long met;
    private boolean concerned;

    Orders(Map<String, String> wanted) {
        profile = wanted.getOrDefault("profile", "scriptonbasestar");
        if (!TOPICS.containsKey(profile)) {
            throw new IllegalArgumentException("no profile " + profile);
        }
        only = wanted.containsKey("only") ? Set.of(wanted.get("only").split(",")) : Set.of();
        wanted.forEach((name, value) -> {
            if (NUMBERS.contains(name)) {
                numbers.put(name, Long.parseLong(value));
            } else if (!name.equals("profile") && !name.equals("only")) {
                throw new IllegalArgumentException("no order " + name);
            }
        });
    }

    String topic(String kind) {
        return TOPICS.get(profile)[kind.equals("user") ? 0 : 1];
    }

    /** Takes notice of an event, so that the orders can be asked about it. */
    void next(String type) {
        concerned = only.isEmpty() || only.contains(type);
        if (concerned) {
            met++;
        }
    }

    /** Tells whether an order concerns the event at hand, and uses up one of {@code …_next}. */
    boolean due(String order) {
        if (!concerned) {
            return false;
        }
        long left = numbers.getOrDefault(order + "_next", 0L);
        if (left > 0) {
            numbers.put(order + "_next", left - 1);
            return true;
        }
        long every = numbers.getOrDefault(order + "_every", 0L);
        return every > 0 && met % every == 0;
    }

    long delay() {
        return concerned ? numbers.getOrDefault("delay_ms", 0L) : 0;
    }
}
