//! Names that workloads may choose never lead to link-local addresses: there the cloud's metadata service listens,
//! and whoever owns a name decides anew at each look-up where it leads.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver without what no data source has.
pub(super) struct Guarded;

/// Amazon's metadata service by IPv6, in a range that is otherwise private.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let admitted: Vec<SocketAddr> = found.into_iter().filter(|at| may_be_source(at.ip())).collect();
            if admitted.is_empty() {
                return Err("the name leads to no address that a data source may have".into());
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
        let addresses = Guarded.resolve(name).await.expect("found");
        assert!(addresses.into_iter().all(|address| address.ip().is_loopback()));
    }
}
