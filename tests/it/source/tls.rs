//! Data sources behind TLS: whom we trust, and how we authenticate.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use forescale::source::config::ServerConfig;
use forescale::source::{DataSources, SourceError};
use forescale::units::Time;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig as TlsServerConfig, ServerConnection, StreamOwned};

use crate::support::authority::{Authority, Signed};

/// Certificates for 127.0.0.1 from their own authority, valid for a hundred years.
fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls").join(name)
}

fn server_config(wants_client: bool) -> Arc<TlsServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let authority = CertificateDer::from_pem_file(pem("ca.pem")).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(authority).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let builder = TlsServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match wants_client {
        true => builder.with_client_cert_verifier(verifier.build().expect("a verifier")),
        false => builder.with_no_client_auth(),
    };
    let certificate = CertificateDer::from_pem_file(pem("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(pem("server.key")).expect("a key");
    Arc::new(builder.with_single_cert(vec![certificate], key).expect("a pair"))
}

/// A server that answers each request with the value 7; its thread ends with the test.
fn serve(wants_client: bool) -> u16 {
    serve_with(Arc::new(Mutex::new(server_config(wants_client))))
}

/// The same with a configuration that can be changed.
fn serve_with(config: Arc<Mutex<Arc<TlsServerConfig>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let config = Arc::clone(&config.lock().expect("not poisoned"));
            let connection = ServerConnection::new(config).expect("a connection");
            // Some tests are about a failing handshake.
            let _ = answer(StreamOwned::new(connection, socket));
        }
    });
    port
}

fn answer(stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = r#"{"status":"success","data":{"resultType":"scalar","result":[0,"7"]}}"#;
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn sources(port: u16, tls: &str) -> DataSources {
    let text = format!("datasources: {{default: {{url: 'https://127.0.0.1:{port}', tls: {{{tls}}}}}}}");
    DataSources::new(&ServerConfig::parse(&text, &BTreeMap::new()).expect("valid"))
}

async fn ask(sources: &DataSources) -> Result<Option<f64>, SourceError> {
    sources.get("default", "any").expect("configured").instant("q", Time::from_epoch(0)).await
}

#[tokio::test]
async fn only_the_configured_authority_is_trusted() {
    let port = serve(false);
    let ca = pem("ca.pem");
    let trusted = ask(&sources(port, &format!("ca: '{}'", ca.display()))).await;
    assert_eq!(trusted.expect("answered"), Some(7.0));
    let error = ask(&sources(port, "")).await.expect_err("an authority that the system does not know");
    assert!(matches!(error.kind(), "unreachable" | "credentials"), "{error}");
    let other = pem("client.pem");
    let error =
        ask(&sources(port, &format!("ca: '{}'", other.display()))).await.expect_err("another authority");
    assert_eq!(error.kind(), "unreachable", "{error}");
    let any = ask(&sources(port, "insecureSkipVerify: true")).await;
    assert_eq!(any.expect("answered"), Some(7.0));
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_may_come_late_and_be_rotated() {
    let port = serve(true);
    let ca = pem("ca.pem");
    let bare = ask(&sources(port, &format!("ca: '{}'", ca.display()))).await;
    assert_eq!(bare.expect_err("no certificate").kind(), "unreachable");

    let dir = tempfile::tempdir().expect("a temporary directory");
    let (cert, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    let tls = format!("ca: '{}', cert: '{}', key: '{}'", ca.display(), cert.display(), key.display());
    let sources = sources(port, &tls);
    let error = ask(&sources).await.expect_err("not there yet");
    assert!(error.kind() == "credentials" && error.to_string().contains("tls.crt"), "{error}");
    std::fs::copy(pem("client.pem"), &cert).expect("copied");
    std::fs::copy(pem("client.key"), &key).expect("copied");
    assert_eq!(ask(&sources).await.expect("answered"), Some(7.0));
    // Half a rotation: the previous pair is used until the new one is complete.
    std::fs::write(&cert, "-----BEGIN CERT").expect("written");
    assert_eq!(ask(&sources).await.expect("answered"), Some(7.0));
    std::fs::copy(pem("server.pem"), &cert).expect("copied");
    std::fs::copy(pem("server.key"), &key).expect("copied");
    assert_eq!(ask(&sources).await.expect("answered"), Some(7.0));
}

#[tokio::test]
async fn an_expired_certificate_is_refused_until_it_is_renewed() {
    let authority = Authority::new("a test's authority");
    let config = |signed: Signed| {
        let certificate = CertificateDer::from_pem_slice(signed.cert.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = TlsServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![certificate], key).expect("a pair"))
    };
    let current = Arc::new(Mutex::new(config(authority.server())));
    let port = serve_with(Arc::clone(&current));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let ca = dir.path().join("ca.crt");
    std::fs::write(&ca, authority.pem()).expect("written");
    let sources = sources(port, &format!("ca: '{}'", ca.display()));
    assert_eq!(ask(&sources).await.expect("answered"), Some(7.0));
    *current.lock().expect("not poisoned") = config(authority.expired_server());
    let error = ask(&sources).await.expect_err("expired");
    assert!(error.kind() == "unreachable" && error.to_string().contains("expired"), "{error}");
    *current.lock().expect("not poisoned") = config(authority.server());
    assert_eq!(ask(&sources).await.expect("answered"), Some(7.0));
}
