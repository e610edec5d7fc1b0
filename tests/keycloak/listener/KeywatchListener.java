package keywatch.listener;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jboss.logging.Logger;
import org.keycloak.Config;
import org.keycloak.events.Event;
import org.keycloak.events.EventListenerProvider;
import org.keycloak.events.EventListenerProviderFactory;
import org.keycloak.events.admin.AdminEvent;
import org.keycloak.events.admin.AuthDetails;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;

/**
 * Writes Keycloak's events to Kafka as the event listeners of the field do, and mistreats them on command.
 *
 * <p>Fire and forget: the login thread hands a record to the producer and never learns what became of it. System
 * properties: {@code keywatch.listener.bootstrap} (without it, events are only counted), {@code .profile}, {@code
 * .user.topic}, {@code .admin.topic}, {@code .control.port}, and {@code .producer.<setting>} for settings of the
 * producer. On the control port (loopback), {@code GET /counts} tells what happened so far, one {@code name value} a
 * line, and {@code POST /orders?name=value&…} replaces all orders; {@link Orders} lists them.
 */
public class KeywatchListener implements EventListenerProviderFactory {
    private static final Logger LOG = Logger.getLogger(KeywatchListener.class);
    private static final String PREFIX = "keywatch.listener.";
    // Nulls are written, as the listeners of the field do; Keycloak's own mapper leaves them out.
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, Long> counts = new TreeMap<>();
    private Orders orders = new Orders(Map.of());
    private KafkaProducer<String, byte[]> producer;
    private ScheduledExecutorService later;
    private HttpServer control;

    @Override
    public String getId() {
        return "keywatch-kafka";
    }

    @Override
    public void init(Config.Scope config) {}

    @Override
    public void postInit(KeycloakSessionFactory sessions) {
        for (String name : Set.of("seen", "dropped", "duplicated", "garbled", "delayed", "sent", "acked", "failed")) {
            counts.put(name, 0L);
        }
        String profile = System.getProperty(PREFIX + "profile", "scriptonbasestar");
        orders = new Orders(Map.of("profile", profile));
        String bootstrap = System.getProperty(PREFIX + "bootstrap");
        if (bootstrap != null) {
            producer = new KafkaProducer<>(settings(bootstrap), new StringSerializer(), new ByteArraySerializer());
        }
        later = Executors.newSingleThreadScheduledExecutor();
        String port = System.getProperty(PREFIX + "control.port");
        if (port != null) {
            listen(Integer.parseInt(port));
        }
    }

    /** Gives what the listener scriptonbasestar fixes in its code, and over it what a test asked for. */
    private static Properties settings(String bootstrap) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("client.id", "keycloak-event-listener");
        settings.put("acks", "1");
        settings.put("enable.idempotence", "false");
        settings.put("retries", "3");
        settings.put("retry.backoff.ms", "1000");
        settings.put("linger.ms", "5");
        settings.put("max.block.ms", "5000");
        settings.put("delivery.timeout.ms", "120000");
        String own = PREFIX + "producer.";
        for (String name : System.getProperties().stringPropertyNames()) {
            if (name.startsWith(own)) {
                settings.put(name.substring(own.length()), System.getProperty(name));
            }
        }
        return settings;
    }

    private void listen(int port) {
        try {
            control = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), 0);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        control.createContext("/counts", exchange -> answer(exchange, 200, counted()));
        control.createContext("/orders", this::order);
        control.start();
    }

    private void order(HttpExchange exchange) throws IOException {
        Map<String, String> wanted = new LinkedHashMap<>();
        String query = exchange.getRequestURI().getQuery();
        for (String pair : query == null || query.isEmpty() ? new String[0] : query.split("&")) {
            String[] parts = pair.split("=", 2);
            wanted.put(parts[0], parts.length > 1 ? parts[1] : "");
        }
        try {
            synchronized (this) {
                wanted.putIfAbsent("profile", orders.profile);
                orders = new Orders(wanted);
            }
        } catch (IllegalArgumentException error) {
            answer(exchange, 400, error.getMessage());
            return;
        }
        answer(exchange, 200, "");
    }

    private static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private synchronized String counted() {
        StringBuilder text = new StringBuilder();
        counts.forEach((name, value) -> text.append(name).append(' ').append(value).append('\n'));
        return text.toString();
    }

    private synchronized void count(String name) {
        counts.merge(name, 1L, Long::sum);
    }

    @Override
    public EventListenerProvider create(KeycloakSession session) {
        return new EventListenerProvider() {
            @Override
            public void onEvent(Event event) {
                boolean own = profile().equals("scriptonbasestar");
                String key = own ? event.getRealmId() + ":" + event.getType() + ":" + known(event.getUserId()) : null;
                send("user", event.getType().name(), key, own ? userForm(event) : event);
            }

            @Override
            public void onEvent(AdminEvent event, boolean includeRepresentation) {
                boolean own = profile().equals("scriptonbasestar");
                String type = event.getOperationType().name();
                String who = known(event.getAuthDetails().getUserId());
                String key = own ? event.getRealmId() + ":" + type + ":" + who : null;
                send("admin", type, key, own ? adminForm(event, includeRepresentation) : event);
            }

            @Override
            public void close() {}
        };
    }

    private synchronized String profile() {
        return orders.profile;
    }

    private static String known(String user) {
        return user == null ? "anonymous" : user;
    }

    private static Map<String, Object> userForm(Event event) {
        Map<String, Object> form = new LinkedHashMap<>();
        form.put("id", UUID.randomUUID().toString());
        form.put("time", event.getTime());
        form.put("type", event.getType().name());
        form.put("realmId", event.getRealmId());
        form.put("clientId", event.getClientId());
        form.put("userId", event.getUserId());
        form.put("sessionId", event.getSessionId());
        form.put("ipAddress", event.getIpAddress());
        form.put("details", event.getDetails());
        return form;
    }

    private static Map<String, Object> adminForm(AdminEvent event, boolean includeRepresentation) {
        AuthDetails who = event.getAuthDetails();
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("realmId", who.getRealmId());
        details.put("clientId", who.getClientId());
        details.put("userId", who.getUserId());
        details.put("ipAddress", who.getIpAddress());
        Map<String, Object> form = new LinkedHashMap<>();
        form.put("id", UUID.randomUUID().toString());
        form.put("time", event.getTime());
        form.put("operationType", event.getOperationType().name());
        form.put("realmId", event.getRealmId());
        form.put("authDetails", details);
        form.put("resourcePath", event.getResourcePath());
        form.put("representation", includeRepresentation ? event.getRepresentation() : null);
        return form;
    }

    private void send(String kind, String type, String key, Object form) {
        try {
            byte[] value = JSON.writeValueAsBytes(form);
            int copies = 1;
            long delay;
            String topic;
            synchronized (this) {
                count("seen");
                orders.next(type);
                if (orders.due("drop")) {
                    count("dropped");
                    return;
                }
                if (orders.due("duplicate")) {
                    count("duplicated");
                    copies = 2;
                }
                if (orders.due("garble")) {
                    count("garbled");
                    value = Arrays.copyOf(value, value.length / 2);
                }
                delay = orders.delay();
                topic = System.getProperty(PREFIX + kind + ".topic", orders.topic(kind));
            }
            ProducerRecord<String, byte[]> record = new ProducerRecord<>(topic, key, value);
            for (int copy = 0; copy < copies; copy++) {
                if (delay > 0) {
                    count("delayed");
                    later.schedule(() -> hand(record), delay, TimeUnit.MILLISECONDS);
                } else {
                    hand(record);
                }
            }
        } catch (JsonProcessingException error) {
            LOG.error("Failed to process " + kind + " event", error);
        }
    }

    /** Hands a record to the producer; blocks while there is no metadata, and hides what becomes of it. */
    private void hand(ProducerRecord<String, byte[]> record) {
        count("sent");
        if (producer == null) {
            return;
        }
        try {
            producer.send(record, (metadata, error) -> {
                count(error == null ? "acked" : "failed");
                if (error != null) {
                    LOG.error("Failed to send event to Kafka topic '" + record.topic() + "'", error);
                }
            });
        } catch (RuntimeException error) {
            count("failed");
            LOG.error("Error sending event to Kafka", error);
        }
    }

    @Override
    public void close() {
        if (control != null) {
            control.stop(0);
        }
        if (later != null) {
            later.shutdownNow();
        }
        if (producer != null) {
            producer.close(Duration.ofSeconds(5));
        }
    }
}
