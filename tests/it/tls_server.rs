//! The gRPC server behind TLS: which clients are served, which are not, and certificates that change while it runs.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forescale::keda::wire::ScaledObjectRef;
use forescale::keda::wire::external_scaler_client::ExternalScalerClient;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::DropGuard;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::support::authority::{Authority, Signed};
use crate::support::server;

/// The server checks its files every 5 s; a loaded machine may be late.
const RENEWED_WITHIN: Duration = Duration::from_secs(60);

struct Server {
    address: SocketAddr,
    _ends: DropGuard,
}

/// A server with the certificate in `dir`; if `ca.pem` exists there, it is the authority for its clients.
async fn start(dir: &Path) -> Server {
    let client_ca = if dir.join("ca.pem").exists() {
        format!(", clientCa: {}", dir.join("ca.pem").display())
    } else {
        String::new()
    };
    let (cert, key) = (dir.join("tls.crt"), dir.join("tls.key"));
    let text = format!("grpc: {{tls: {{cert: {}, key: {}{client_ca}}}}}", cert.display(), key.display());
    let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = grpc.local_addr().expect("bound");
    Server { address, _ends: server::start(&text, grpc, http) }
}

async fn connect(server: &Server, trusted: &str, me: Option<&Signed>) -> Result<Channel, String> {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted));
    if let Some(me) = me {
        tls = tls.identity(Identity::from_pem(&me.cert, &me.key));
    }
    let endpoint = Endpoint::from_shared(format!("https://{}", server.address)).expect("an address");
    let endpoint = endpoint.tls_config(tls).expect("certificates").timeout(Duration::from_secs(10));
    endpoint.connect().await.map_err(|e| format!("{e:?}"))
}

/// Whether the server answers; a refused client certificate may only show at the first call.
async fn ask(server: &Server, trusted: &str, me: Option<&Signed>) -> Result<(), String> {
    call(connect(server, trusted, me).await?).await
}

async fn call(channel: Channel) -> Result<(), String> {
    let object = ScaledObjectRef {
        name: "web".to_owned(),
        namespace: "shop".to_owned(),
        scaler_metadata: HashMap::new(),
    };
    let answer = ExternalScalerClient::new(channel).get_metric_spec(object).await;
    let specs = answer.map_err(|status| status.to_string())?.into_inner().metric_specs;
    assert_eq!(specs[0].metric_name, "forescale");
    Ok(())
}

fn folder(signed: &Signed, client_ca: Option<&Authority>) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    signed.write(dir.path());
    if let Some(authority) = client_ca {
        fs::write(dir.path().join("ca.pem"), authority.pem()).expect("written");
    }
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tls_is_spoken_where_a_certificate_is_given() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let dir = folder(&ours.server(), None);
    let server = start(dir.path()).await;
    ask(&server, ours.pem(), None).await.expect("trusted");
    ask(&server, other.pem(), None).await.expect_err("the client does not know the authority");
    let plain = Endpoint::from_shared(format!("http://{}", server.address)).expect("an address");
    let plain = plain.timeout(Duration::from_secs(10)).connect().await;
    if let Ok(channel) = plain {
        call(channel).await.expect_err("no plaintext");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_client_authority_only_its_clients_are_served() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let dir = folder(&ours.server(), Some(&ours));
    let server = start(dir.path()).await;
    ask(&server, ours.pem(), Some(&ours.client())).await.expect("known");
    ask(&server, ours.pem(), None).await.expect_err("no certificate");
    ask(&server, ours.pem(), Some(&other.client())).await.expect_err("another authority's");
    ask(&server, ours.pem(), Some(&ours.server())).await.expect_err("a certificate for servers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_stalls_holds_up_nobody() {
    let ours = Authority::new("ours");
    let dir = folder(&ours.server(), None);
    let server = start(dir.path()).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.address).await.expect("connected"));
    }
    ask(&server, ours.pem(), None).await.expect("served");
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificates_are_served_without_a_restart() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let dir = folder(&old.server(), Some(&old));
    let server = start(dir.path()).await;
    let open = connect(&server, old.pem(), Some(&old.client())).await.expect("connected");
    new.server().write(dir.path());
    fs::write(dir.path().join("ca.pem"), new.pem()).expect("written");
    let begun = Instant::now();
    while let Err(error) = ask(&server, new.pem(), Some(&new.client())).await {
        assert!(begun.elapsed() < RENEWED_WITHIN, "not renewed: {error}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ask(&server, old.pem(), Some(&old.client())).await.expect_err("the old authority has gone");
    call(open).await.expect("a connection outlives the certificate it began with");
}

#[test]
fn certificates_are_checked_before_the_start() {
    let ours = Authority::new("ours");
    let check = |cert: &str, key: &str, expected: &str| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Signed { cert: cert.to_owned(), key: key.to_owned() }.write(dir.path());
        let config = dir.path().join("config.yaml");
        let text = format!("grpc: {{tls: {{cert: {0}/tls.crt, key: {0}/tls.key}}}}", dir.path().display());
        fs::write(&config, text).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_forescale"))
            .args(["serve", "--check", "--config"])
            .arg(&config)
            .output()
            .expect("runs");
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), expected.is_empty(), "{shown}");
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains("BEGIN"), "{shown}");
    };
    let (one, two) = (ours.server(), ours.server());
    check(&one.cert, &one.key, "");
    check(&one.cert, &two.key, "grpc.tls.cert and key");
    check("", &one.key, "grpc.tls.cert: found no certificate");
    check(&one.cert, &one.cert, "grpc.tls.key: found no private key");
}

#[test]
fn files_of_tokens_and_passwords_are_checked_before_the_start() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (good, empty) = (file("good", "hunter2\n"), file("empty", "\n"));
    let (broken, missing) =
        (file("broken", "hunter2\nhunter3"), dir.path().join("missing").display().to_string());
    let check = |source: &str, expected: &[&str]| {
        let text = format!("datasources:\n  default: {{url: 'https://prometheus:9090', {source}}}\n");
        let output = Command::new(env!("CARGO_BIN_EXE_forescale"))
            .args(["serve", "--check", "--config", &file("config.yaml", &text)])
            .output()
            .expect("runs");
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), expected.is_empty(), "{source}: {shown}");
        expected.iter().for_each(|want| assert!(shown.contains(want), "{want} is not in {shown}"));
        assert!(!shown.contains("hunter"), "{shown}");
    };
    check(&format!("bearerTokenFile: '{good}'"), &[]);
    check(&format!("basic: {{username: me, passwordFile: '{good}'}}"), &[]);
    check(&format!("bearerTokenFile: '{missing}'"), &["datasources.default", "missing: No such file"]);
    check(&format!("bearerTokenFile: '{}'", dir.path().display()), &["datasources.default", "directory"]);
    check(&format!("bearerTokenFile: '{empty}'"), &["empty is empty"]);
    check(&format!("basic: {{username: me, passwordFile: '{empty}'}}"), &["empty is empty"]);
    check(&format!("bearerTokenFile: '{broken}'"), &["line breaks"]);
    check(&format!("tls: {{ca: '{missing}'}}, bearerTokenFile: '{good}'"), &["missing: No such file"]);
}

#[test]
fn plaintext_warns_unless_on_loopback() {
    for (listen, warns) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = dir.path().join("config.yaml");
        fs::write(&config, format!("listen: {{grpc: '{listen}', http: '127.0.0.1:0'}}")).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_forescale"))
            .args(["serve", "--config"])
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let id = child.id().to_string();
        let mut log = String::new();
        for line in lines.map_while(Result::ok) {
            log.push_str(&line);
            if line.contains("listening") {
                // Ends the server; the log ends with the process.
                assert!(Command::new("kill").arg(&id).status().expect("kill runs").success());
            }
        }
        assert!(child.wait().expect("its end").success(), "{log}");
        assert_eq!(log.contains("plaintext"), warns, "{listen}: {log}");
    }
}
