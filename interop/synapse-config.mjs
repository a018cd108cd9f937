import { join } from "node:path";

const plenty = { per_second: 10_000, burst_count: 10_000 };

/** The configuration of a Synapse that knows loopback alone: no outside servers, no notaries, no limits of rate. */
export function synapseConfig({ name, clientPort, folder, secret }) {
  const port = Number(name.slice(name.lastIndexOf(":") + 1));
  return {
    server_name: name,
    pid_file: join(folder, "homeserver.pid"),
    signing_key_path: join(folder, "signing.key"),
    log_config: join(folder, "log.yaml"),
    media_store_path: join(folder, "media"),
    database: { name: "sqlite3", args: { database: join(folder, "homeserver.db") } },
    listeners: [listener(port, true, ["federation"]), listener(clientPort, false, ["client", "media"])],
    tls_certificate_path: join(folder, "tls.crt"),
    tls_private_key_path: join(folder, "tls.key"),
    federation_custom_ca_list: [join(folder, "ca.pem")],
    federation_verify_certificates: true,
    // Everything is on loopback, which Synapse would not ask otherwise.
    ip_range_blacklist: [],
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    registration_shared_secret: secret,
    macaroon_secret_key: secret,
    form_secret: secret,
    bcrypt_rounds: 4,
    report_stats: false,
    presence: { enabled: false },
    allow_public_rooms_over_federation: true,
    room_list_publication_rules: [{ action: "allow" }],
    allow_device_name_lookup_over_federation: true,
    // Its own waits are short, so that a scenario need not wait for them.
    federation: { max_short_retries: 1, max_long_retries: 1, destination_min_retry_interval: "1s" },
    rc_message: plenty,
    rc_registration: plenty,
    rc_login: { address: plenty, account: plenty, failed_attempts: plenty },
    rc_joins: { local: plenty, remote: plenty },
    rc_joins_per_room: plenty,
    rc_invites: { per_room: plenty, per_user: plenty, per_issuer: plenty },
    rc_room_creation: plenty,
    rc_federation: { window_size: 1_000, sleep_limit: 10_000, sleep_delay: 1, reject_limit: 10_000, concurrent: 100 },
    experimental_features: { msc4370_enabled: true, msc3983_appservice_otk_claims: true },
  };
}

const listener = (port, tls, names) => ({
  port,
  tls,
  type: "http",
  bind_addresses: ["127.0.0.1"],
  resources: [{ names, compress: false }],
});
