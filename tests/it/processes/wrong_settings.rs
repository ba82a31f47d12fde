//! Settings that are wrong: one line, and exit status 2.

use std::fs;

use super::process::{Process, letterbox};
use crate::{
    support::prelude::*,
    tokens::{issuer::set, jwk, key_file},
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Starts it in a folder with this `letterbox.toml`, where one is given; what it says when it
/// refuses to.
async fn refused(arguments: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> String {
    let folder = tempfile::TempDir::new().unwrap();
    if let Some(text) = file {
        fs::write(folder.path().join("letterbox.toml"), text).unwrap();
    }
    let mut command = letterbox(folder.path(), arguments);
    command.envs(variables.iter().copied());
    let line = Process::start(command).refused(2).await;
    let left = folder.path().read_dir().unwrap().count();
    assert_eq!(left, usize::from(file.is_some()), "it leaves no file");
    line
}

/// Checks that the line speaks of all this.
#[track_caller]
fn assert_names(line: &str, named: &[&str]) {
    for name in named {
        assert!(line.contains(name), "{line:?} does not name {name:?}");
    }
}

#[rstest]
#[case::unknown_flag("--port=50051", &["--port"])]
#[case::unknown_command("start", &["start"])]
#[case::command_and_unknown_flag("check --fix", &["--fix"])]
#[case::flag_without_its_value("--listen", &["--listen"])]
#[case::no_address("--listen=here", &["listen", "here"])]
#[case::address_without_port("--listen=127.0.0.1", &["listen", "127.0.0.1"])]
#[case::port_too_high("--listen=127.0.0.1:70000", &["listen", "70000"])]
#[case::no_time("--heartbeat-interval=soon", &["heartbeat-interval", "soon"])]
#[case::time_without_unit("--drain-timeout=10", &["drain-timeout", "10"])]
#[case::negative_time("--drain-timeout=-10s", &["drain-timeout", "-10s"])]
#[case::no_time_at_all("--event-retention=0s", &["event-retention"])]
#[case::time_out_of_all_bounds("--heartbeat-interval=292277026596y", &["heartbeat-interval"])]
#[case::no_calls("--calls-max=0", &["calls-max", "0"])]
#[case::negative_rate("--user-rate-max=-1", &["user-rate-max", "-1"])]
#[case::no_rate("--user-rate-max=0", &["user-rate-max", "0", "off"])]
#[case::request_too_large("--request-bytes-max=5MiB", &["request-bytes-max", "5MiB", "4MiB"])]
#[case::request_too_small("--request-bytes-max=1023", &["request-bytes-max", "1KiB"])]
#[case::content_too_large("--content-bytes-max=65537", &["content-bytes-max", "64KiB"])]
#[case::unit("--catch-up-bytes-max=64MB", &["catch-up-bytes-max", "64MB"])]
#[case::beyond_all_bytes("--catch-up-bytes-max=18446744073709551615MiB", &["catch-up-bytes-max"])]
#[case::less_than_a_request("--receiving-bytes-max=1MiB", &["receiving-bytes-max", "4MiB"])]
#[case::no_handshake("--handshake-timeout=0s", &["handshake-timeout"])]
#[case::no_streams("--connection-streams-max=many", &["connection-streams-max", "many"])]
#[case::no_time_to_measure("bench send --duration=0s", &["duration", "more than nothing"])]
#[case::no_folder("--database-url=sqlite://missing/letters.db", &["database-url", "missing"])]
#[case::no_file("--database-url=sqlite://", &["database-url", "names no file"])]
#[case::no_file_to_migrate("migrate --database-url=sqlite:", &["names no file"])]
#[case::a_folder("--database-url=sqlite:///tmp", &["database-url", "/tmp is a folder"])]
#[case::no_folder_to_migrate("migrate --database-url=sqlite:///not/there/a.db", &["/not/there"])]
#[case::no_folder_to_check("check --database-url=sqlite:///not/there/a.db", &["/not/there"])]
#[case::no_boolean("--trust-network=perhaps", &["trust-network", "perhaps"])]
#[case::boolean_apart("--require-tenant perhaps", &["perhaps"])]
#[case::no_mode("--auth=everybody", &["auth", "everybody"])]
#[case::no_tenant("--operator-tenant=Ops", &["operator-tenant", "Ops"])]
#[case::no_key("--auth=jwt", &["jwt-key"])]
#[case::certificate_alone("--tls-cert=cert.pem", &["tls-cert", "tls-key"])]
#[case::authority_alone("--tls-client-ca=ca.pem", &["tls-client-ca", "tls-cert"])]
#[case::certificate_missing("--tls-cert=cert.pem --tls-key=key.pem", &["cert.pem"])]
#[case::empty("--jwt-tenant-claim=", &["jwt-tenant-claim", "empty"])]
#[case::key_missing("--auth=jwt --jwt-key=missing.pem", &["jwt-key", "missing.pem"])]
#[case::unknown_scheme("--database-url=mysql://localhost/letterbox", &["database-url"])]
#[case::no_scheme("--database-url=letterbox.db", &["database-url"])]
#[case::in_memory("--database-url=sqlite::memory:", &["database-url", "memory"])]
#[case::metrics_nowhere("--metrics-listen=here", &["metrics-listen", "here"])]
#[case::traces_nowhere("--otlp-endpoint=collector:4317", &["otlp-endpoint", "http://"])]
#[case::more_than_all("--otlp-sampling=1.5", &["otlp-sampling", "1.5"])]
#[case::no_share("--otlp-sampling=NaN", &["otlp-sampling", "NaN"])]
#[case::origins_alone("--grpc-web-origins=https://app.example", &["grpc-web-origins", "needs grpc-web"])]
#[case::any_origin("--grpc-web --grpc-web-origins=*", &["grpc-web-origins", "*"])]
#[case::an_origin_with_a_path("--grpc-web --grpc-web-origins=https://app.example/", &["app.example/"])]
#[case::an_origin_with_a_default_port("--grpc-web --grpc-web-origins=https://app.example:443", &[":443"])]
#[case::an_origin_in_capitals("--grpc-web --grpc-web-origins=https://App.example", &["App.example"])]
#[case::one_origin_of_two("--grpc-web --grpc-web-origins=https://app.example,null", &["`null`"])]
#[case::no_format("--log-format=xml", &["log-format", "xml"])]
#[case::no_filter("--log=letterbox=loud", &["log"])]
#[case::network("--listen=0.0.0.0:0", &["listen", "0.0.0.0:0", "--trust-network"])]
#[case::network_in_v6("--listen=[::]:0", &["listen", "[::]:0", "--trust-network"])]
#[case::network_not_trusted("--listen=0.0.0.0:0 --trust-network=off", &["--trust-network"])]
#[case::file_missing("--config=missing.toml", &["missing.toml"])]
#[case::to_migrate("migrate --database-url=mysql://localhost/letterbox", &["database-url"])]
#[case::to_check("check --database-url=mysql://localhost/letterbox", &["database-url"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_is_wrong_ends_the_start(#[case] arguments: &str, #[case] named: &[&str]) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    assert_names(&refused(&arguments, &[], None).await, named);
}

#[rstest]
#[case::empty("", "is empty")]
#[case::no_key(
    "-----BEGIN PUBLIC KEY-----\nbm8=\n-----END PUBLIC KEY-----\n",
    "PEM public key"
)]
#[case::a_private_key("-----BEGIN PRIVATE KEY-----\nbm8=\n", "private key")]
#[case::an_empty_set("{\"keys\": []}", "no key")]
#[case::no_set("{\"key\": 1}", "JWKS")]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_cannot_be_used_ends_the_start(
    #[case] content: &str,
    #[case] problem: &str,
) {
    let folder = tempfile::TempDir::new().unwrap();
    fs::write(folder.path().join("key"), content).unwrap();
    let arguments = ["--auth=jwt", "--jwt-key=key", "--listen=127.0.0.1:0"];
    let line = Process::start(letterbox(folder.path(), &arguments))
        .refused(2)
        .await;
    assert_names(&line, &["jwt-key", "key", problem]);
}

#[rstest]
#[case::no_address("LISTEN", "here")]
#[case::no_time("HEARTBEAT_INTERVAL", "soon")]
#[case::no_boolean("TRUST_NETWORK", "perhaps")]
#[case::no_mode("AUTH", "everybody")]
#[case::metrics_nowhere("METRICS_LISTEN", "here")]
#[case::traces_nowhere("OTLP_ENDPOINT", "here")]
#[case::no_share("OTLP_SAMPLING", "some")]
#[case::unknown_scheme("DATABASE_URL", "mysql://localhost/letterbox")]
#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_wrong_ends_the_start_and_is_named(
    #[case] name: &str,
    #[case] value: &str,
) {
    let variable = format!("LETTERBOX_{name}");
    let line = refused(&[], &[(&variable, value)], None).await;
    assert_names(&line, &[&variable]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_cannot_name_a_network_that_nobody_vouches_for() {
    let line = refused(&[], &[("LETTERBOX_LISTEN", "0.0.0.0:0")], None).await;
    assert_names(&line, &["listen", "0.0.0.0:0", "--trust-network"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_can_name_no_file_that_is_missing() {
    let line = refused(&[], &[("LETTERBOX_CONFIG", "missing.toml")], None).await;
    assert_names(&line, &["missing.toml"]);
}

#[rstest]
#[case::no_toml("listen: 127.0.0.1:0", &["letterbox.toml"])]
#[case::no_toml_in_the_middle("auth = \"trusted-header\"\nlisten = here\n", &["letterbox.toml"])]
#[case::unknown_key("port = 50051", &["letterbox.toml", "port"])]
#[case::a_table("[listen]\nport = 50051", &["letterbox.toml", "listen"])]
#[case::a_list("listen = [\"127.0.0.1:0\"]", &["letterbox.toml", "listen"])]
#[case::no_address("listen = \"here\"", &["letterbox.toml", "listen", "here"])]
#[case::no_time("drain-timeout = 10", &["letterbox.toml", "drain-timeout", "10"])]
#[case::no_boolean("trust-network = 2", &["letterbox.toml", "trust-network", "2"])]
#[case::network("listen = \"0.0.0.0:0\"", &["listen", "0.0.0.0:0", "--trust-network"])]
#[case::limit("calls-max = 0", &["letterbox.toml", "calls-max"])]
#[case::clients_alone("[clients.\"a.example\"]\n", &["clients", "tls-client-ca"])]
#[case::no_clients("clients = 1", &["letterbox.toml", "clients"])]
#[case::no_user("tls-cert = \"c\"\ntls-key = \"k\"\ntls-client-ca = \"a\"\n[clients.\"a b\"]\n", &["clients", "a b"])]
#[case::no_scope("[clients.a]\nscopes = [\"letterbox.all\"]\n", &["clients", "letterbox.all"])]
#[case::scopes_in_one("[clients.a]\nscopes = \"letterbox.admin\"\n", &["letterbox.toml", "clients"])]
#[case::no_tenant("[clients.a]\ntenant = \"A\"\n", &["clients", "`A`"])]
#[case::unknown_entry("[clients.a]\nscope = []\n", &["letterbox.toml", "clients", "scope"])]
#[case::given_in_two_spellings(
    "require-tenant = true\nrequire_tenant = false\n",
    &["letterbox.toml", "require_tenant", "given twice"]
)]
#[case::a_client_in_two_spellings("[clients.a]\n[clients.A]\n", &["clients", "`a`", "named twice"])]
#[case::given_twice("auth = \"trusted-header\"\nauth = \"jwt\"", &["letterbox.toml", "duplicate"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_wrong_ends_the_start(#[case] text: &str, #[case] named: &[&str]) {
    assert_names(&refused(&[], &[], Some(text)).await, named);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_wrong_url_holds_is_not_repeated() {
    for url in ["postgres://ana:hush@[/x", "mysql://ana:hush@localhost/x"] {
        let line = refused(&["--database-url", url], &[], None).await;
        assert!(!line.contains("hush"), "{line}");
    }
}

/// A public key as some tools write it, without the letters of PEM.
fn in_der(name: &str) -> Vec<u8> {
    STANDARD.decode(inside_of_pem(name)).unwrap()
}

fn inside_of_pem(name: &str) -> String {
    let pem = String::from_utf8(key_file(name)).unwrap();
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    lines.collect()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn in_utf_16(bytes: &[u8]) -> Vec<u8> {
    let units = text_of(bytes).encode_utf16().collect::<Vec<_>>();
    let marked = [0xfeff].into_iter().chain(units);
    marked.flat_map(u16::to_le_bytes).collect()
}

#[rstest]
#[case::nothing(b"\n".to_vec(), "is empty")]
#[case::a_list_of_keys(serde_json::to_vec(&[jwk("one")]).unwrap(), "a list")]
#[case::an_errors_page(b"<html>502 Bad Gateway, as a proxy says it</html>".to_vec(), "HTML")]
#[case::an_rsa_key_in_der(in_der("rsa-one.pub.pem"), "DER")]
#[case::an_edwards_key_in_der(in_der("ed.pub.pem"), "DER")]
#[case::a_key_of_ssh(b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG ana@example".to_vec(), "SSH")]
#[case::broken_pem(b"----BEGIN PUBLIC KEY----\nMCow\n----END PUBLIC KEY----\n".to_vec(), "PEM")]
#[case::blanks(b"  \t\n".to_vec(), "is empty")]
#[case::null(b"null\n".to_vec(), "null")]
#[case::where_keys_are(b"https://id.example/realms/one/certs\n".to_vec(), "where keys are")]
#[case::an_answer([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), set(&[jwk("one")])].concat(), "answer of HTTP")]
#[case::a_quoted_set(serde_json::to_vec(&text_of(&set(&[jwk("one")]))).unwrap(), "amid")]
#[case::a_set_in_latin_1([set(&[jwk("one")]), b"\xe9".to_vec()].concat(), "encoding")]
#[case::a_set_in_utf_16(in_utf_16(&set(&[jwk("one")])), "UTF-16")]
#[case::a_set_compressed(b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), "compressed")]
#[case::der_and_a_line_end([in_der("rsa-one.pub.pem"), b"\n".to_vec()].concat(), "DER")]
#[case::an_rsa_key_as_keycloak_shows_it(inside_of_pem("rsa-one.pub.pem").into_bytes(), "inside of PEM")]
#[case::an_edwards_key_in_base64(inside_of_pem("ed.pub.pem").into_bytes(), "inside of PEM")]
#[case::two_keys([key_file("ec.pub.pem"), key_file("ed.pub.pem")].concat(), "several")]
#[case::a_private_key(key_file("rsa-one.pem"), "private")]
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_mistaken_for_a_key_is_no_secret(
    #[case] file: Vec<u8>,
    #[case] told: &str,
) {
    let folder = tempfile::TempDir::new().unwrap();
    fs::write(folder.path().join("key"), file).unwrap();
    let command = letterbox(folder.path(), &["--auth=jwt", "--jwt-key=key"]);
    let line = Process::start(command).refused(2).await;
    assert_names(&line, &["jwt-key", told]);
}
