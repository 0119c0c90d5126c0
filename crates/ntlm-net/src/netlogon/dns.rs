//! Controllers as DNS names them.

use super::error::ControllerError;
use super::name::ControllerName;
use crate::fresh::random;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The most controllers that are taken from DNS.
const MAX_CONTROLLERS: usize = 64;

/// A domain, and who resolves its names.
#[derive(Clone)]
pub struct Dns {
    domain: String,
    resolver: TokioResolver,
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl Dns {
    /// For a domain by its DNS name. `None` for the servers that this machine asks.
    ///
    /// # Errors
    ///
    /// This machine has no usable resolver configuration.
    pub fn new(domain: &str, server: Option<SocketAddr>) -> Result<Self, ControllerError> {
        let builder = match server {
            None => TokioResolver::builder_tokio().map_err(dns)?,
            Some(server) => {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                config.connections.iter_mut().for_each(|way| way.port = server.port());
                let config = ResolverConfig::from_name_servers(vec![config]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let resolver = builder.build().map_err(dns)?;
        Ok(Self { domain: domain.trim_end_matches('.').to_owned(), resolver })
    }

    /// Best first: by priority, and among equals each is next in proportion to its weight (RFC 2782).
    pub(super) async fn find(&self) -> Result<Vec<ControllerName>, ControllerError> {
        let name = format!("_ldap._tcp.dc._msdcs.{}.", self.domain);
        let found = self.resolver.srv_lookup(name).await.map_err(dns)?;
        let mut controllers = Vec::new();
        for record in found.answers() {
            let RData::SRV(srv) = &record.data else { continue };
            let chance = random().map_err(ControllerError::io("random bytes"))?;
            let host = srv.target.to_ascii().trim_end_matches('.').to_owned();
            let turn = turn(srv.weight, u32::from_le_bytes(chance));
            controllers.push((srv.priority, turn, ControllerName { host, port: None }));
        }
        controllers.sort_by(|(one, first, _), (other, second, _)| {
            one.cmp(other).then(first.total_cmp(second))
        });
        controllers.truncate(MAX_CONTROLLERS);
        Ok(controllers.into_iter().map(|(_, _, controller)| controller).collect())
    }

    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ControllerError> {
        let found = self.resolver.lookup_ip(format!("{host}.")).await.map_err(dns)?;
        Ok(found.iter().collect())
    }
}

/// When its turn is: exponentially distributed with the weight as rate, so that the least of several is
/// each one's in proportion to its weight. Weight 0 has a little.
fn turn(weight: u16, chance: u32) -> f64 {
    let uniform = (f64::from(chance) + 1.0) / (f64::from(u32::MAX) + 1.0);
    -uniform.ln() / f64::from(weight).max(0.01)
}

fn dns(error: impl fmt::Display) -> ControllerError {
    ControllerError::Dns(error.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::turn;

    /// Over all chances, in steps: 3 to 1.
    #[test]
    fn turns_are_in_proportion_to_weights() {
        let chances = || (0..200).map(|step| step * 21_474_836);
        let pairs = chances().flat_map(|one| chances().map(move |other| (one, other)));
        let first = pairs.filter(|(one, other)| turn(30, *one) < turn(10, *other)).count();
        assert!((29_700..30_300).contains(&first), "{first} of 40000");
        assert!(turn(0, 1) > turn(1, 1));
    }
}
