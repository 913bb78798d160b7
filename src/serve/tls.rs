//! The server's side of TLS: certificate, client CA, and their renewal without a restart.
//!
//! The files are read again while the server runs, and new connections use the newest certificate. A faulty renewal
//! never replaces a working certificate.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::source::config::GrpcTls;
use crate::source::secret::read_small;

/// How often to check the files: cert-manager renews weeks ahead, and a mounted Secret is updated with up to a
/// minute's delay.
const RELOAD: Duration = Duration::from_secs(5);
/// The longest a client's handshake may take while it holds a connection permit.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Performs handshakes with the newest certificate.
#[derive(Clone)]
pub(super) struct Tls {
    current: watch::Receiver<Arc<rustls::ServerConfig>>,
}

/// The contents of the files.
#[derive(PartialEq)]
struct Pems {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// Checks whether the files contain a usable certificate.
///
/// # Errors
/// The reason, with the configuration key and without any file content.
pub fn check(files: &GrpcTls) -> Result<(), String> {
    Pems::read(files)?.build().map(drop)
}

// === impl Tls ===

impl Tls {
    /// Reads the files, and reads them again until `shutdown` fires. If a change is faulty or incomplete, it is
    /// logged and the previous certificate stays in use.
    pub(super) fn load(files: GrpcTls, shutdown: CancellationToken) -> Result<Self, String> {
        let pems = Pems::read(&files)?;
        let (newest, current) = watch::channel(pems.build()?);
        tokio::spawn(renew(files, pems, newest, shutdown));
        Ok(Tls { current })
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.current.borrow());
        let handshake = TlsAcceptor::from(config).accept(stream);
        tokio::time::timeout(HANDSHAKE, handshake).await.unwrap_or_else(|late| Err(late.into()))
    }
}

async fn renew(
    files: GrpcTls,
    mut known: Pems,
    current: watch::Sender<Arc<rustls::ServerConfig>>,
    shutdown: CancellationToken,
) {
    let mut refused = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(RELOAD) => {}
            () = shutdown.cancelled() => return,
        }
        let reason = known.renewed(&files, &current).err();
        if let Some(reason) = reason.as_ref().filter(|r| refused.as_ref() != Some(*r)) {
            tracing::error!(%reason, "changed certificates are faulty; the former ones stay");
        }
        refused = reason;
    }
}

// === impl Pems ===

impl Pems {
    fn read(files: &GrpcTls) -> Result<Self, String> {
        let read = |key, path| read_small(path).map_err(|e| format!("grpc.tls.{key}: {e}"));
        Ok(Pems {
            cert: read("cert", &files.cert)?,
            key: read("key", &files.key)?,
            client_ca: files.client_ca.as_deref().map(|path| read("clientCa", path)).transpose()?,
        })
    }

    /// Puts changed files into use; if they are faulty or incomplete, the previous ones stay.
    fn renewed(
        &mut self,
        files: &GrpcTls,
        current: &watch::Sender<Arc<rustls::ServerConfig>>,
    ) -> Result<(), String> {
        let pems = Pems::read(files)?;
        if pems != *self {
            current.send_replace(pems.build()?);
            *self = pems;
            tracing::info!("certificates of grpc.tls renewed");
        }
        Ok(())
    }

    fn build(&self) -> Result<Arc<rustls::ServerConfig>, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates("cert", &self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| "grpc.tls.key: found no private key in PEM".to_owned())?;
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("grpc.tls: {e}"))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates("clientCa", pem)? {
                    roots.add(authority).map_err(|e| format!("grpc.tls.clientCa: {e}"))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|e| format!("grpc.tls.clientCa: {e}"))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        // A key that does not belong to the certificate is rejected here.
        let mut config =
            builder.with_single_cert(chain, key).map_err(|e| format!("grpc.tls.cert and key: {e}"))?;
        // gRPC clients reject a server that does not negotiate HTTP/2.
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("grpc.tls.{key}: found no certificates in PEM"))?;
    if all.is_empty() {
        return Err(format!("grpc.tls.{key}: found no certificate"));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(dir: &std::path::Path, part: &str) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
        if part != "key" {
            fs::write(dir.join("cert"), made.cert.pem()).expect("written");
        }
        if part != "cert" {
            fs::write(dir.join("key"), made.signing_key.serialize_pem()).expect("written");
        }
    }

    #[test]
    fn half_a_change_leaves_the_former_pair() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = GrpcTls { cert: dir.path().join("cert"), key: dir.path().join("key"), client_ca: None };
        written(dir.path(), "both");
        let mut pems = Pems::read(&files).expect("read");
        let (newest, current) = watch::channel(pems.build().expect("valid"));
        let former = Arc::clone(&current.borrow());
        let is_former = || Arc::ptr_eq(&former, &current.borrow());
        assert!(pems.renewed(&files, &newest).is_ok() && is_former(), "nothing has changed");
        // A certificate whose key has not arrived yet.
        written(dir.path(), "cert");
        let reason = pems.renewed(&files, &newest).expect_err("they do not belong together");
        assert!(reason.contains("grpc.tls.cert and key") && is_former(), "{reason}");
        written(dir.path(), "both");
        assert!(pems.renewed(&files, &newest).is_ok() && !is_former());
    }
}
