//! A DNS resolver that refuses link-local addresses, for names that workloads may choose.
//!
//! The cloud's metadata service listens on link-local addresses, and the owner of a name can change where it points
//! before any look-up. So each connection resolves and checks the name again.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A resolver that leaves out addresses no data source has; it is asked again for each connection.
pub(super) struct Guarded<L>(pub(super) L);

/// Resolves names.
pub(super) trait Lookup: Clone + Send + Sync + 'static {
    /// Every address of a name.
    fn addresses(&self, name: &str) -> impl Future<Output = std::io::Result<Vec<SocketAddr>>> + Send;
}

/// The system's resolver.
#[derive(Clone, Copy)]
pub(super) struct System;

/// Amazon's metadata service over IPv6, in a range that is otherwise private.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

impl Lookup for System {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

impl<L: Lookup> Resolve for Guarded<L> {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.0.clone();
        Box::pin(async move {
            let found = lookup.addresses(name.as_str()).await?;
            let admitted: Vec<SocketAddr> = found.into_iter().filter(|at| may_be_source(at.ip())).collect();
            if admitted.is_empty() {
                return Err("the name resolves to no address that a data source may have".into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

fn may_be_source(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_unspecified() && v6 != METADATA,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn no_name_leads_to_a_metadata_service() {
        let may = |text: &str| may_be_source(text.parse().expect("an address"));
        for address in
            ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "::"]
        {
            assert!(!may(address), "{address}");
        }
        for address in ["10.0.0.7", "127.0.0.1", "192.168.1.1", "fd12::1", "2001:db8::1", "203.0.113.9"] {
            assert!(may(address), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_is_resolved() {
        let name = "localhost".parse().expect("a name");
        let addresses = Guarded(System).resolve(name).await.expect("found");
        assert!(addresses.into_iter().all(|address| address.ip().is_loopback()));
    }

    /// The current addresses of a name; empty if the name no longer exists.
    #[derive(Clone, Default)]
    struct Zone(Arc<Mutex<Vec<SocketAddr>>>);

    impl Lookup for Zone {
        async fn addresses(&self, _name: &str) -> std::io::Result<Vec<SocketAddr>> {
            let known = self.0.lock().expect("not poisoned").clone();
            if known.is_empty() { Err(std::io::ErrorKind::NotFound.into()) } else { Ok(known) }
        }
    }

    /// A server that answers with its name, one connection per request.
    async fn named(name: &'static str) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let answer = move || async move { ([("connection", "close")], name) };
        let app = axum::Router::new().route("/", axum::routing::get(answer));
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    #[tokio::test]
    async fn each_connection_goes_where_the_name_leads_by_then() {
        let (old, new, zone) = (named("old").await, named("new").await, Zone::default());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy();
        let client = client.dns_resolver(Arc::new(Guarded(zone.clone()))).build().expect("a client");
        let ask = async |port: u16| {
            let answer = client.get(format!("http://prometheus.example:{port}/")).send().await.ok()?;
            answer.text().await.ok()
        };
        let metadata: SocketAddr = "169.254.169.254:80".parse().expect("an address");
        for (leads_to, asked, answered) in [
            (vec![old], old, Some("old")),
            (vec![new], new, Some("new")),
            (vec![], new, None),
            (vec![metadata], new, None),
            (vec![metadata, new], new, Some("new")),
            (vec![old], old, Some("old")),
        ] {
            *zone.0.lock().expect("not poisoned") = leads_to.clone();
            assert_eq!(ask(asked.port()).await.as_deref(), answered, "{leads_to:?}");
        }
    }
}
